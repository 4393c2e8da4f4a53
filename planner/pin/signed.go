package pin

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Signed is what proves who has made a base. It is kept as it was found and
// judged with every plan, by the keys of that day: a lock that was edited by
// hand proves nothing.
type Signed struct {
	// Index are the bytes whose digest Base.Digest is. A signature is of that
	// digest, and what is built on are manifests that the index lists. Empty
	// where there is no index.
	Index      string
	Signatures []Signature // of Base.Digest, as its repository had them
}

// Signature is one that somebody has made.
type Signature struct {
	Payload   string // the bytes that are signed, exactly
	Signature string // in base64
}

// Bytes is the signature itself; nil where the lock's text is no base64.
func (s Signature) Bytes() []byte {
	out, err := base64.StdEncoding.DecodeString(s.Signature)
	if err != nil {
		return nil
	}
	return out
}

// Linked says why the manifests are not known to be those that Digest stands
// for; nil is that they are.
func (b Base) Linked() error {
	if b.single() {
		return nil
	}
	if sum := sha256.Sum256([]byte(b.Signed.Index)); "sha256:"+hex.EncodeToString(sum[:]) != b.Digest {
		return fmt.Errorf("%s is not the digest of the index that the lock holds", b.Digest)
	}
	var doc struct {
		Manifests []struct {
			Digest string `json:"digest"`
		} `json:"manifests"`
	}
	if err := json.Unmarshal([]byte(b.Signed.Index), &doc); err != nil {
		return fmt.Errorf("read the index of a base: %w", err)
	}
	listed := map[string]bool{}
	for _, m := range doc.Manifests {
		listed[m.Digest] = true
	}
	for _, p := range slices.Sorted(maps.Keys(b.Manifests)) {
		if !listed[b.Manifests[p]] {
			return fmt.Errorf("the manifest of %s, %s, is none that the index %s lists", p, b.Manifests[p], b.Digest)
		}
	}
	return nil
}

// single reports whether there is no index.
func (b Base) single() bool {
	for _, digest := range b.Manifests {
		if digest != b.Digest {
			return false
		}
	}
	return true
}

// fingerprints tell signatures apart for people; nobody reads one.
func (s Signed) fingerprints() string {
	var out []string
	for _, x := range s.Signatures {
		sum := sha256.Sum256([]byte(x.Payload + "\x00" + x.Signature))
		out = append(out, hex.EncodeToString(sum[:6]))
	}
	return strings.Join(out, ", ")
}

// sorted puts signatures in one order: registries list them in the order of
// their making, or in any.
func (s Signed) sorted() Signed {
	s.Signatures = slices.Clone(s.Signatures)
	slices.SortFunc(s.Signatures, func(a, b Signature) int {
		return cmp.Or(cmp.Compare(a.Payload, b.Payload), cmp.Compare(a.Signature, b.Signature))
	})
	s.Signatures = slices.Compact(s.Signatures)
	return s
}

func (w *writer) signed(key string, s Signed) {
	if s.Index != "" {
		w.line(kindBase, key, noPlatform, "content", s.Index)
	}
	for i, x := range s.Signatures {
		w.line(kindBase, key, noPlatform, "signature", fmt.Sprintf("%03d", i), x.Payload, x.Signature)
	}
}
