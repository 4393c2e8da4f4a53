# The beginning of every script. Comments are left out of what runs, so that a
# better one changes no key.
umask 022
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
say() { echo "specbuild: $*" >&2; }

# remember copies what exists of the files that a package manager writes for
# itself, and notes the keys that are there; /tmp is a tmpfs.
kept=/tmp/specbuild
remember() {
	mkdir -p "$kept"
	for f in $traces $ids; do
		[ -f "$f" ] || continue
		mkdir -p "$kept${f%/*}"
		cp -p "$f" "$kept$f"
	done
	for f in $keys; do
		[ ! -e "$f" ] || echo "$f" >> "$kept/keys"
	done
}

# alone is true where steps have one user, root, which is the caller outside.
alone() {
	: > "$kept/owner"
	! chown 1:1 "$kept/owner" 2> /dev/null
}

# forget puts these files back as they were: logs, locks and backups hold
# times and what was before, and tell nobody what the image is.
forget() {
	for f in $traces; do
		if [ -f "$kept$f" ]; then
			cp -p "$kept$f" "$f"
		elif [ -f "$f" ] && [ ! -L "$f" ]; then
			rm -f "$f"
		fi
	done
	# The id of a machine is made when it first starts (machine-id(5)).
	for f in $ids; do
		if [ -f "$kept$f" ]; then
			cp -p "$kept$f" "$f"
		elif [ -f "$f" ] && [ ! -L "$f" ]; then
			case $f in /etc/*) : > "$f" ;; *) rm -f "$f" ;; esac
		fi
	done
	for f in $keys; do
		[ -e "$f" ] || continue
		if [ -f "$kept/keys" ] && grep -qxF "$f" "$kept/keys"; then continue; fi
		rm -f "$f"
		say "removed $f: a key that is in an image is everybody's; make it when the container starts"
	done
}
ids="/etc/machine-id /var/lib/dbus/machine-id"
keys="/etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub
	/etc/ssl/private/ssl-cert-snakeoil.key /etc/ssl/certs/ssl-cert-snakeoil.pem /var/lib/*/.erlang.cookie"
traces="/etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid- /etc/.pwd.lock /var/cache/ldconfig/aux-cache"
