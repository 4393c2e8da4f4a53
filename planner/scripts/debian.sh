# What is common to apt and to configuring by dpkg.
traces="$traces /var/log/dpkg.log /var/log/alternatives.log /var/log/fontconfig.log /var/log/apt/*
	/var/cache/debconf/*-old /var/lib/dpkg/*-old /var/lib/dpkg/lock /var/lib/dpkg/lock-frontend /var/lib/dpkg/triggers/Lock
	/var/cache/apt/*.bin /var/lib/apt/lists/*"

# No service is started: what invoke-rc.d(8) asks is answered with no.
policy=/usr/sbin/policy-rc.d
deny() {
	denied=
	if [ ! -e "$policy" ] && [ ! -L "$policy" ]; then
		denied=yes
		printf '#!/bin/sh\nexit 101\n' > "$policy"
		chmod 0755 "$policy"
	fi
}
allow() { [ -z "$denied" ] || rm -f "$policy"; }
