package pin

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// index lists the manifests of the sample, as registries send it: with line
// ends and quotes in it.
var index = "{\n  \"manifests\": [\n    {\"digest\": \"" + digest("b") + "\"},\n    {\"digest\": \"" + digest("c") + "\"}\n  ]\n}"

func sum(text string) string {
	s := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(s[:])
}

func signature(payload string) Signature {
	return Signature{Payload: payload, Signature: base64.StdEncoding.EncodeToString([]byte("signature of " + payload))}
}

// signedWorld is a registry whose base has an index and two signatures.
func signedWorld() *world {
	return &world{
		index: Index{Digest: sum(index), MediaType: "m", Manifests: map[string]string{"linux/amd64": digest("b"), "linux/arm64": digest("c")}},
		signs: Signed{Index: index, Signatures: []Signature{signature(`{"b": "2"}`), signature("{\"a\"}\n\xff"), signature(`{"b": "2"}`)}},
		names: []string{"nginx"},
	}
}

func signedNeeds() Needs {
	n := needs()
	n.Bases[0].Signed = true
	return n
}

func TestSignaturesAreLockedWhereTheyAreAskedFor(t *testing.T) {
	t.Parallel()
	w := signedWorld()
	plain, _, ds := Update(t.Context(), Lock{}, needs(), w.resolvers(), UpgradePolicy{})
	if len(ds) > 0 || w.asked["signed"] != 0 || strings.Contains(string(plain.Encode()), "signature") {
		t.Fatalf("nobody asked for signatures: %v %v", ds, w.asked)
	}
	l, changes, ds := Update(t.Context(), plain, signedNeeds(), w.resolvers(), UpgradePolicy{})
	if len(ds) > 0 || w.asked["signed"] != 1 || w.asked["resolve"] != 1 || w.asked["facts"] != 1 {
		t.Fatalf("%v, asked %v", ds, w.asked)
	}
	if len(changes) != 1 || changes[0].What != "base "+debian+" signed" || changes[0].Old != "" {
		t.Errorf("changes %v", changes)
	}
	want := Signed{Index: index, Signatures: []Signature{signature("{\"a\"}\n\xff"), signature(`{"b": "2"}`)}}
	back := parse(t, l.Encode())
	if d := cmp.Diff(want, back.Bases[debian].Signed); d != "" || !bytes.Equal(back.Encode(), l.Encode()) {
		t.Errorf("read back (-want +got):\n%s", d)
	}
	if err := back.Bases[debian].Linked(); err != nil {
		t.Error(err)
	}

	// They are kept, asked for anew with the base, and leave with the policy.
	_, changes, _ = Update(t.Context(), back, signedNeeds(), w.resolvers(), UpgradePolicy{})
	if len(changes) > 0 || w.asked["signed"] != 1 {
		t.Errorf("asked again: %v %v", changes, w.asked)
	}
	w.signs.Signatures = w.signs.Signatures[:1]
	up, changes, _ := Update(t.Context(), back, signedNeeds(), w.resolvers(), UpgradePolicy{Names: []string{"os"}})
	if len(changes) != 1 || len(up.Bases[debian].Signed.Signatures) != 1 || len(back.Bases[debian].Signed.Signatures) != 2 {
		t.Errorf("upgraded: %v", changes)
	}
	if kept := back.Only(signedNeeds()); len(kept.Bases[debian].Signed.Signatures) != 2 {
		t.Error("what is needed left the lock")
	}
	if left := back.Only(needs()); !cmp.Equal(left.Bases[debian].Signed, Signed{}) {
		t.Errorf("nobody needs %v", left.Bases[debian].Signed)
	}
}

