package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/engine/attest"
	"github.com/specbuild/specbuild/engine/image"
)

// attests reports whether anything is said about the images.
func (p *publisher) attests() bool {
	for _, o := range p.outputs {
		if o.kind == "attest" {
			return true
		}
	}
	return p.push && p.attest
}

// statements are what is said about an artifact, a list for each platform:
// made once, and searched for secrets as the images were.
func (p *publisher) statements(ctx context.Context, r engine.Result, a *image.Artifact) ([][]attest.Statement, error) {
	key := r.Output.Addr + " " + a.Digest
	if out, ok := p.said[key]; ok {
		return out, nil
	}
	out := make([][]attest.Statement, len(r.Images))
	for i, img := range r.Images {
		found, err := attest.Scan(ctx, img, p.store)
		if err != nil {
			return nil, fmt.Errorf("%s for %s: %w", r.Output.Addr, img.Platform, err)
		}
		subject, err := a.Subject(i)
		if err != nil {
			return nil, err
		}
		b := attest.Build{Graph: p.graph, Output: r.Output, Index: i, Digest: subject.Digest, Version: versionString(), Found: found}
		if out[i], err = b.Statements(); err != nil {
			return nil, err
		}
		if err := attest.Search(r, out[i]); err != nil {
			return nil, err
		}
	}
	if p.said == nil {
		p.said = map[string][][]attest.Statement{}
	}
	p.said[key] = out
	return out, nil
}

// attach publishes the statements about an artifact that the tag names by now.
func (p *publisher) attach(ctx context.Context, tag string, r engine.Result, a *image.Artifact) error {
	if !p.attest {
		return nil
	}
	all, err := p.statements(ctx, r, a)
	if err != nil {
		return err
	}
	for i, statements := range all {
		subject, err := a.Subject(i)
		if err != nil {
			return err
		}
		var docs []image.Attachment
		for _, s := range statements {
			docs = append(docs, image.Attachment{Predicate: s.Predicate, Content: s.JSON})
		}
		sent, err := p.registry.Attach(ctx, tag, subject, docs)
		if err != nil {
			return err
		}
		if sent {
			p.printer.Event(engine.Event{Kind: engine.Note, Time: time.Now(), Text: "attached a bill of materials and the provenance for " + a.Platforms[i]})
		}
	}
	return nil
}

// writeStatements writes the predicates, as scanners and signers take them:
// NAME-OS-ARCH.spdx.json and NAME-OS-ARCH.provenance.json.
func (p *publisher) writeStatements(ctx context.Context, dir, name string, r engine.Result, a *image.Artifact) error {
	all, err := p.statements(ctx, r, a)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	endings := map[string]string{attest.SBOMType: ".spdx.json", attest.ProvenanceType: ".provenance.json"}
	for i, statements := range all {
		stem := strings.ReplaceAll(name+"-"+a.Platforms[i], "/", "-")
		for _, s := range statements {
			err := writeFile(filepath.Join(dir, stem+endings[s.Predicate]), func(w io.Writer) error {
				_, err := w.Write(append(s.Body, '\n'))
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
