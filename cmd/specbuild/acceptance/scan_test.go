//go:build linux

package acceptance

import (
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// sarif is a SARIF file as scanners write it, of an image of a digest.
func sarif(digest string, when time.Time, results string) string {
	return fmt.Sprintf(`{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "Trivy"}}, "invocations": [{"executionSuccessful": true, "endTimeUtc": %q}],
		"properties": {"repoDigests": ["base/os@%s"]}, "results": [%s]}]}`, when.UTC().Format(time.RFC3339), digest, results)
}

const grave = `{"ruleId": "CVE-2026-1", "level": "error", "message": {"text": "x"}, "properties": {"security-severity": "9.8"}}`

// attestation is a layer as `cosign attest --type vuln --key` makes it.
func (c cosign) attestation(digest string, when time.Time, severity string) mutate.Addendum {
	return mutate.Addendum{
		Layer:       static.NewLayer([]byte(c.envelope(scanStatement(digest, when, severity))), "application/vnd.dsse.envelope.v1+json"),
		Annotations: map[string]string{"predicateType": vulnPredicate, "dev.cosignproject.cosign/signature": ""},
	}
}

const vulnPredicate = "https://cosign.sigstore.dev/attestation/vuln/v1"

// scanStatement is what a scanner says of an image, as a statement of in-toto.
func scanStatement(digest string, when time.Time, severity string) string {
	at := when.UTC().Format(time.RFC3339)
	return fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v0.1","predicateType":%q,
		"subject":[{"name":"base/os","digest":{"sha256":%q}}],"predicate":{"invocation":{},"metadata":{"scanStartedOn":%q,"scanFinishedOn":%q},
		"scanner":{"uri":"pkg:github/aquasecurity/trivy@v0.58.0","result":{"SchemaVersion":2,"Results":[{"Vulnerabilities":[{"VulnerabilityID":"CVE-2026-1","Severity":%q}]}]}}}}`,
		vulnPredicate, strings.TrimPrefix(digest, "sha256:"), at, at, severity)
}

// envelope is a statement as DSSE signs it.
func (c cosign) envelope(statement string) string {
	const kind = "application/vnd.in-toto+json"
	return fmt.Sprintf(`{"payloadType":%q,"payload":%q,"signatures":[{"keyid":"","sig":%q}]}`, kind,
		base64.StdEncoding.EncodeToString([]byte(statement)), c.sign(fmt.Sprintf("DSSEv1 %d %s %d %s", len(kind), kind, len(statement), statement)))
}

// scannedBy is a policy that wants results of scans.
func scannedBy(params string) string {
	return `policy "acme" {
  grade = {
    "scan-evidence-fresh" = {
      severity = "error"
      max_age  = "7d"
      fail_on  = "critical"
      ` + params + `
    }
  }
}
`
}

func TestResultsOfScansInFiles(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	s.putIndex(t, "base/os:1", baseOf(t, file("usr/bin/tool", "tool"), link("bin", "usr/bin")))
	digest, now := s.digest(t, "base/os:1"), time.Now()
	p := newProject(t, files{
		"specbuild.hcl": signedWorkspace, "acme.policy.hcl": scannedBy(`files = ["scans/**/*.{sarif,json}"]`), "image.hcl": baseSpec(s.host+"/base/os:1", ""),
	})
	// There is nothing to scan before the base has a digest.
	p.ok("validate", "--locked=false")
	p.ok("lock")
	p.fails(3, says("error: The base has no scan result [scan-evidence-fresh]", "image.hcl:3:11", digest), "validate")
	p.fails(3, says("The base has no scan result"), "apply", "--locked", "-o", "oci:out")
	absent(t, p.path("out"))
	for _, tc := range []struct{ text, says string }{
		{sarif("sha256:"+strings.Repeat("0", 64), now, ""), "What is there is of sha256:000"},
		{sarif(digest, now.AddDate(0, 0, -8), ""), "The scan result is old"},
		{sarif(digest, now, grave), "The scan result does not pass"},
		{"{", "scans/deep/os.sarif: unexpected EOF"},
	} {
		p.write(files{"scans/deep/os.sarif": tc.text})
		p.fails(3, says(tc.says), "plan")
	}
	// What is not meant by the patterns is not read; the newest counts.
	p.write(files{"scans/os.txt": sarif(digest, now, ""), "other/os.sarif": sarif(digest, now, "")})
	p.fails(3, says("scan-evidence-fresh"), "plan")
	p.write(files{"scans/deep/os.sarif": sarif(digest, now.AddDate(0, 0, -1), grave), "scans/new.json": sarif(digest, now, strings.Replace(grave, "9.8", "8.9", 1))})
	s.asked("")
	p.ok("plan")
	p.ok("validate", "--locked")
	if asked := s.asked(""); len(asked) > 0 {
		t.Errorf("files are enough, and the registry was asked %q", asked)
	}
	p.ok("apply", "--locked", "-o", "oci:out")

	// A base that was rolled forward has to be scanned anew.
	s.putIndex(t, "base/os:1", baseOf(t, file("usr/bin/tool", "two"), link("bin", "usr/bin")))
	p.ok("lock", "--upgrade")
	p.fails(3, says("The base has no scan result", s.digest(t, "base/os:1"), "What is there is of "+digest), "plan")

	// A file that cannot be read is not passed over in silence.
	p.must(os.RemoveAll(p.path("scans")))
	p.must(os.MkdirAll(p.path("scans"), 0o755))
	p.must(os.Symlink("nowhere", p.path("scans/gone.sarif")))
	p.fails(3, says("The base has no scan result"), "plan")
	p.write(files{"acme.policy.hcl": scannedBy(`files = ["scans/[.sarif"]`)})
	p.fails(3, says("scans/[.sarif: syntax error in pattern"), "plan")
	p.write(files{"acme.policy.hcl": strings.Replace(scannedBy(`files = ["scans/*"]`), "critical", "grave", 1)})
	p.fails(3, says("acme.policy.hcl:6:", `"grave" is no severity; write one of low, medium, high, critical`), "plan")
}

func TestResultsOfScansInTheRegistry(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	s.putIndex(t, "base/os:1", baseOf(t, file("usr/bin/tool", "tool"), link("bin", "usr/bin")))
	digest, now := s.digest(t, "base/os:1"), time.Now()
	ours, theirs := newCosign(t), newCosign(t)
	p := newProject(t, files{
		"specbuild.hcl": signedWorkspace, "acme.policy.hcl": scannedBy("keys = [<<-EOT\n" + ours.public() + "EOT\n]"), "image.hcl": baseSpec(s.host+"/base/os:1", ""),
	})
	p.ok("lock")
	p.fails(3, says("The base has no scan result", "Scan it by this digest"), "plan")
	for _, tc := range []struct {
		att  mutate.Addendum
		says string
	}{
		{theirs.attestation(digest, now, "LOW"), "none of the keys has signed it"},
		{ours.attestation("sha256:"+strings.Repeat("0", 64), now, "LOW"), "What is there is of sha256:000"},
		{ours.attestation(digest, now.AddDate(0, 0, -8), "LOW"), "The scan result is old"},
		{ours.attestation(digest, now, "CRITICAL"), "pkg:github/aquasecurity/trivy@v0.58.0 has found 1 thing in base.os"},
	} {
		s.attach(t, "base/os", digest, ".att", tc.att)
		p.fails(3, says(tc.says, "image.hcl:3:11"), "plan", "--locked")
	}
	s.attach(t, "base/os", digest, ".att", ours.attestation(digest, now.Add(-time.Hour), "CRITICAL"), ours.attestation(digest, now, "LOW"))
	p.ok("apply", "--locked", "-o", "oci:out")

	// Attached to the platform's manifest it is of that, too.
	manifest := manifestLine(t, p.read("specbuild.lock"))
	s.attach(t, "base/os", digest, ".att", theirs.attestation(digest, now, "LOW"))
	s.attach(t, "base/os", manifest, ".att", ours.attestation(manifest, now, "LOW"))
	p.ok("plan", "--locked")

	// validate asks nobody, and plan does not go on without an answer.
	s.Close()
	p.ok("validate", "--locked")
	p.fails(3, says("The base has no scan result", "the registry cannot be reached"), "plan", "--locked")
}

// TestBundlesOfCosign3 are signatures and results as referrers.
func TestBundlesOfCosign3(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	s.putIndex(t, "base/os:1", baseOf(t, file("usr/bin/tool", "tool"), link("bin", "usr/bin")))
	digest, now := s.digest(t, "base/os:1"), time.Now()
	ours, theirs := newCosign(t), newCosign(t)
	both := strings.Replace(signedBy(ours), `"base-signature-verified" =`,
		"\"scan-evidence-fresh\" = { severity = \"error\", keys = [<<-EOT\n"+ours.public()+"EOT\n] }\n    \"base-signature-verified\" =", 1)
	p := newProject(t, files{"specbuild.hcl": signedWorkspace, "acme.policy.hcl": both, "image.hcl": baseSpec(s.host+"/base/os:1", "")})
	const sign = "https://sigstore.dev/cosign/sign/v1"
	statement := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":%q}}],"predicateType":%q,"predicate":{}}`,
		strings.TrimPrefix(digest, "sha256:"), sign)

	s.refer(t, "base/os", digest, sign, theirs.envelope(statement))
	s.refer(t, "base/os", digest, vulnPredicate, theirs.envelope(scanStatement(digest, now, "LOW")))
	p.ok("lock")
	p.fails(3, says("The base's signature does not hold", "The base has no scan result", "none of the keys has signed it"), "plan")

	// A result that is signed is no signature of the base.
	s.refer(t, "base/os", digest, vulnPredicate, ours.envelope(scanStatement(digest, now, "LOW")))
	p.ok("lock", "--upgrade=os")
	r := p.fails(3, says("The base's signature does not hold"), "plan")
	if strings.Contains(r.stderr, "scan-evidence-fresh") {
		t.Errorf("the result is there:\n%s", r.stderr)
	}
	s.refer(t, "base/os", digest, sign, ours.envelope(statement))
	p.ok("lock", "--upgrade=os")
	p.ok("apply", "--locked", "-o", "oci:out")
}

// refer pushes an envelope in a bundle of Sigstore about an image.
func (s *server) refer(t testing.TB, repo, digest, predicate, envelope string) {
	t.Helper()
	const kind = "application/vnd.dev.sigstore.bundle.v0.3+json"
	subject, err := v1.NewHash(digest)
	if err != nil {
		t.Fatal(err)
	}
	bundle := fmt.Sprintf(`{"mediaType":%q,"verificationMaterial":{"publicKey":{"hint":"x"}},"dsseEnvelope":%s}`, kind, envelope)
	img, err := mutate.AppendLayers(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), kind), static.NewLayer([]byte(bundle), kind))
	if err != nil {
		t.Fatal(err)
	}
	about := mutate.Subject(mutate.Annotations(img, map[string]string{"dev.sigstore.bundle.predicateType": predicate}),
		v1.Descriptor{MediaType: types.OCIImageIndex, Digest: subject, Size: 1}).(v1.Image)
	d, err := about.Digest()
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.NewDigest(s.host + "/" + repo + "@" + d.String())
	if err == nil {
		err = remote.Write(ref, about)
	}
	if err != nil {
		t.Fatal(err)
	}
}
