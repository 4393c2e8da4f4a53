package rules

import (
	"slices"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// signedID is the id of the rule about signatures of bases.
const signedID = "base-signature-verified"

func signedRule() Rule {
	return Rule{
		ID: signedID, By: ByJudge, Title: "A base is signed by a key that the policy trusts",
		Why: "A digest says that a base is the same as yesterday, not who made it. `specbuild lock` keeps the signatures that cosign has put beside a base (`cosign sign --key`), and every plan verifies them by the policy's keys, without network. Keyless signatures are not read.",
		Bad: `base "os" {
  image = "registry.example.com/base/root:2"
}
image "web" {
  from   = base.os
  run_as = "10001"
}`,
		Good: `base "os" {
  image = "registry.example.com/base/signed:2"
}
image "web" {
  from   = base.os
  run_as = "10001"
}`,
		Mend:    "Take a base that is signed and run `specbuild lock`, or have this one signed by its owners.",
		Sources: []string{"CIS-4.5", "CIS-4.12", "CIS-DI-0005", "buildx image.signatures", "buildx image.hasProvenance", "Docker Scout DHI base"},
		Params: []Param{
			{Name: "keys", Kind: Keys, Needed: true, Doc: "public keys in PEM, one of which has signed: ECDSA, RSA or Ed25519"},
			{Name: "except", Kind: List, Doc: "bases that need no signature, as prefixes of full names up to a slash, a colon or the end; `layout:vendor` is layouts of that folder; none by default"},
		},
		check: signedBase,
	}
}

// AsksSigned reports whether a base must be signed, as policies grade the rule
// base-signature-verified. The name is [Base.Name].
func AsksSigned(grades map[string]Grade, name string) bool {
	g := grades[signedID]
	return !g.Off && len(g.Lists["keys"]) > 0 && !listed(g.Lists["except"], name)
}

func listed(prefixes []string, name string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return beginsWith(name, p) })
}

// signedBase verifies anew with each plan: the lock is a file that anybody
// edits, and keys are taken out of a policy when they are lost.
func signedBase(d *docket) {
	for _, b := range d.Bases {
		if b.Name == "" || !AsksSigned(d.Grades, b.Name) || b.Digest == "" && !b.Base.Layout.Set {
			continue // it has no name yet, or the lock does not know it, which the planner says
		}
		addr, at := b.Base.Addr, or(b.Base.Image.Range, b.Base.Layout.Range, b.Base.Range)
		switch err := Signed(b.Digest, b.Signatures, d.list("keys")); {
		case b.Base.Layout.Set:
			d.found(addr, at, "The base is not signed",
				"%s is a layout on disk, where there are no signatures. Take it from a registry, or have the owners of the policy except %s.", addr.Local(), b.Name)
		case len(b.Signatures) == 0:
			d.found(addr, at, "The base is not signed", "The lock has no signature of %s, %s. %s", addr.Local(), b.Digest, mendUnsigned)
		case b.Unlinked != nil:
			d.found(addr, at, "The lock holds another base",
				"%s: %v. Run `specbuild lock --upgrade=%s` to ask for it anew.", addr.Local(), b.Unlinked, addr.Name)
		case err != nil:
			d.found(addr, at, "The base's signature does not hold",
				"The lock has %s of %s, %s, and %v. Where it was signed anew since, run `specbuild lock --upgrade=%s`; else take a base that is signed, or have this one signed.",
				plural(len(b.Signatures), "signature"), addr.Local(), b.Digest, err, addr.Name)
		}
	}
}

const mendUnsigned = "Run `specbuild lock`, which asks its registry for one; if it finds none, take a base that is signed, or have this one signed."

// Unsigned is what `specbuild lock` says of a base that must be signed, and
// for which it has just found no signature.
func Unsigned(base spec.Addr, name, digest string, at diag.Range) diag.Diagnostic {
	return diag.Diagnostic{
		Severity: diag.Warning, Code: signedID, Summary: "The base is not signed", Range: at, Address: base.String(),
		Detail: "The registry has no signature of " + base.Local() + ", " + name + " at " + digest +
			", which a policy asks for. Take a base that is signed, or have this one signed: `cosign sign --key`.",
	}
}
