# apt has its indexes and archives in the cache, so that nothing of them can
# be in the layer, and no hook of a base that empties /var/cache/apt meets them.
if ! command -v apt-get > /dev/null; then
	say 'this base has no apt-get: packages "apt" is for Debian, Ubuntu and what is made of them'
	exit 1
fi
mkdir -p "$cache/lists/partial" "$cache/archives/partial"
# - Another stage's lists stay: List-Cleanup would remove what this one's
#   sources do not name.
# - An index that cannot be had is an error, not yesterday's.
# - A name with a dot in it is a name, not a regular expression.
# - dpkg's fsync is for machines that may lose power.
# - Who has one user cannot fetch as another.
run() {
	apt-get -q -y \
		-o Dir::State::lists="$cache/lists" -o Dir::Cache="$cache" -o APT::Keep-Downloaded-Packages=true \
		-o APT::Get::List-Cleanup=false -o APT::Update::Error-Mode=any -o Acquire::Retries=3 -o Acquire::Languages=none \
		${SSL_CERT_FILE:+-o "Acquire::https::CAInfo=$SSL_CERT_FILE"} \
		-o Dir::Log::Terminal= -o Dir::Log::History= -o Dir::Log::Planner= \
		$sandbox -o APT::Cmd::Pattern-Only=true -o APT::Install-Recommends="$recommends" -o APT::Install-Suggests=false \
		-o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-unsafe-io -o Dpkg::Options::=--log=/dev/null \
		-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
		"$@" < /dev/null
}
remember
sandbox=
if alone; then sandbox='-o APT::Sandbox::User=root'; fi
deny
run update
run install --allow-downgrades -- "$@"
allow
forget
