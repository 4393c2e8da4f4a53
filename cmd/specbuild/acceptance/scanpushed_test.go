//go:build linux

package acceptance

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// manifestsIn are the digests of a layout's only image, by platform, and that
// of its index.
func manifestsIn(t testing.TB, p *project, layout string) (index string, manifests map[string]string) {
	t.Helper()
	type list struct {
		Manifests []struct {
			Digest   string
			Platform struct{ OS, Architecture string }
		}
	}
	var top, inner list
	p.must(json.Unmarshal([]byte(p.read(layout+"/index.json")), &top))
	index = top.Manifests[0].Digest
	p.must(json.Unmarshal([]byte(p.read(layout+"/blobs/sha256/"+strings.TrimPrefix(index, "sha256:"))), &inner))
	manifests = map[string]string{}
	for _, m := range inner.Manifests {
		manifests[m.Platform.OS+"/"+m.Platform.Architecture] = m.Digest
	}
	return index, manifests
}

// TestNothingIsPushedWithoutAScan builds, scans what was built, and pushes
// that: by its digest, which is the same in both builds.
func TestNothingIsPushedWithoutAScan(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	p := newProject(t, files{
		"specbuild.hcl": signedWorkspace, "acme.policy.hcl": scannedBy("files = [\"scans/*\"]\n      judge = [\"images\"]\n      except = [\"" + s.host + "/staging/\"]"),
		"image.hcl": webSpec(s.host, ""),
	})
	// The scan needs the image, so outputs of this machine are written without.
	p.ok("validate")
	p.ok("apply", "-o", "oci:out")
	index, manifests := manifestsIn(t, p, "out")
	amd, arm, now := manifests["linux/amd64"], manifests["linux/arm64"], time.Now()

	refused := func(scan string, texts ...string) {
		t.Helper()
		p.write(files{"scans/web.json": scan})
		s.asked("")
		r := p.fails(3, append([]string{"[scan-evidence-fresh]", "image.hcl:2:1"}, texts...), "apply", "--push", "-o", "oci:second")
		if n := strings.Count(r.stderr, "[scan-evidence-fresh]"); n != 1 {
			t.Errorf("%d findings:\n%s", n, r.stderr)
		}
		if asked := s.asked(""); len(asked) > 0 {
			t.Errorf("the registry was asked %q", asked)
		}
		absent(t, p.path("second"))
	}
	refused("", "error: The image has no scan result", "image.web for linux/amd64, "+index+", or its manifest "+amd, "Write it with -o oci:DIR, scan that", "Likewise linux/arm64, "+arm)
	refused(sarif("sha256:"+strings.Repeat("0", 64), now, ""), "The image has no scan result", "What is there is of sha256:000")
	refused(sarif(amd, now, ""), "The image has no scan result", "image.web for linux/arm64, "+index+", or its manifest "+arm, "What is there is of "+amd)
	refused(sarif(index, now.AddDate(0, 0, -8), ""), "The scan result is old", "at most 7 days old", index)
	refused(sarif(index, now, grave), "The scan result does not pass", "Trivy has found 1 thing in image.web for linux/amd64, "+index, "CVE-2026-1")
	refused(strings.Replace(sarif(index, now, ""), "true", "false", 1), "The scan did not end well")
	refused("{", "scans/web.json: unexpected EOF")

	// One of each platform, or one of the index.
	p.write(files{"scans/web.json": sarif(amd, now, "") + sarif(arm, now, "")})
	p.ok("apply", "--push")
	if got := s.digest(t, "shop/web:1"); got != index {
		t.Errorf("pushed %s, scanned %s", got, index)
	}
	p.write(files{"scans/web.json": sarif(index, now, strings.Replace(grave, "9.8", "8.9", 1))})
	wants(t, p.ok("apply", "--push").stdout, "up to date")

	// Another image is another digest.
	p.write(files{"image.hcl": strings.Replace(webSpec(s.host, ""), "hello", "hullo", 1)})
	p.fails(3, says("The image has no scan result", "What is there is of "+index), "apply", "--push")
	if got := s.digest(t, "shop/web:1"); got != index {
		t.Errorf("pushed %s all the same", got)
	}

	// Where all tags are excepted nothing is asked; one that is not asks.
	staging := strings.Replace(webSpec(s.host, ""), "/shop/web:1", "/staging/web:1", 1)
	p.write(files{"image.hcl": strings.Replace(staging, "hello", "hullo", 1)})
	p.ok("apply", "--push")
	p.write(files{"image.hcl": strings.Replace(p.read("image.hcl"), "/web:1\"", "/web:1\", \""+s.host+"/shop/web:2\"", 1)})
	p.fails(3, says("The image has no scan result"), "apply", "--push")
}

