package rules

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Signature is one that cosign has made of an image: in the form "simple
// signing" (cosign, SIGNATURE_SPEC.md), or, since cosign 3, of a statement in
// an envelope (cosign, BUNDLE_SPEC.md).
type Signature struct {
	Payload   []byte // what is signed, exactly: JSON, or DSSE's encoding of a statement
	Signature []byte
}

// simpleSigning is what of a payload is judged. Its reference is where the
// image was when it was signed: a mirror of it is the same image.
type simpleSigning struct {
	Critical struct {
		Type  string `json:"type"`
		Image struct {
			Digest string `json:"docker-manifest-digest"`
		} `json:"image"`
	} `json:"critical"`
}

// simpleSigningType is what cosign's payloads say that they are.
const simpleSigningType = "cosign container image signature"

// Signed reports whether one of the signatures is of this digest by one of the
// keys, which are public and in PEM: ECDSA, RSA (PKCS #1 v1.5) or Ed25519, the
// kinds that cosign makes, over SHA-256. The error says why none is, or that a
// key cannot be read, which is never passed over: a misspelt one would let
// nothing, or with others beside it too little, be wrong.
func Signed(digest string, signatures []Signature, keys []string) error {
	public, err := publicKeys(keys)
	if err != nil {
		return err
	}
	if len(signatures) == 0 {
		return errors.New("there is no signature")
	}
	reason := errors.New("none of the keys has signed it")
	for _, s := range signatures {
		if !signedByAny(s, public) {
			continue
		}
		switch of := s.images(); {
		case len(of) == 0:
			reason = errors.New("what is signed is no image")
		case !slices.Contains(of, digest):
			reason = fmt.Errorf("what is signed is another image, %q", of[0])
		default:
			return nil
		}
	}
	return reason
}

// signPredicate is what a statement is about that signs an image.
const signPredicate = "https://sigstore.dev/cosign/sign/v1"

// images are the digests that a signature is of; none if it is of something
// else.
func (s Signature) images() []string {
	if text, ok := enveloped(s.Payload); ok {
		var st statement
		if json.Unmarshal(text, &st) != nil || !strings.HasPrefix(st.Type, statementPrefix) || st.PredicateType != signPredicate {
			return nil
		}
		return st.digests()
	}
	var p simpleSigning
	if json.Unmarshal(s.Payload, &p) != nil || p.Critical.Type != simpleSigningType || p.Critical.Image.Digest == "" {
		return nil
	}
	return []string{p.Critical.Image.Digest}
}

// enveloped is the statement in what an envelope's signature is of.
func enveloped(signed []byte) ([]byte, bool) {
	_, rest, ok := bytes.Cut(signed, []byte(" "+inTotoType+" "))
	_, text, ok2 := bytes.Cut(rest, []byte(" "))
	return text, ok && ok2 && bytes.Equal(signed, encoded(inTotoType, text))
}

// encoded is what an envelope's signature is of (DSSE v1, protocol.md, PAE).
func encoded(kind string, payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(kind), kind, len(payload), payload)
}

// CheckKeys says which of the keys of a policy cannot be judged by, and why.
func CheckKeys(keys []string) error {
	_, err := publicKeys(keys)
	return err
}

func publicKeys(keys []string) (verifiers, error) {
	if len(keys) == 0 {
		return nil, errors.New("there is no key to judge by")
	}
	var out verifiers
	for i, text := range keys {
		key, err := publicKey(text)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		out = append(out, key)
	}
	return out, nil
}

func publicKey(text string) (crypto.PublicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil, errors.New("this is no public key in PEM (-----BEGIN PUBLIC KEY-----)")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading the public key: %w", err)
	}
	switch key.(type) {
	case *ecdsa.PublicKey, *rsa.PublicKey, ed25519.PublicKey:
		return key, nil
	}
	return nil, fmt.Errorf("a key of the kind %T cannot be judged by; take ECDSA, RSA or Ed25519", key)
}

// verifiers are public keys that were read.
type verifiers []crypto.PublicKey

func signedByAny(s Signature, keys verifiers) bool {
	sum := sha256.Sum256(s.Payload)
	for _, key := range keys {
		switch k := key.(type) {
		case *ecdsa.PublicKey:
			if ecdsa.VerifyASN1(k, sum[:], s.Signature) {
				return true
			}
		case *rsa.PublicKey:
			if rsa.VerifyPKCS1v15(k, crypto.SHA256, sum[:], s.Signature) == nil {
				return true
			}
		case ed25519.PublicKey: // hashes by itself
			if ed25519.Verify(k, s.Payload, s.Signature) {
				return true
			}
		}
	}
	return false
}
