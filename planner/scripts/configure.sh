# What packages "deb" has unpacked is configured as dpkg does it. Its preinst
# scripts run first and in the order that engine/deb wrote down: those of
# base-passwd and base-files make the tables of users.
list=/var/lib/dpkg/specbuild
for program in dpkg cp grep; do
	if ! command -v "$program" > /dev/null; then
		say "maintainer scripts need $program, which is not in the image: add the package that has it to \`install\`"
		exit 1
	fi
done
remember
if alone; then
	say 'maintainer scripts give files to several users, and steps have one here: "specbuild doctor" says what is missing'
	exit 1
fi
deny
while read -r what label name arch; do
	[ "$what" = preinst ] || continue
	DPKG_MAINTSCRIPT_PACKAGE=$name DPKG_MAINTSCRIPT_ARCH=$arch DPKG_MAINTSCRIPT_NAME=preinst DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT=1 \
		DPKG_ROOT='' DPKG_ADMINDIR=/var/lib/dpkg "/var/lib/dpkg/info/$label.preinst" install < /dev/null || {
		say "the preinst script of $name failed"
		exit 1
	}
done < "$list"
echo 'format 1' > "$list"
dpkg --force-unsafe-io --force-confdef --force-confold --log=/dev/null --configure -a < /dev/null
audit=$(dpkg --audit)
if [ -n "$audit" ]; then
	echo "$audit" >&2
	exit 1
fi
allow
# /run is empty when a container starts; its folders are kept.
find /run -xdev ! -type d -delete
forget
