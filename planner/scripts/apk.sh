if ! command -v apk > /dev/null; then
	say 'this base has no apk: packages "apk" is for Alpine, Wolfi and what is made of them'
	exit 1
fi
traces="$traces /var/log/apk.log /lib/apk/db/lock /usr/lib/apk/db/lock"
# The cache holds packages by their checksum. Proxies and certificates are
# found in the environment (libfetch, OpenSSL).
remember
apk add --no-progress --update-cache --cache-dir "$cache" -- "$@" < /dev/null
forget
