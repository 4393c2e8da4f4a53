# Every image runs as a user that is not root, and every base is pinned.
package specbuild

import rego.v1

# What is asked for: the instances that are images, not the stages below them.
images contains instance if {
	some image in input.images
	some platform in image.platforms
	some instance in input.instances
	instance.id == platform.instance
}

deny contains message if {
	some image in images
	is_root(object.get(image.config, "user", "0"))
	message := sprintf("%s: %s runs as root on %s", [image.range, image.address, image.platform])
}

# A user is numbers, "uid:gid" or "uid".
is_root(user) if split(user, ":")[0] == "0"

# Bases stand wherever files are taken from: below an instance, in a copy, in a mount.
deny contains message if {
	some instance in input.instances
	walk(instance, [path, base])
	path[count(path) - 1] == "base"
	not pinned(base)
	message := sprintf("%s: %s is built with %s, which is not pinned by its digest", [instance.range, instance.address, base.ref])
}

# A layout on disk is named by its folder; its digest stands beside it.
pinned(base) if {
	regex.match(`^sha256:[0-9a-f]{64}$`, base.digest)
	regex.match(`^layout:|@sha256:[0-9a-f]{64}$`, base.ref)
}
