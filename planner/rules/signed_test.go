package rules_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/specbuild/specbuild/planner/pin"
	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// signer is a key that signs bases as cosign does.
type signer struct {
	key    *ecdsa.PrivateKey
	public string // in PEM
}

func newSigner() signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // there is no randomness, and no test to fail
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		panic(err)
	}
	return signer{key, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}
}

// trusted is the key that policies of tests name, stranger one that none does.
var (
	trusted  = sync.OnceValue(newSigner)
	stranger = sync.OnceValue(newSigner)
)

// sign adds a signature of the base.
func (s signer) sign(b *pin.Base) { s.signOf(b, payload(b.Digest)) }

func (s signer) signOf(b *pin.Base, text string) {
	sum := sha256.Sum256([]byte(text))
	sig, err := ecdsa.SignASN1(rand.Reader, s.key, sum[:])
	if err != nil {
		panic(err)
	}
	b.Signed.Signatures = append(b.Signed.Signatures, pin.Signature{Payload: text, Signature: base64.StdEncoding.EncodeToString(sig)})
}

// linked gives a base an index that lists its manifests.
func linked(b pin.Base) pin.Base {
	type descriptor struct {
		Digest string `json:"digest"`
	}
	var doc struct {
		Manifests []descriptor `json:"manifests"`
	}
	for _, p := range slices.Sorted(maps.Keys(b.Manifests)) {
		doc.Manifests = append(doc.Manifests, descriptor{b.Manifests[p]})
	}
	text, err := json.Marshal(doc)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(text)
	b.Signed.Index, b.Digest = string(text), "sha256:"+hex.EncodeToString(sum[:])
	return b
}

func TestBaseSignatureVerified(t *testing.T) {
	t.Parallel()
	grade := rules.Grade{
		Set: true, Severity: diag.Error,
		Lists: map[string][]string{"keys": {trusted().public}, "except": {"docker.io/library/", "ghcr.io/acme/tools", "layout:vendor"}},
	}
	name := func(s string) string { return `image = «"registry.example.com/base/` + s + `:1"»` }
	plain := func(s string) string { return strings.NewReplacer("«", "", "»", "").Replace(name(s)) }
	copied := `base "b" {
  ` + name("root") + `
}
image "web" {
  from = scratch
  run_as = "1"
  copy {
    from = base.b
    source = "/bin/x"
    to = "/bin/x"
  }
}
`
	cases{
		grade: grade,
		signed: map[string]func(*pin.Base){
			"signed":  trusted().sign,
			"nonroot": stranger().sign,
			"zero":    func(b *pin.Base) { trusted().signOf(b, payload(digest('a'))) }, // of another image
			"web":     func(b *pin.Base) { stranger().sign(b); trusted().sign(b) },
			"healthy": func(b *pin.Base) { // the manifest was put in by hand
				trusted().sign(b)
				b.Manifests["linux/amd64"] = digest('e')
			},
			"ssh": func(b *pin.Base) { // so was the digest
				trusted().sign(b)
				b.Digest = digest('e')
			},
			"debian": func(b *pin.Base) { // so was the payload
				trusted().sign(b)
				b.Signed.Signatures[0].Payload = payload(digest('e'))
				b.Digest = digest('e')
				b.Manifests = map[string]string{"linux/amd64": digest('e')}
			},
			"onbuild": func(b *pin.Base) { // and a signature that is no base64
				trusted().sign(b)
				b.Signed.Signatures[0].Signature = "?"
			},
		},
		also: []string{"base-no-onbuild-triggers", "final-user-non-root", "port-no-ssh", "port-unprivileged"},
		fires: []string{
			built(name("root")), built(name("nonroot")), built(name("zero")), built(name("healthy")),
			built(name("ssh")), built(name("debian")), built(name("onbuild")), copied,
			built(`image = «"ghcr.io/acme/toolsmith:1"»`), // no part of a name
			built(`layout = «"oci"»`), built(`layout = «"vendored"»`),
			strings.ReplaceAll(built(name("root")), "image \"web\" {", "image \"web\" {\n  platforms = [\"linux/amd64\", \"linux/arm64\"]"),
		},
		quiet: []string{
			built(plain("signed")), built(plain("web")),
			built(plain("signed") + "\n  digest = \"" + scanned() + `"`),
			built(`image = "root:1"`), built(`image = "ghcr.io/acme/tools:1"`), built(`image = "ghcr.io/acme/tools/root:1"`),
			built(`layout = "vendor/oci"`),
			`base "unused" {
  image = "registry.example.com/base/root:1"
}
` + whole(""),
			whole(""),
		},
		files:    map[string]string{"oci/oci-layout": "{}", "vendored/oci-layout": "{}", "vendor/oci/oci-layout": "{}"},
		severity: diag.Error, release: diag.Error,
	}.run(t, "base-signature-verified")
	// Without a policy nobody has to sign, and without a lock nothing is known.
	cases{quiet: []string{built(plain("root")), built(plain("nonroot"))}}.run(t, "base-signature-verified")
	cases{grade: grade, unlocked: true, quiet: []string{built(plain("root"))}}.run(t, "base-signature-verified")
}

