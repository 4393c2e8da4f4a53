package rules

import (
	"cmp"
	"fmt"
	"path"
	"slices"

	"github.com/specbuild/specbuild/planner/survey"
	"github.com/specbuild/specbuild/spec/diag"
)

func imageRules() []Rule {
	allow := Param{Name: "allow", Kind: List, Doc: "paths that may be so: /usr/bin/su; one that ends in / means all below, a * anything but a slash; none by default"}
	return []Rule{
		{
			ID: "no-setuid-files", Severity: diag.Info, Release: diag.Info, By: ByJudge, Title: "No program of an image runs with the rights of its owner, whoever starts it",
			Why: "A service that was broken into becomes root by a mistake in one of them. Distributions bring several, such as su and mount, that no service needs.",
			Bad: `copy {
  source = "a"
  to     = "/usr/bin/helper"
  mode   = "4755"
}`,
			Good: `copy {
  source = "a"
  to     = "/usr/bin/helper"
  mode   = "0755"
}
run {
  script = "chmod u-s /usr/bin/su /usr/bin/mount"
}`,
			Mend: "Say a `mode` without the bits, which `validate --fix` writes. Of programs that a base or a package brings nothing is written for you: take the bits off in a `run` step, " +
				"let a policy allow the paths that need them, set the finding aside by a waiver, or start containers with no-new-privileges.",
			Sources:    []string{"CIS-4.8", "CIS-DI-0008"},
			Params:     []Param{allow},
			check:      setuidModes,
			checkImage: setuidFiles,
		},
		{
			ID: "no-leftover-files", Severity: diag.Info, Release: diag.Info, By: ByImage, Title: "No temporary files, archives, histories and caches of a build are in a finished image",
			Why: "Everybody pulls them and nobody reads them, but for who looks for a secret in a .git.",
			Bad: `run {
  script = "cp /app/build.log /tmp/build.log"
}`,
			Good: `run {
  script = "cp /app/build.log /tmp/build.log && rm /tmp/build.log"
}`,
			Mend:       "Remove them in the step that writes them, or take what is needed out of a stage by `copy`.",
			Sources:    []string{"DKL-LI-0003", "bn:tarSomethingRmTheSomething", "bn:rmRecursiveAfterMktempD", "bn:mkdirUsrSrcThenRemove", "bn:gpgVerifyAscRmAsc"},
			Params:     []Param{allow},
			checkImage: leftovers,
		},
		{
			ID: "file-modes-explicit", Severity: diag.Info, Release: diag.Info, By: ByJudge, Title: "Not everybody may write to a file or folder of an image, and its programs have a mode by which they start",
			Why: "Who breaks into any process of the container can change what everybody may write; a folder with the sticky bit, such as /tmp, is meant so. " +
				"What a `file` writes has no x unless its mode says so, and a script without it does not start.",
			Bad: `directory {
  path = "/srv/app/uploads"
  mode = "0777"
}
file {
  path    = "/usr/local/bin/migrate"
  content = "#!/bin/sh\nexec /usr/bin/web migrate\n"
}`,
			Good: `directory {
  path  = "/srv/app/uploads"
  mode  = "0755"
  owner = "10001"
}
file {
  path    = "/usr/local/bin/migrate"
  content = "#!/bin/sh\nexec /usr/bin/web migrate\n"
  mode    = "0755"
}`,
			Mend: "Say a `mode`, and give a folder to the user that writes there, by `owner`: `validate --fix` writes both. What a script, a base or a package leaves open " +
				"only its author can close: by chmod o-w in the step, by a policy that allows the path, or by a waiver.",
			Params:     []Param{allow},
			check:      openModes,
			checkImage: openFiles,
		},
		{
			ID: "layer-waste-budget", Off: true, By: ByImage, Title: "What layers delete or replace of those below, and an image as a whole, stays within a budget",
			Why: "Bytes that a later layer hides are pulled all the same. A policy says how many are too many.",
			Bad: `run {
  script = "tar -C / -xf /big.tar && rm /big.tar"
}`,
			Good: `copy {
  source = "a"
  to     = "/srv/"
  unpack = true
}`,
			Mend: "Delete in the step that writes, or build in a stage and copy the result.",
			Params: []Param{
				{Name: "wasted", Kind: Bytes, Doc: "bytes that own layers may hide of other layers, by default 20MiB"},
				{Name: "share", Kind: Count, Doc: "the same in percent of all bytes, by default 100"},
				{Name: "size", Kind: Bytes, Doc: "bytes of all layers together, uncompressed, by default any number"},
			},
			Sources:    []string{"dive", "DL3059"},
			checkImage: wasteBudget,
		},
		{
			ID: "entrypoint-exists", Severity: diag.Warning, Release: diag.Warning, By: ByImage, Title: "The program of a finished image is there and can be started",
			Why: "It is there, may be executed, is built for the platform, and its interpreter or loader is there too: else the first container says `exec format error` or `no such file`, and not of which file.",
			Bad: `image "web" {
  from       = scratch
  run_as     = "10001"
  entrypoint = ["/usr/bin/web"]
}`,
			Good: `image "web" {
  from       = scratch
  run_as     = "10001"
  entrypoint = ["/usr/bin/web"]
  copy {
    source = "a"
    to     = "/usr/bin/web"
    mode   = "0755"
  }
}`,
			Mend:       "Copy the program to where `entrypoint` says, with mode 0755 and linked statically or on a base with its loader.",
			checkImage: entrypoint,
		},
	}
}

