package specbuild_test

import data.specbuild
import rego.v1

digest := "sha256:2222222222222222222222222222222222222222222222222222222222222222"

# A plan of one image, as much of it as the policies look at.
plan(instance) := {
	"version": 1,
	"images": [{"address": "//:image.web", "platforms": [{"platform": "linux/amd64", "instance": "web"}]}],
	"instances": [object.union(
		{
			"id": "web", "address": "//:image.web", "range": "image.hcl:1:1", "platform": "linux/amd64",
			"from": {}, "config": {"user": "10001:10001"},
		},
		instance,
	)],
}

run(network) := {"range": "image.hcl:5:3", "run": {"args": ["make"], "network": network}}

test_a_good_image_passes if {
	count(specbuild.deny) == 0 with input as plan({
		"from": {"base": {"ref": concat("@", ["docker.io/library/debian:13", digest]), "digest": digest}},
		"steps": [run("none")],
	})
}

test_root_is_denied if {
	every user in ["0", "0:0", "0:10001"] {
		specbuild.deny["image.hcl:1:1: //:image.web runs as root on linux/amd64"] with input as plan({"config": {"user": user}})
	}
}

# What an image without a user runs as is root.
test_no_user_is_denied if {
	bare := object.remove(plan({}).instances[0], ["config"])
	count(specbuild.deny) == 1 with input as object.union(plan({}), {"instances": [object.union(bare, {"config": {}})]})
}

test_a_user_whose_number_begins_with_0_is_another if {
	count(specbuild.deny) == 0 with input as plan({"config": {"user": "01"}})
}

test_a_base_without_a_digest_is_denied if {
	count(specbuild.deny) == 1 with input as plan({"from": {"base": {"ref": "docker.io/library/debian:13", "digest": ""}}})
}

test_a_base_that_a_step_copies_from_is_looked_at if {
	count(specbuild.deny) == 1 with input as plan({"steps": [{
		"range": "image.hcl:5:3",
		"copy": {"from": {"base": {"ref": "docker.io/library/debian:13", "digest": ""}}, "to": "/"},
	}]})
}

test_a_layout_on_disk_is_pinned if {
	count(specbuild.deny) == 0 with input as plan({"from": {"base": {"ref": "layout:vendor/os", "digest": digest}}})
}

test_network_is_denied_to_images if {
	every network in ["outbound", "host"] {
		count(specbuild.deny) == 1 with input as plan({"steps": [run(network)]})
	}
}

test_network_is_not_denied_to_stages if {
	stage := {"id": "fetch", "address": "//:stage.fetch", "steps": [run("outbound")]}
	good := plan({})
	count(specbuild.deny) == 0 with input as object.union(good, {"instances": array.concat(good.instances, [stage])})
}

test_many_steps_are_denied if {
	count(specbuild.deny) == 0 with input as plan({"steps": [run("none") | some _ in numbers.range(1, 8)]})
	count(specbuild.deny) == 1 with input as plan({"steps": [run("none") | some _ in numbers.range(1, 9)]})
}