// TestWhatIsWrongWithASignatureIsTold holds each finding to its own words.
func TestWhatIsWrongWithASignatureIsTold(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		sign          func(*pin.Base)
		keys          []string
		summary, says string
	}{
		"none":        {nil, []string{trusted().public}, "The base is not signed", "Run `specbuild lock`"},
		"another key": {stranger().sign, []string{trusted().public}, "The base's signature does not hold", "none of the keys has signed it"},
		"another image": {func(b *pin.Base) { trusted().signOf(b, payload(digest('f'))) }, []string{trusted().public},
			"The base's signature does not hold", "another image, \"" + digest('f')},
		"another manifest": {func(b *pin.Base) { trusted().sign(b); b.Manifests["linux/arm64"] = digest('f') }, []string{trusted().public},
			"The lock holds another base", "linux/arm64, " + digest('f')},
		"another index": {func(b *pin.Base) { trusted().sign(b); b.Signed.Index += " " }, []string{trusted().public},
			"The lock holds another base", "lock --upgrade=b"},
	} {
		j := judgement{
			grades: map[string]rules.Grade{"base-signature-verified": of("keys", tc.keys...)},
			signed: map[string]func(*pin.Base){"signed": tc.sign},
		}
		ds := j.judge(t, built(`image = "registry.example.com/base/signed:1"`))
		if len(ds) != 1 || ds[0].Summary != tc.summary || !strings.Contains(ds[0].Detail, tc.says) || ds[0].Severity != diag.Error {
			t.Errorf("%s: %+v", name, ds)
		}
	}
}

func TestAsksSigned(t *testing.T) {
	t.Parallel()
	on := map[string]rules.Grade{"base-signature-verified": {Lists: map[string][]string{"keys": {trusted().public}, "except": {"quay.io/acme"}}}}
	off := map[string]rules.Grade{"base-signature-verified": {Off: true, Lists: map[string][]string{"keys": {trusted().public}}}}
	for name, want := range map[string]bool{"docker.io/library/debian:13": true, "quay.io/acme/x:1": false, "quay.io/acmes/x:1": true} {
		if got := rules.AsksSigned(on, name); got != want {
			t.Errorf("%s: %v", name, got)
		}
		if rules.AsksSigned(off, name) || rules.AsksSigned(nil, name) {
			t.Errorf("%s is asked for by nobody", name)
		}
	}
}

func TestUnsignedNamesTheBase(t *testing.T) {
	t.Parallel()
	d := rules.Unsigned(spec.Addr{Module: "//", Kind: spec.KindBase, Name: "os"}, "quay.io/acme/os:1", digest('a'), diag.Range{File: "image.hcl"})
	if d.Code != "base-signature-verified" || d.Severity != diag.Warning || !strings.Contains(d.Detail, "base.os, quay.io/acme/os:1 at "+digest('a')) {
		t.Errorf("%+v", d)
	}
}
