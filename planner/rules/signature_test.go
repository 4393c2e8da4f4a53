package rules_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"github.com/specbuild/specbuild/planner/rules"
)

// signers are a key of each kind, with its public half as policies have it.
func signers(t *testing.T) map[string]crypto.Signer {
	t.Helper()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]crypto.Signer{"ecdsa": ec, "rsa": rs, "ed25519": ed}
}

func asPEM(t *testing.T, key crypto.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// sign makes what cosign makes.
func sign(t *testing.T, key crypto.Signer, payload string) rules.Signature {
	t.Helper()
	message, opts := []byte(payload), crypto.SignerOpts(crypto.Hash(0))
	if _, whole := key.(ed25519.PrivateKey); !whole {
		sum := sha256.Sum256(message)
		message, opts = sum[:], crypto.SHA256
	}
	sig, err := key.Sign(rand.Reader, message, opts)
	if err != nil {
		t.Fatal(err)
	}
	return rules.Signature{Payload: []byte(payload), Signature: sig}
}

func payload(digest string) string {
	return `{"critical":{"identity":{"docker-reference":"registry.example.com/base/go"},"image":{"docker-manifest-digest":"` + digest +
		`"},"type":"cosign container image signature"},"optional":null}`
}

// signing is the statement that cosign 3 signs for an image.
func signing(digest string) string {
	return `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"` + strings.TrimPrefix(digest, "sha256:") +
		`"},"annotations":{}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}`
}

// enveloped is what the signature of an envelope is of.
func enveloped(statement string) string {
	return fmt.Sprintf("DSSEv1 28 application/vnd.in-toto+json %d %s", len(statement), statement)
}

func TestSigned(t *testing.T) {
	t.Parallel()
	keys, others := signers(t), signers(t)
	for kind, key := range keys {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			public := asPEM(t, key.Public())
			good := sign(t, key, payload(digest('a')))
			foreign := sign(t, others[kind], payload(digest('a')))
			changed := rules.Signature{Payload: []byte(payload(digest('b'))), Signature: good.Signature}
			cut := rules.Signature{Payload: good.Payload, Signature: good.Signature[:len(good.Signature)-1]}
			for name, tc := range map[string]struct {
				signatures []rules.Signature
				keys       []string
				want       string // a part of the error; empty is signed
			}{
				"signed":                  {[]rules.Signature{good}, []string{public}, ""},
				"beside one of others":    {[]rules.Signature{foreign, good}, []string{public}, ""},
				"by one key of two":       {[]rules.Signature{good}, []string{asPEM(t, others[kind].Public()), public}, ""},
				"by another key":          {[]rules.Signature{foreign}, []string{public}, "none of the keys"},
				"a changed payload":       {[]rules.Signature{changed}, []string{public}, "none of the keys"},
				"a cut signature":         {[]rules.Signature{cut}, []string{public}, "none of the keys"},
				"no signature":            {nil, []string{public}, "there is no signature"},
				"an empty one":            {[]rules.Signature{{}}, []string{public}, "none of the keys"},
				"another image":           {[]rules.Signature{sign(t, key, payload(digest('b')))}, []string{public}, "another image"},
				"something else":          {[]rules.Signature{sign(t, key, `{"critical":{"type":"atomic container signature","image":{"docker-manifest-digest":"`+digest('a')+`"}}}`)}, []string{public}, "no image"},
				"no JSON":                 {[]rules.Signature{sign(t, key, "x")}, []string{public}, "no image"},
				"a statement":             {[]rules.Signature{sign(t, key, enveloped(signing(digest('a'))))}, []string{public}, ""},
				"of another image":        {[]rules.Signature{sign(t, key, enveloped(signing(digest('b'))))}, []string{public}, "another image"},
				"of somebody else":        {[]rules.Signature{sign(t, others[kind], enveloped(signing(digest('a'))))}, []string{public}, "none of the keys"},
				"about something else":    {[]rules.Signature{sign(t, key, enveloped(strings.Replace(signing(digest('a')), "cosign/sign/v1", "x", 1)))}, []string{public}, "no image"},
				"a wrong length":          {[]rules.Signature{sign(t, key, strings.Replace(enveloped(signing(digest('a'))), "DSSEv1 28", "DSSEv1 27", 1))}, []string{public}, "no image"},
				"a bare statement":        {[]rules.Signature{sign(t, key, signing(digest('a')))}, []string{public}, "no image"},
				"no key":                  {[]rules.Signature{good}, nil, "no key"},
				"a key that is none":      {[]rules.Signature{good}, []string{public, "cosign.pub"}, "key 2: this is no public key"},
				"a key of another kind":   {[]rules.Signature{good}, []string{strings.ReplaceAll(public, "PUBLIC", "PRIVATE")}, "no public key"},
				"a key with broken bytes": {[]rules.Signature{good}, []string{string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")}))}, "reading the public key"},
			} {
				err := rules.Signed(digest('a'), tc.signatures, tc.keys)
				switch {
				case tc.want == "" && err != nil:
					t.Errorf("%s: %v", name, err)
				case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
					t.Errorf("%s: %v, not %q", name, err, tc.want)
				}
			}
		})
	}
}