// setuidFiles fires on a list that was cut whatever the policy allows: nobody
// knows what else there is.
func setuidFiles(d *docket, img *Image) {
	files := d.notAllowed(img.Setuid)
	if len(img.Setuid) == survey.Most {
		files = img.Setuid
	}
	d.byWriter(img, files, func(w writer, files []survey.File) {
		if !w.base && d.told(w) {
			return
		}
		mend := "Take the bits off in this step (chmod u-s,g-s), or leave the package out."
		if w.base {
			mend = "Take the bits off in a step (chmod u-s,g-s), build on a base without them, or start containers with no-new-privileges."
		}
		d.found(w.addr, w.at, "Programs with setuid or setgid", "%s brings %s with the rights of an owner or group, whoever starts them: %s. %s",
			w.name(), count(len(files), "program"), firstOf(files, withMode), mend)
	})
}

func withMode(f survey.File) string {
	return fmt.Sprintf("%s (%s %d:%d)", f.Path, f.Mode, f.UID, f.GID)
}

func withWhat(f survey.File) string {
	return fmt.Sprintf("%s (%s, %s)", f.Path, f.What, megabytes(f.Size))
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// megabytes is a size as people compare it.
func megabytes(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}

// notAllowed leaves out what a policy allows.
func (d *docket) notAllowed(files []survey.File) []survey.File {
	list := d.list("allow")
	return slices.DeleteFunc(slices.Clone(files), func(f survey.File) bool { return allowed(list, f.Path) })
}

// matches is a path and a pattern of it; one that is none matches nothing.
func matches(pattern, p string) bool {
	ok, err := path.Match(pattern, p)
	return ok && err == nil
}

// leftovers says nothing about a base: what it holds is its owner's matter, and
// no step takes bytes out of it.
func leftovers(d *docket, img *Image) {
	d.byWriter(img, d.notAllowed(img.Left), func(w writer, files []survey.File) {
		if w.base {
			return
		}
		d.found(w.addr, w.at, "Files are left behind", "%s leaves %s of %s: %s. Remove them in the same step, or take what is needed out of a stage.",
			w.name(), count(len(files), "item"), megabytes(size(files)), firstOf(files, withWhat))
	})
}

func size(files []survey.File) int64 {
	var sum int64
	for _, f := range files {
		sum += f.Size
	}
	return sum
}

// cachesLeft is packages-cache-clean once more, over what is there: a script
// may call what nobody can read. What was told of the script is not told again.
func cachesLeft(d *docket, img *Image) {
	d.byWriter(img, img.Caches, func(w writer, files []survey.File) {
		if w.base || d.told(w) {
			return
		}
		d.found(w.addr, w.at, "A package cache stays behind", "%s leaves %s of %s: %s. Put a cache mount there, or clean up in the same step.",
			w.name(), count(len(files), "item"), megabytes(size(files)), firstOf(files, withWhat))
	})
}

func openFiles(d *docket, img *Image) {
	d.byWriter(img, d.notAllowed(img.Writable), func(w writer, files []survey.File) {
		if !w.base && d.told(w) {
			return
		}
		d.found(w.addr, w.at, "Everybody may write", "%s leaves %s open to every user: %s. Give them to the user that writes there, and take the bit off (chmod o-w).",
			w.name(), count(len(files), "path"), firstOf(files, withMode))
	})
}

// wasteBudget counts what own layers hide, also of the base: bytes that a base
// wastes by itself are its owner's.
func wasteBudget(d *docket, img *Image) {
	w := writer{addr: img.addr, at: img.Range}
	worst := slices.MaxFunc(append([]survey.Layer{{}}, img.Layers...), func(a, b survey.Layer) int { return cmp.Compare(a.Wasted, b.Wasted) })
	share := int64(0)
	if img.Size > 0 {
		share = img.Wasted * 100 / img.Size
	}
	if most := d.limit("wasted", 20<<20); img.Wasted > most {
		d.found(w.addr, w.at, "Layers hide too many bytes", "%s of %s in the image for %s are deleted or replaced by a layer above, %s of them of one layer; the policy lets it be %s. Delete in the step that writes, or build in a stage and copy the result.",
			megabytes(img.Wasted), megabytes(img.Size), img.Platform, megabytes(worst.Wasted), megabytes(most))
	} else if most := d.limit("share", 100); share > most {
		d.found(w.addr, w.at, "Layers hide too many bytes", "%d%% of the image for %s, %s of %s, are deleted or replaced by a layer above; the policy lets it be %d%%. Delete in the step that writes, or build in a stage and copy the result.",
			share, img.Platform, megabytes(img.Wasted), megabytes(img.Size), most)
	}
	if most := d.limit("size", 0); most > 0 && img.Size > most {
		d.found(w.addr, w.at, "The image is too large", "The image for %s holds %s in its layers; the policy lets it be %s.", img.Platform, megabytes(img.Size), megabytes(most))
	}
}

// entrypoint points at what names the program, where the spec does.
func entrypoint(d *docket, img *Image) {
	if img.Start.Problem == "" {
		return
	}
	shown := img.Start.Command
	if img.Start.Path != "" && img.Start.Path != shown {
		shown += ", which is " + img.Start.Path + ","
	}
	d.found(img.addr, d.startsAt(img), "The program cannot be started", "On %s, %s %s. %s", img.Platform, shown, img.Start.Problem, img.Start.Hint)
}

func (d *docket) startsAt(img *Image) diag.Range {
	if img.inst == nil {
		return img.Range
	}
	for _, inst := range d.chain(img.inst) {
		if i := inst.Body.Image; i != nil {
			said := i.Entrypoint
			if len(img.Config.Entrypoint) == 0 {
				said = i.Cmd
			}
			if said.Set {
				return said.Range
			}
		}
	}
	return img.Range
}