// TestScansOfImagesAreWaived holds that waivers and overrides are as of other
// rules, and that a stamp is nothing that a scan would see.
func TestScansOfImagesAreWaived(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	soft := strings.Replace(scannedBy("judge = [\"bases\", \"images\"]\n      files = [\"scans/*\"]"), "{", "{\n  enforcement = \"soft\"", 1)
	p := newProject(t, files{"specbuild.hcl": signedWorkspace, "acme.policy.hcl": soft, "image.hcl": webSpec(s.host, `stamp = { built = "today" }`)})
	p.fails(3, says("The image has no scan result"), "apply", "--push")
	waiver := `
waiver {
  rule    = "scan-evidence-fresh"
  address = "image.web"
  reason  = "it is new"
  owner   = "me"
  expires = "2090-12-31"
}
`
	p.write(files{"image.hcl": p.read("image.hcl") + waiver})
	// Before a push it cannot be said that the waiver sets nothing aside.
	for _, args := range [][]string{{"validate"}, {"plan"}, {"apply", "-o", "oci:out"}, {"apply", "--push"}} {
		if r := p.ok(args...); strings.Contains(r.stderr, "waiver") {
			t.Errorf("%q: %s", args, r.stderr)
		}
	}
	index, _ := manifestsIn(t, p, "out")
	if got := s.digest(t, "shop/web:1"); got == index {
		t.Error("the stamp was not written")
	}
	p.write(files{"scans/web.sarif": sarif(index, time.Now(), "")})
	wants(t, p.ok("apply", "--push").stderr, "The waiver sets nothing aside")

	p.write(files{"image.hcl": webSpec(s.host, ""), "scans/web.sarif": ""})
	r := p.ok("apply", "--push", "--override", "scan-evidence-fresh", "--reason", "the scanner is down")
	wants(t, r.stderr, "warning: The image has no scan result", "Set aside by --override: the scanner is down")
	p.ok("apply", "-o", "oci:third", "--override", "scan-evidence-fresh", "--reason", "the scanner is down")
	third, _ := manifestsIn(t, p, "third")
	if got := s.digest(t, "shop/web:1"); got != third || !strings.Contains(p.read("third/blobs/sha256/"+strings.TrimPrefix(third, "sha256:")), `"dev.specbuild.override.scan-evidence-fresh":"the scanner is down"`) {
		t.Errorf("the override is not in the image %s", got)
	}

	p.write(files{"acme.policy.hcl": strings.Replace(soft, `"images"`, `"image"`, 1)})
	p.fails(3, says("acme.policy.hcl:8:15", `judge: "image" is none of bases, images. Did you mean "images"?`), "validate")
	p.write(files{"acme.policy.hcl": strings.Replace(soft, `"bases", "images"`, "", 1)})
	p.fails(3, says("judge: the list is empty; it holds one or more of bases, images."), "validate")
}

// TestScansOfImagesInTheRegistry are attestations in the repository that an
// image goes to, where a pipeline has scanned it under another tag.
func TestScansOfImagesInTheRegistry(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	ours, theirs := newCosign(t), newCosign(t)
	p := newProject(t, files{
		"specbuild.hcl": signedWorkspace, "image.hcl": webSpec(s.host, ""),
		"acme.policy.hcl": scannedBy("judge = [\"images\"]\n      keys = [<<-EOT\n" + ours.public() + "EOT\n]"),
	})
	p.ok("apply", "-o", "oci:out")
	index, manifests := manifestsIn(t, p, "out")
	p.fails(3, says("The image has no scan result"), "apply", "--push")
	for _, tc := range []struct {
		att  mutate.Addendum
		says string
	}{
		{theirs.attestation(index, time.Now(), "LOW"), "none of the keys has signed it"},
		{ours.attestation(index, time.Now(), "CRITICAL"), "The scan result does not pass"},
	} {
		s.attach(t, "shop/web", index, ".att", tc.att)
		p.fails(3, says(tc.says, "image.hcl:2:1"), "apply", "--push")
	}
	for _, digest := range manifests {
		s.attach(t, "shop/web", digest, ".att", ours.attestation(digest, time.Now(), "LOW"))
	}
	s.attach(t, "shop/web", index, ".att", theirs.attestation(index, time.Now(), "CRITICAL"))
	p.ok("apply", "--push")
	if got := s.digest(t, "shop/web:1"); got != index {
		t.Errorf("pushed %s, scanned %s", got, index)
	}

	// A file needs a signature as well.
	p.write(files{"image.hcl": strings.Replace(webSpec(s.host, ""), "hello", "hullo", 1)})
	p.ok("apply", "-o", "oci:two")
	index, _ = manifestsIn(t, p, "two")
	p.write(files{
		"scans/web.json":  sarif(index, time.Now(), ""),
		"acme.policy.hcl": strings.Replace(p.read("acme.policy.hcl"), "judge =", "files = [\"scans/*\"]\n      judge =", 1),
	})
	p.fails(3, says("nobody has signed it"), "apply", "--push")
	p.write(files{"scans/web.json": ours.envelope(scanStatement(index, time.Now(), "LOW"))})
	p.ok("apply", "--push")
}