// TestAnUnsignedBaseIsAskedForAgain: it may be signed after it was locked.
func TestAnUnsignedBaseIsAskedForAgain(t *testing.T) {
	t.Parallel()
	w := signedWorld()
	signs := w.signs
	w.signs = Signed{}
	l, _, ds := Update(t.Context(), Lock{}, signedNeeds(), w.resolvers(), UpgradePolicy{})
	if len(ds) > 0 || strings.Contains(string(l.Encode()), "signature") {
		t.Fatalf("%v\n%s", ds, l.Encode())
	}
	w.signs = signs
	l, changes, _ := Update(t.Context(), l, signedNeeds(), w.resolvers(), UpgradePolicy{})
	if len(changes) != 1 || len(l.Bases[debian].Signed.Signatures) != 2 || w.asked["signed"] != 2 || w.asked["resolve"] != 1 {
		t.Errorf("%v, asked %v", changes, w.asked)
	}
	w.index.Digest, w.err = digest("9"), nil
	w.signs = Signed{}
	l, _, _ = Update(t.Context(), l, signedNeeds(), w.resolvers(), UpgradePolicy{All: true})
	if got := l.Bases[debian].Signed; !cmp.Equal(got, Signed{}) {
		t.Errorf("a base that was rolled forward has the signatures of the old one: %v", got)
	}
}

func TestSignaturesThatCannotBeReadAreToldAtTheBase(t *testing.T) {
	t.Parallel()
	w := signedWorld()
	l, _, _ := Update(t.Context(), Lock{}, needs(), w.resolvers(), UpgradePolicy{})
	w.err = errors.New("the registry refused (403)")
	_, changes, ds := Update(t.Context(), l, signedNeeds(), w.resolvers(), UpgradePolicy{})
	if len(ds) != 1 || ds[0].Range != at || !strings.Contains(ds[0].Detail, "read the signatures: the registry refused (403)") || len(changes) > 0 {
		t.Errorf("%v %v", ds, changes)
	}
}

func TestABaseWithoutAnIndexNeedsNone(t *testing.T) {
	t.Parallel()
	w := signedWorld()
	w.index = Index{Digest: digest("b"), MediaType: "m", Manifests: map[string]string{"linux/amd64": digest("b")}}
	l, _, ds := Update(t.Context(), Lock{}, signedNeeds(), w.resolvers(), UpgradePolicy{})
	b := l.Bases[debian]
	if len(ds) > 0 || b.Signed.Index != "" || len(b.Signed.Signatures) != 2 || b.Linked() != nil {
		t.Errorf("%v %+v %v", ds, b.Signed, b.Linked())
	}
}

func TestWhatTheIndexDoesNotListIsNotLinked(t *testing.T) {
	t.Parallel()
	good := Base{Digest: sum(index), Manifests: map[string]string{"linux/amd64": digest("b"), "linux/arm64": digest("c")}, Signed: Signed{Index: index}}
	if err := good.Linked(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Base){
		"linux/arm64, " + digest("d"): func(b *Base) { b.Manifests = map[string]string{"linux/amd64": digest("b"), "linux/arm64": digest("d")} },
		"is not the digest of":        func(b *Base) { b.Digest = digest("a") },
		"not the digest of the index": func(b *Base) { b.Signed.Index = "" },
		"read the index of a base":    func(b *Base) { b.Signed.Index, b.Digest = "x", sum("x") },
	} {
		b := good
		change(&b)
		if err := b.Linked(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}

func TestDamagedLinesOfSignatures(t *testing.T) {
	t.Parallel()
	l, _, _ := Update(t.Context(), Lock{}, signedNeeds(), signedWorld().resolvers(), UpgradePolicy{})
	good := strings.Split(string(l.Encode()), "\n")
	line := slices.IndexFunc(good, func(s string) bool { return strings.Contains(s, " signature 000 ") })
	for name, want := range map[string]string{"cut": "2 values", "other": "said otherwise", "gone": "lacks one of its numbered signatures"} {
		lines := slices.Clone(good)
		switch name {
		case "cut":
			lines[line] = lines[line][:strings.LastIndexByte(lines[line], ' ')]
		case "other":
			lines = slices.Insert(lines, line, strings.Replace(lines[line], "{", "[", 1))
		case "gone":
			lines = slices.Delete(lines, line, line+1)
		}
		if _, ds := Parse(FileName, []byte(strings.Join(lines, "\n"))); len(ds) != 1 || !strings.Contains(ds[0].Detail, want) {
			t.Errorf("%s: %v; want %q", name, ds, want)
		}
	}
}

func TestASignatureThatIsNoBase64IsNone(t *testing.T) {
	t.Parallel()
	if got := signature("x").Bytes(); string(got) != "signature of x" {
		t.Errorf("%q", got)
	}
	if got := (Signature{Payload: "x", Signature: "?"}).Bytes(); got != nil {
		t.Errorf("%q", got)
	}
}
