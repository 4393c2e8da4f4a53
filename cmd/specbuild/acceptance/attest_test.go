//go:build linux

package acceptance

import (
	"encoding/json"
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// statementsOf are the statements that a registry has about an image, by
// predicate type, as somebody else's code finds them.
func statementsOf(t *testing.T, ref name.Digest) map[string][]byte {
	t.Helper()
	list, err := remote.Referrers(ref)
	if err != nil {
		t.Fatal(err)
	}
	m, err := list.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, d := range m.Manifests {
		img, err := remote.Image(ref.Context().Digest(d.Digest.String()))
		if err != nil {
			t.Fatal(err)
		}
		layers, err := img.Layers()
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := img.Manifest()
		if err != nil {
			t.Fatal(err)
		}
		// The manifest's own: the list of one registry here has that of its config.
		raw, err := img.RawManifest()
		if err != nil || !strings.Contains(string(raw), `"artifactType":"application/vnd.in-toto+json"`) {
			t.Errorf("%v, a referrer of another type: %s", err, raw)
		}
		for i, l := range layers {
			r, err := l.Compressed()
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			out[parsed.Layers[i].Annotations["in-toto.io/predicate-type"]] = data
		}
	}
	return out
}

// platforms are the manifests that a tag's index has.
func platforms(t *testing.T, tag string) (name.Repository, []v1.Descriptor) {
	t.Helper()
	ref, err := name.ParseReference(tag)
	if err != nil {
		t.Fatal(err)
	}
	idx, err := remote.Index(ref)
	if err != nil {
		t.Fatal(err)
	}
	m, err := idx.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	return ref.Context(), m.Manifests
}

// TestWhatIsPushedIsAttested in a registry that has an API for referrers, and
// in one that has not.
func TestWhatIsPushedIsAttested(t *testing.T) {
	t.Parallel()
	modern := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(modern.Close)
	for what, host := range map[string]string{"with an API": strings.TrimPrefix(modern.URL, "http://"), "without": newServer(t, nil).host} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			p := newProject(t, files{"image.hcl": webSpec(host, "")})
			wants(t, p.ok("apply", "--push").all(), "attached a bill of materials and the provenance for linux/arm64")
			repo, images := platforms(t, host+"/shop/web:1")
			if len(images) != 2 {
				t.Fatalf("the index has %d images: statements are none of them", len(images))
			}
			for _, img := range images {
				got := statementsOf(t, repo.Digest(img.Digest.String()))
				for _, predicate := range []string{"https://spdx.dev/Document/v2.3", "https://slsa.dev/provenance/v1"} {
					var s struct {
						Subject []struct{ Digest map[string]string }
					}
					if err := json.Unmarshal(got[predicate], &s); err != nil || len(s.Subject) != 1 || s.Subject[0].Digest["sha256"] != img.Digest.Hex {
						t.Errorf("%s of %s is %s", predicate, img.Digest, got[predicate])
					}
				}
			}
			absent := p.ok("apply", "--push").all()
			if strings.Contains(absent, "attached") {
				t.Errorf("it was attached again:\n%s", absent)
			}
		})
	}
}

// TestAttestationsAreTurnedOffByAFlag, which a rule tells, and which are made
// up for by the next push.
func TestAttestationsAreTurnedOffByAFlag(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	p := newProject(t, files{"image.hcl": webSpec(s.host, "")})
	r := p.ok("apply", "--push", "--attest=false")
	wants(t, r.stderr, "Pushed without attestations", "attestations-on", "image.hcl:2")
	repo, images := platforms(t, s.host+"/shop/web:1")
	if got := statementsOf(t, repo.Digest(images[0].Digest.String())); len(got) > 0 {
		t.Errorf("it was attested: %v", got)
	}
	wants(t, p.ok("apply", "--push").all(), "up to date", "attached")
	if got := statementsOf(t, repo.Digest(images[0].Digest.String())); len(got) != 2 {
		t.Errorf("%d statements", len(got))
	}
}

// TestAStampedImageIsAttested: one platform's stamp is in the manifest itself.
func TestAStampedImageIsAttested(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	one := strings.Replace(webSpec(s.host, `stamp = { "org.opencontainers.image.revision" = "8f1d4c3" }`), `, "linux/arm64"`, "", 1)
	p := newProject(t, files{"image.hcl": one})
	p.ok("apply", "--push")
	ref, err := name.ParseReference(s.host + "/shop/web:1")
	p.must(err)
	if got := statementsOf(t, ref.Context().Digest(s.digest(t, "shop/web:1"))); len(got) != 2 {
		t.Errorf("%d statements", len(got))
	}
	s.asked("")
	wants(t, p.ok("apply", "--push").stdout, "up to date")
	if sent := s.asked("PUT "); len(sent) > 0 {
		t.Errorf("the second push sent %q", sent)
	}
}

// TestAttestationsAreWritten as scanners and signers take them.
func TestAttestationsAreWritten(t *testing.T) {
	t.Parallel()
	p := newShellProject(t, onShell(`
  file {
    path    = "/var/lib/dpkg/status"
    content = "Package: tool\nStatus: install ok installed\nVersion: 1.2-3\nArchitecture: all\n"
  }`))
	for range 2 { // the second is from what is remembered
		p.ok("apply", "-o", "attest:said")
		sbom, provenance := p.read("said/app-linux-amd64.spdx.json"), p.read("said/app-linux-amd64.provenance.json")
		wants(t, sbom, `"spdxVersion":"SPDX-2.3"`, `"pkg:deb/debian/tool@1.2-3?arch=all"`)
		wants(t, provenance, `"buildType":"https://github.com/specbuild/specbuild/`, `"network":"none"`)
	}
}

// TestAStatementHoldsNoSecret: the folder of a context is told in the
// provenance, and may be called as no folder should.
func TestAStatementHoldsNoSecret(t *testing.T) {
	t.Parallel()
	const folder = "hush-4f9Ae27bQx0"
	tree := withSecret(`
  run {
    mount "secret" {
      secret = secret.token
    }
    script = "echo hello > /hello"
  }
  copy {
    from   = context.odd
    source = "x"
    to     = "/x"
  }`)
	tree["token.secret"] = folder
	tree[folder+"/x"] = "x"
	tree["image.hcl"] = "context \"odd\" {\n  path = \"./" + folder + "\"\n}\n" + tree["image.hcl"]
	p := newShellProject(t, tree)
	r := p.fails(1, says("statement"), "apply", "-o", "attest:said", "-o", "oci:out")
	if strings.Contains(strings.ReplaceAll(r.stderr, "/"+folder, ""), folder) {
		t.Errorf("the value is told:\n%s", r.stderr)
	}
	absent(t, p.path("said"))
	absent(t, p.path("out"))
}
