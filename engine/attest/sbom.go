package attest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/specbuild/specbuild/lower/dag"
)

// document is SPDX 2.3 as JSON (spdx-spec v2.3, schemas/spdx-schema.json).
type document struct {
	Version       string         `json:"spdxVersion"`
	License       string         `json:"dataLicense"`
	ID            string         `json:"SPDXID"`
	Name          string         `json:"name"`
	Namespace     string         `json:"documentNamespace"`
	Comment       string         `json:"comment,omitempty"`
	Creation      creation       `json:"creationInfo"`
	Packages      []component    `json:"packages"`
	Relationships []relationship `json:"relationships"`
}

type creation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type component struct {
	ID        string      `json:"SPDXID"`
	Name      string      `json:"name"`
	Version   string      `json:"versionInfo,omitempty"`
	Location  string      `json:"downloadLocation"`
	Analyzed  bool        `json:"filesAnalyzed"`
	Purpose   string      `json:"primaryPackagePurpose,omitempty"`
	Comment   string      `json:"comment,omitempty"`
	Source    string      `json:"sourceInfo,omitempty"`
	Checksums []checksum  `json:"checksums,omitempty"`
	Refs      []reference `json:"externalRefs,omitempty"`
}

type checksum struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"checksumValue"`
}

type reference struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type relationship struct {
	Of   string `json:"spdxElementId"`
	Kind string `json:"relationshipType"`
	To   string `json:"relatedSpdxElement"`
}

const (
	documentID  = "SPDXRef-DOCUMENT"
	imageID     = "SPDXRef-image"
	baseID      = "SPDXRef-base"
	noAssertion = "NOASSERTION"
)

// created stands where SPDX wants a time: the first that layers can say, since
// a document of the same image is the same document.
var created = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC).Format(time.RFC3339)

// sbom lists what the image holds and says what it does not know; it does not
// guess from the names of files.
func (b Build) sbom(digest string) document {
	d := document{
		Version: "SPDX-2.3", License: "CC0-1.0", ID: documentID,
		Name: b.Output.Addr + " " + b.platform(), Namespace: project + "/sbom/sha256-" + digest,
		Creation: creation{Created: created, Creators: []string{"Tool: specbuild-" + b.Version}},
		Packages: []component{{
			ID: imageID, Name: b.Output.Addr, Version: b.Digest, Location: noAssertion, Purpose: "CONTAINER",
			Checksums: []checksum{{"SHA256", digest}},
		}},
		Relationships: []relationship{{documentID, "DESCRIBES", imageID}},
	}
	if len(b.Found.Unread) > 0 {
		d.Comment = "Packages of RPM are not listed: " + strings.Join(b.Found.Unread, ", ") + " cannot be read here."
	}
	archives := map[Package]string{}
	for n := range b.root() {
		switch op := n.Op.(type) {
		case *dag.Base:
			d.add(imageID, "DESCENDANT_OF", component{
				ID: baseID, Name: baseName(n), Version: op.Digest, Location: noAssertion, Purpose: "CONTAINER",
				Comment:   "Layers that a registry holds are not read for this document: what is in them is told by the base's own.",
				Checksums: []checksum{{"SHA256", strings.TrimPrefix(op.Digest, "sha256:")}},
				Refs:      purl(imageURL(n.Meta.Ref, op.Digest, op.Platform)),
			})
		case *dag.Packages:
			for _, p := range op.Packages {
				archives[Package{Kind: "deb", Name: p.Name, Version: p.Version, Arch: p.Arch}] = p.SHA256
			}
		}
	}
	for i, p := range b.installed(archives) {
		c := component{
			ID: fmt.Sprintf("SPDXRef-package-%d", i+1), Name: p.Name, Version: p.Version, Location: noAssertion,
			Refs: purl(packageURL(p.Kind, b.namespace(p), lastPart(p), p.Version, p.Arch)),
		}
		if p.Source != "" {
			c.Source = "found in " + p.Source
		}
		p.Source = ""
		if sum := archives[p]; sum != "" {
			c.Checksums = []checksum{{"SHA256", sum}}
		}
		d.add(imageID, "CONTAINS", c)
	}
	return d
}

func (d *document) add(of, kind string, c component) {
	d.Packages = append(d.Packages, c)
	d.Relationships = append(d.Relationships, relationship{of, kind, c.ID})
}

// installed are the packages of the databases, and those that were unpacked
// where no database tells.
func (b Build) installed(archives map[Package]string) []Package {
	out := slices.Clone(b.Found.Packages)
	if !b.Found.Dpkg {
		for p := range archives {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, Package.compare)
	return out
}

// root visits the chain of steps that the image's files come from, from its
// last to its base; what was copied from other stages is no package of it.
func (b Build) root() func(yield func(*dag.Node) bool) {
	return func(yield func(*dag.Node) bool) {
		n, ok := b.Graph.Node(b.Output.Images[b.Index])
		for below := ok; below && len(n.Inputs) > 0; below = standsOn(n.Op) {
			if n, ok = b.Graph.Node(n.Inputs[0]); !ok || !yield(n) {
				return
			}
		}
	}
}

// standsOn reports whether the first input of an operation is what is below.
func standsOn(op dag.Op) bool {
	switch op.(type) {
	case *dag.Copy, *dag.Run, *dag.Packages, *dag.Files:
		return true
	}
	return false
}

func baseName(n *dag.Node) string {
	if repository, ok := repositoryOf(n.Meta.Ref); ok {
		return repository
	}
	return "an OCI layout"
}

func purl(locator string) []reference {
	return []reference{{"PACKAGE-MANAGER", "purl", locator}}
}

// namespace is what a package URL has before the name.
func (b Build) namespace(p Package) string {
	if p.Kind == "golang" {
		return strings.TrimSuffix(strings.TrimSuffix(p.Name, lastPart(p)), "/")
	}
	if b.Found.Distro != "" {
		return b.Found.Distro
	}
	return map[string]string{"deb": "debian", "apk": "alpine"}[p.Kind]
}

func lastPart(p Package) string {
	if p.Kind != "golang" {
		return p.Name
	}
	return p.Name[strings.LastIndex(p.Name, "/")+1:]
}
