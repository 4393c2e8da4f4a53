package rules

import (
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec"
)

// AsksScannedImages reports whether policies want scans of what is pushed, and
// whether registries are asked for them.
func AsksScannedImages(grades map[string]Grade) (wanted, registry bool) {
	g := grades[scanID]
	wanted = g.judges(judgeImages)
	return wanted, wanted && len(g.Lists["keys"]) > 0
}

// OfPushed reports whether a rule judges what is about to be pushed, as
// policies grade it.
func OfPushed(grades map[string]Grade, id string) bool {
	wanted, _ := AsksScannedImages(grades)
	return id == scanID && wanted
}

// scannedImage judges an image that is about to be pushed. It is known by its
// digest alone, so one that was scanned from a layout of the same build counts.
func scannedImage(d *docket, img *Pushed) {
	if wanted, _ := AsksScannedImages(d.Grades); !wanted {
		return
	}
	except := d.list("except")
	if len(img.Tags) > 0 && !slices.ContainsFunc(img.Tags, func(tag string) bool { return !listed(except, fullName(tag)) }) {
		return
	}
	if d.results == nil {
		found := read(d.Evidence, d.list("keys"))
		d.results = &found
	}
	where := img.addr.Local()
	if img.addr == (spec.Addr{}) {
		where = img.Name
	}
	var order []string // of summaries: what is alike on several platforms is told once
	details, same := map[string]string{}, map[string][]string{}
	for _, m := range img.Manifests {
		summary, detail := d.verdict(wantsScan{
			noun: "image", name: where + " for " + m.Platform, index: img.Digest, manifest: m.Digest,
			instead: "what is to be pushed: write it with -o oci:DIR and scan that", mend: "Mend what it is built of, or take that out.",
		}, *d.results)
		switch {
		case summary == "":
		case details[summary] == "":
			order, details[summary] = append(order, summary), detail
		default:
			same[summary] = append(same[summary], m.Platform+", "+m.Digest)
		}
	}
	for _, summary := range order {
		detail := details[summary]
		if others := same[summary]; len(others) > 0 {
			detail += " Likewise " + strings.Join(others, "; ") + "."
		}
		d.found(img.addr, img.Range, summary, "%s", detail)
	}
}
