if ! command -v dnf > /dev/null; then
	say 'this base has no dnf: packages "dnf" is for Fedora, RHEL and what is made of them'
	exit 1
fi
# The history is of a machine that is looked after by dnf: it holds times. What
# sqlite keeps beside the database of packages it makes anew, but for the wal.
traces="$traces /var/log/dnf*.log* /var/log/hawkey.log* /var/lib/dnf/history.sqlite*
	/var/lib/rpm/.rpm.lock /var/lib/rpm/rpmdb.sqlite-shm /usr/lib/sysimage/rpm/.rpm.lock /usr/lib/sysimage/rpm/rpmdb.sqlite-shm
	/root/.rpmdb/.rpm.lock /root/.rpmdb/rpmdb.sqlite-shm"
remember
PYTHONDONTWRITEBYTECODE=1 dnf -y --refresh --setopt=cachedir="$cache" --setopt=keepcache=True --setopt=install_weak_deps="$recommends" \
	${SSL_CERT_FILE:+--setopt="sslcacert=$SSL_CERT_FILE"} install "$@" < /dev/null
forget
