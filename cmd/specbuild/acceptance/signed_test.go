//go:build linux

package acceptance

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// cosign is a key pair that signs as `cosign sign --key` does.
type cosign struct {
	t   testing.TB
	key *ecdsa.PrivateKey
}

func newCosign(t testing.TB) cosign {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return cosign{t, key}
}

// public is what `cosign public-key` prints.
func (c cosign) public() string {
	c.t.Helper()
	der, err := x509.MarshalPKIXPublicKey(c.key.Public())
	if err != nil {
		c.t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func (c cosign) sign(text string) string {
	c.t.Helper()
	sum := sha256.Sum256([]byte(text))
	sig, err := ecdsa.SignASN1(rand.Reader, c.key, sum[:])
	if err != nil {
		c.t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(sig)
}

// signature is a layer as cosign makes it for an image of a digest.
func (c cosign) signature(repo, digest string) mutate.Addendum {
	text := fmt.Sprintf(`{"critical":{"identity":{"docker-reference":%q},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, repo, digest)
	return mutate.Addendum{
		Layer:       static.NewLayer([]byte(text), "application/vnd.dev.cosign.simplesigning.v1+json"),
		Annotations: map[string]string{"dev.cosignproject.cosign/signature": c.sign(text)},
	}
}

// attach puts layers beside the image of a digest.
func (s *server) attach(t testing.TB, repo, digest, suffix string, layers ...mutate.Addendum) {
	t.Helper()
	img, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), layers...)
	if err != nil {
		t.Fatal(err)
	}
	s.put(t, repo+":"+strings.Replace(digest, ":", "-", 1)+suffix, img)
}

// putIndex pushes an image as an index of one platform.
func (s *server) putIndex(t testing.TB, tag string, img v1.Image) {
	t.Helper()
	idx := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{
		Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: runtime.GOARCH}},
	})
	ref, err := name.ParseReference(s.host + "/" + tag)
	if err == nil {
		err = remote.WriteIndex(ref, idx)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// signedBy is a policy that wants bases to be signed by these keys.
func signedBy(keys ...cosign) string {
	var list strings.Builder
	for _, k := range keys {
		fmt.Fprintf(&list, "<<-EOT\n%sEOT\n,\n", k.public())
	}
	return `policy "acme" {
  enforcement = "hard"
  grade = {
    "base-signature-verified" = {
      severity = "error"
      except   = ["docker.io/library/"]
      keys     = [` + list.String() + `]
    }
  }
}
`
}

const signedWorkspace = `workspace {
  policy = ["//acme.policy.hcl"]
}
`

func TestBasesAreSignedByAKeyOfThePolicy(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	s.putIndex(t, "base/os:1", baseOf(t, file("usr/bin/tool", "tool"), link("bin", "usr/bin")))
	digest := s.digest(t, "base/os:1")
	ours, theirs := newCosign(t), newCosign(t)
	p := newProject(t, files{"specbuild.hcl": "", "image.hcl": baseSpec(s.host+"/base/os:1", "")})

	// Without a policy nobody is asked for signatures.
	p.ok("lock")
	if asked := s.asked(".sig"); len(asked) > 0 {
		t.Errorf("asked %q", asked)
	}

	// A lock from before the policy has none; what `lock` asks for is not there.
	p.write(files{"specbuild.hcl": signedWorkspace, "acme.policy.hcl": signedBy(ours)})
	p.fails(3, says("error: The base is not signed [base-signature-verified]", "image.hcl:3:11", "specbuild lock"), "plan")
	if asked := s.asked(".sig"); len(asked) > 0 {
		t.Errorf("plan asked %q", asked)
	}
	r := p.ok("lock")
	wants(t, r.stderr, "warning: The base is not signed", s.host+"/base/os:1 at "+digest)
	wants(t, r.stdout, "up to date")
	p.fails(3, says("The base is not signed"), "apply", "--locked", "-o", "oci:out")
	absent(t, p.path("out"))

	// By another key, or of another image.
	s.attach(t, "base/os", digest, ".sig", theirs.signature("base/os", digest))
	wants(t, p.ok("lock").stdout, "base/os:1 signed")
	p.fails(3, says("The base's signature does not hold", "none of the keys has signed it", "lock --upgrade=os"), "plan")
	other := "sha256:" + strings.Repeat("0", 64)
	s.attach(t, "base/os", digest, ".sig", ours.signature("base/os", other))
	p.ok("lock", "--upgrade=os")
	p.fails(3, says("The base's signature does not hold", other), "apply", "--locked", "-o", "oci:out")

	// Signed, it is built, and planned where there is no network.
	s.attach(t, "base/os", digest, ".sig", theirs.signature("base/os", digest), ours.signature("base/os", digest))
	p.ok("lock", "--upgrade=os")
	wants(t, p.ok("lock").stdout, "up to date")
	p.ok("apply", "--locked", "-o", "oci:out")
	s.Close()
	p.again().ok("plan", "--locked")
	good := p.read("specbuild.lock")

	// The keys are those of today.
	p.write(files{"acme.policy.hcl": signedBy(newCosign(t))})
	p.fails(3, says("The base's signature does not hold"), "validate")
	p.write(files{"acme.policy.hcl": signedBy(newCosign(t), ours)})
	p.ok("validate")

	// A lock that was edited by hand is not what was signed.
	manifest := manifestLine(t, good)
	for name, edit := range map[string]struct{ lock, says string }{
		"the digest of the index":    {strings.Replace(good, " index "+digest, " index "+other, 1), "The lock holds another base"},
		"the same, also as signed":   {strings.ReplaceAll(good, digest, other), "The lock holds another base"},
		"the digest of the manifest": {strings.Replace(good, " manifest "+manifest, " manifest "+other, 1), "The lock holds another base"},
		"the same, also as listed":   {strings.ReplaceAll(good, manifest, other), "The lock holds another base"},
		"what was signed":            {strings.ReplaceAll(good, "cosign container", "container"), "none of the keys"},
		"no signature":               {withoutLines(good, " signature "), "The base is not signed"},
		"no index":                   {withoutLines(good, " content "), "The lock holds another base"},
	} {
		p.write(files{"specbuild.lock": edit.lock})
		if r := p.run("validate", "--locked"); r.code != 3 || !strings.Contains(r.stderr, edit.says) || !strings.Contains(r.stderr, "[base-signature-verified]") {
			t.Errorf("%s: exit %d, want %q:\n%s\nof\n%s", name, r.code, edit.says, r.all(), edit.lock)
		}
	}
}

// manifestLine is the digest of the one manifest of a lock.
func manifestLine(t testing.TB, lock string) string {
	t.Helper()
	_, rest, ok := strings.Cut(lock, " manifest ")
	if !ok {
		t.Fatalf("no manifest in\n%s", lock)
	}
	digest, _, _ := strings.Cut(rest, "\n")
	return digest
}

func withoutLines(text, part string) string {
	var out []string
	for _, line := range strings.SplitAfter(text, "\n") {
		if !strings.Contains(line, part) {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

func TestSignaturesWithoutALock(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	s.putIndex(t, "base/os:1", baseOf(t, file("usr/bin/tool", "tool"), link("bin", "usr/bin")))
	ours := newCosign(t)
	p := newProject(t, files{
		"specbuild.hcl": signedWorkspace, "acme.policy.hcl": signedBy(ours), "image.hcl": baseSpec(s.host+"/base/os:1", ""),
	})
	p.fails(3, says("The base is not signed"), "apply", "-o", "oci:out")
	absent(t, p.path("out"))
	p.must(os.Remove(p.path("specbuild.lock")))
	digest := s.digest(t, "base/os:1")
	s.attach(t, "base/os", digest, ".sig", ours.signature("base/os", digest))
	p.ok("apply", "-o", "oci:out")
	wants(t, p.read("specbuild.lock"), "base "+s.host+"/base/os:1 - signature 000 ")

	// A policy of the command line: `lock` is told of it.
	q := newProject(t, files{"key.policy.hcl": signedBy(ours), "image.hcl": baseSpec(s.host+"/base/os:1", "")})
	q.ok("lock")
	q.fails(3, says("The base is not signed"), "plan", "--policy", "key.policy.hcl")
	q.ok("lock", "--policy", "key.policy.hcl")
	q.ok("plan", "--policy", "key.policy.hcl")

	// A key that is none is told where it stands.
	p.write(files{"acme.policy.hcl": strings.Replace(signedBy(ours), "PUBLIC KEY", "PRIVATE KEY", 2)})
	p.fails(3, says("acme.policy.hcl:7:", "keys: key 1: this is no public key in PEM"), "plan")
}
