package rules

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Evidence is a document that may be the result of a scan, as it was found:
// SARIF 2.1.0, an in-toto statement, or a DSSE envelope with one; also several
// of them one after the other.
type Evidence struct {
	Name string // a file's path, or the image that it is attached to
	Text []byte
	Err  error // why it could not be read; there is no Text then
}

// scan is one result of one scanner.
type scan struct {
	name    string // of the evidence
	tool    string
	digests []string  // of what was scanned, "sha256:…"
	when    time.Time // zero is not said
	failed  bool      // the scanner itself has failed
	finds   []find
}

// find is a thing that a scanner has found, that nobody has set aside.
type find struct {
	id    string
	score int64 // tenths of CVSS's
}

// reading is what of evidence could be read.
type reading struct {
	scans   []scan
	refused []error // why documents do not count
}

// read takes evidence apart. With keys, only what one of them has signed
// counts: a file beside the specs is anybody's.
func read(all []Evidence, keys []string) reading {
	var r reading
	public, err := publicKeys(keys)
	if len(keys) > 0 && err != nil {
		return reading{refused: []error{err}}
	}
	for _, e := range all {
		if e.Err != nil {
			r.refused = append(r.refused, fmt.Errorf("%s: %w", e.Name, e.Err))
			continue
		}
		dec := json.NewDecoder(bytes.NewReader(e.Text))
		for {
			var doc json.RawMessage
			err := dec.Decode(&doc)
			if errors.Is(err, io.EOF) {
				break
			}
			var scans []scan
			if err == nil {
				scans, err = readDocument(doc, public)
			}
			if err != nil {
				r.refused = append(r.refused, fmt.Errorf("%s: %w", e.Name, err))
				break
			}
			for _, s := range scans {
				s.name = e.Name
				if len(s.digests) == 0 { // what the document says of itself beats its name
					s.digests = digestsIn(e.Name)
				}
				r.scans = append(r.scans, s)
			}
		}
	}
	return r
}

// document is what tells the kinds of evidence apart.
type document struct {
	envelope
	Bundled   *envelope       `json:"dsseEnvelope"` // Sigstore's bundle, v0.3
	Type      string          `json:"_type"`
	Predicate json.RawMessage `json:"predicate"`
	Runs      json.RawMessage `json:"runs"`
}

func readDocument(doc json.RawMessage, keys verifiers) ([]scan, error) {
	var d document
	if err := json.Unmarshal(doc, &d); err != nil {
		return nil, errors.New("this is no SARIF, no in-toto statement and no envelope with one")
	}
	if d.Bundled != nil {
		d.envelope = *d.Bundled
	}
	switch {
	case d.Payload != "":
		text, err := d.open(keys)
		if err != nil {
			return nil, err
		}
		return readStatement(text)
	case len(keys) > 0:
		return nil, errors.New("nobody has signed it, and the policy has keys")
	case d.Runs != nil:
		return readSARIF(doc)
	case d.Type != "":
		return readStatement(doc)
	}
	return nil, errors.New("this is no SARIF, no in-toto statement and no envelope with one")
}

// envelope is a signed document (DSSE v1, envelope.md).
type envelope struct {
	PayloadType string `json:"payloadType"`
	Payload     string `json:"payload"`
	Signatures  []struct {
		Sig string `json:"sig"`
	} `json:"signatures"`
}

// inTotoType is the type of payload that statements have.
const inTotoType = "application/vnd.in-toto+json"

// open gives what is in an envelope. Without keys nothing is verified.
func (e envelope) open(keys verifiers) ([]byte, error) {
	payload, err := unbase64(e.Payload)
	if err != nil || e.PayloadType != inTotoType {
		return nil, fmt.Errorf("the envelope holds no in-toto statement, but %q", e.PayloadType)
	}
	if len(keys) == 0 {
		return payload, nil
	}
	signed := encoded(e.PayloadType, payload)
	for _, s := range e.Signatures {
		if sig, err := unbase64(s.Sig); err == nil && signedByAny(Signature{Payload: signed, Signature: sig}, keys) {
			return payload, nil
		}
	}
	return nil, errors.New("none of the keys has signed it")
}

// unbase64 reads both alphabets, as DSSE asks.
func unbase64(s string) ([]byte, error) {
	if out, err := base64.StdEncoding.DecodeString(s); err == nil {
		return out, nil
	}
	return base64.URLEncoding.DecodeString(s)
}

// statement is an in-toto statement, v0.1 or v1, with a predicate in the form
// that cosign's and in-toto's own for vulnerabilities share (cosign,
// COSIGN_VULN_ATTESTATION_SPEC.md; in-toto attestation, vulns v0.1 and v0.2).
type statement struct {
	Type          string `json:"_type"`
	PredicateType string `json:"predicateType"`
	Subject       []struct {
		Digest map[string]string `json:"digest"`
	} `json:"subject"`
	Predicate struct {
		Scanner struct {
			URI    string          `json:"uri"`
			Result json.RawMessage `json:"result"`
		} `json:"scanner"`
		Metadata struct {
			Finished time.Time `json:"scanFinishedOn"`
		} `json:"metadata"`
		Runs json.RawMessage `json:"runs"`
	} `json:"predicate"`
}

// statementPrefix is what the types of statements begin with, before a version.
const statementPrefix = "https://in-toto.io/Statement/"

// digests are those of the subjects.
func (s statement) digests() []string {
	var out []string
	for _, subject := range s.Subject {
		if d := subject.Digest["sha256"]; d != "" {
			out = append(out, "sha256:"+d)
		}
	}
	return out
}

// vulnerabilityTypes are the predicates that are results of scanners.
var vulnerabilityTypes = []string{
	"https://cosign.sigstore.dev/attestation/vuln/v1", "cosign.sigstore.dev/attestation/vuln/v1",
	"https://in-toto.io/attestation/vulns/v0.1", "https://in-toto.io/attestation/vulns/v0.2",
}

// readStatement reads one about a scan, or with a SARIF file in it. Others,
// lists of parts say, are no scans and nothing wrong.
func readStatement(text []byte) ([]scan, error) {
	var head struct {
		Type          string          `json:"_type"`
		PredicateType string          `json:"predicateType"`
		Predicate     json.RawMessage `json:"predicate"`
	}
	if err := json.Unmarshal(text, &head); err != nil || !strings.HasPrefix(head.Type, statementPrefix) {
		return nil, errors.New("this is no in-toto statement")
	}
	var inside struct {
		Runs json.RawMessage `json:"runs"`
	}
	isScan := slices.Contains(vulnerabilityTypes, head.PredicateType)
	if err := json.Unmarshal(head.Predicate, &inside); !isScan && (err != nil || inside.Runs == nil) {
		return nil, nil
	}
	var s statement
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("read the statement: %w", err)
	}
	if len(s.digests()) == 0 { // its name, which nobody has signed, must not stand in for that
		return nil, errors.New("the statement has no subject with a sha256")
	}
	var out []scan
	var err error
	if isScan {
		out, err = readResult(s.Predicate.Scanner.Result)
	} else {
		out, err = readSARIF(head.Predicate)
	}
	for i := range out {
		out[i].digests = s.digests() // the subject decides: it is what was signed for
		if isScan {
			out[i].tool, out[i].when = s.Predicate.Scanner.URI, s.Predicate.Metadata.Finished
		}
	}
	return out, err
}
