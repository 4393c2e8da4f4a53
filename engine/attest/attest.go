// Package attest says what is in an image and what it was made of, in the
// forms that scanners and admission controllers read: a bill of materials
// (SPDX 2.3) and provenance (SLSA v1), each as a statement of in-toto about the
// image of one platform.
//
// Both are functions of the graph and of the image's bytes alone: no time, no
// machine, no value of a variable or a secret is in them, so that equal images
// have equal statements and a second push sends nothing.
package attest

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/lower/dag"
)

// The predicates, as in-toto's registry of them and SLSA name them.
const (
	SBOMType       = "https://spdx.dev/Document/v2.3"
	ProvenanceType = "https://slsa.dev/provenance/v1"

	statementType = "https://in-toto.io/Statement/v1"
	project       = "https://github.com/specbuild/specbuild"
	buildType     = project + "/blob/main/docs/attestations.md#build-type-v1"
)

// Build is what the statements about one platform's image tell of.
type Build struct {
	Graph   *dag.Graph
	Output  dag.Output // the image in the graph
	Index   int        // of the platform, in Output.Images
	Digest  string     // of the platform's manifest, "sha256:…"
	Version string     // specbuild's own
	Found   Contents   // what [Scan] has found in it
}

// Statement is one statement of in-toto.
type Statement struct {
	Predicate string // SBOMType or ProvenanceType
	Body      []byte // the predicate alone, for tools that make statements themselves
	JSON      []byte // the statement
}

// Statements are the bill of materials and the provenance, in this order.
func (b Build) Statements() ([]Statement, error) {
	algorithm, hex, ok := strings.Cut(b.Digest, ":")
	if !ok || b.Index >= len(b.Output.Images) {
		return nil, fmt.Errorf("%s: there is no image %d with the digest %q to make statements about", b.Output.Addr, b.Index, b.Digest)
	}
	var out []Statement
	for _, s := range []struct {
		predicate string
		body      any
	}{{SBOMType, b.sbom(hex)}, {ProvenanceType, b.provenance()}} {
		body, err := json.Marshal(s.body)
		if err != nil {
			return nil, fmt.Errorf("writing the statement %s about %s: %w", s.predicate, b.Output.Addr, err)
		}
		data, err := json.Marshal(statement{
			Type: statementType, PredicateType: s.predicate, Predicate: body,
			Subject: []resource{{Name: b.Output.Addr, Digest: map[string]string{algorithm: hex}}},
		})
		if err != nil {
			return nil, fmt.Errorf("writing the statement %s about %s: %w", s.predicate, b.Output.Addr, err)
		}
		out = append(out, Statement{s.predicate, body, data})
	}
	return out, nil
}

// Search applies a search for secrets to every string of statements; nil
// searches nothing.
func Search(r engine.Result, statements []Statement) error {
	if r.Search == nil {
		return nil
	}
	for _, s := range statements {
		if err := r.Search("the statement "+s.Predicate+" about "+r.Output.Addr, json.RawMessage(s.JSON)); err != nil {
			return err
		}
	}
	return nil
}

// platform is the one that the statements are about.
func (b Build) platform() string { return b.Output.Platforms[b.Index] }

// statement is in-toto's envelope-less form (Statement v1).
type statement struct {
	Type          string          `json:"_type"`
	Subject       []resource      `json:"subject"`
	PredicateType string          `json:"predicateType"`
	Predicate     json.RawMessage `json:"predicate"`
}

// resource is in-toto's ResourceDescriptor, as far as it is used.
type resource struct {
	Name   string            `json:"name,omitempty"`
	URI    string            `json:"uri,omitempty"`
	Digest map[string]string `json:"digest,omitempty"`
}
