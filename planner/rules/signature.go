package rules

import (
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
)

// Signature is one that cosign has made of an image: the bytes of a layer of
// the image under the tag sha256-<digest>.sig, and that layer's annotation
// dev.cosignproject.cosign/signature, decoded (cosign, SIGNATURE_SPEC.md).
type Signature struct {
	Payload   []byte // what is signed: JSON in the form "simple signing"
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
		var p simpleSigning
		switch err := json.Unmarshal(s.Payload, &p); {
		case err != nil || p.Critical.Type != simpleSigningType:
			reason = errors.New("what is signed is no image")
		case p.Critical.Image.Digest != digest:
			reason = fmt.Errorf("what is signed is another image, %q", p.Critical.Image.Digest)
		default:
			return nil
		}
	}
	return reason
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
