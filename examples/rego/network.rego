# What an image is made of is fetched by stages, where it can be looked at: its
# own steps have no network, and there are few of them.
package specbuild

import rego.v1

most_runs := 8

deny contains message if {
	some image in images
	some step in image.steps
	step.run.network != "none"
	message := sprintf("%s: %s has a step with the network %q; let a stage fetch, and copy from it", [
		step.range, image.address, step.run.network,
	])
}

deny contains message if {
	some image in images
	runs := count([step | some step in image.steps; step.run])
	runs > most_runs
	message := sprintf("%s: %s is made by %d steps that run, of %d at most; join them, or make a stage", [
		image.range, image.address, runs, most_runs,
	])
}
