package attest

import (
	"cmp"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/lower/dag"
)

// provenance is the predicate of SLSA v1, as far as a graph tells it.
type provenance struct {
	BuildDefinition definition `json:"buildDefinition"`
	RunDetails      runDetails `json:"runDetails"`
}

type definition struct {
	BuildType    string     `json:"buildType"`
	External     external   `json:"externalParameters"`
	Internal     internal   `json:"internalParameters"`
	Dependencies []resource `json:"resolvedDependencies,omitempty"`
}

// external is what the one who asked has chosen. Variables are not in it:
// what they change is in the definition's digest, and values of build arguments
// have carried tokens into published provenance elsewhere.
type external struct {
	Image    string   `json:"image"`
	Platform string   `json:"platform"`
	Contexts []string `json:"contexts,omitempty"` // folders of the workspace
}

// internal is what follows from the spec.
type internal struct {
	Definition string `json:"definition"` // sha256 of the image's node in the graph
	Steps      int    `json:"steps"`
	Network    string `json:"network"` // the widest that a step had: "none", "outbound" or "host"
}

type runDetails struct {
	Builder builder `json:"builder"`
}

type builder struct {
	ID      string            `json:"id"`
	Version map[string]string `json:"version"`
}

// networks are the words for a step's network, narrow to wide.
var networks = []string{"none", "outbound", "host"}

func (b Build) provenance() provenance {
	id := b.Output.Images[b.Index]
	in := internal{Definition: "sha256:" + string(id), Network: networks[0]}
	ex := external{Image: b.Output.Addr, Platform: b.platform()}
	var used []resource
	b.walk(id, map[dag.ID]bool{}, func(n *dag.Node) {
		used = append(used, dependencies(n)...)
		switch op := n.Op.(type) {
		case *dag.Run:
			if slices.Index(networks, op.Network) > slices.Index(networks, in.Network) {
				in.Network = op.Network
			}
			in.Steps++
		case *dag.Copy, *dag.Files, *dag.Packages:
			in.Steps++
		case *dag.Local:
			if !slices.Contains(ex.Contexts, op.Context) {
				ex.Contexts = append(ex.Contexts, op.Context)
			}
		}
	})
	slices.Sort(ex.Contexts)
	slices.SortFunc(used, func(x, y resource) int { return cmp.Compare(x.URI, y.URI) })
	used = slices.CompactFunc(used, func(x, y resource) bool { return x.URI == y.URI })
	return provenance{
		BuildDefinition: definition{BuildType: buildType, External: ex, Internal: in, Dependencies: used},
		RunDetails:      runDetails{builder{ID: project, Version: map[string]string{"specbuild": b.Version}}},
	}
}

// dependencies are what a node brings from outside, each pinned.
func dependencies(n *dag.Node) []resource {
	switch op := n.Op.(type) {
	case *dag.Base:
		return []resource{{URI: imageURL(n.Meta.Ref, op.Digest, op.Platform), Digest: digestSet(op.Digest)}}
	case *dag.Git:
		return []resource{{URI: "git+" + plainURL(n.Meta.URL) + "@" + op.Commit, Digest: map[string]string{"gitCommit": op.Commit}}}
	case *dag.HTTP:
		return []resource{{URI: plainURL(n.Meta.URL), Digest: map[string]string{"sha256": op.SHA256}}}
	case *dag.Packages:
		var out []resource
		for _, p := range op.Packages {
			out = append(out, resource{URI: packageURL("deb", "debian", p.Name, p.Version, p.Arch), Digest: map[string]string{"sha256": p.SHA256}})
		}
		return out
	}
	return nil
}

// walk visits what a node is made of, each once, what it takes from first.
func (b Build) walk(id dag.ID, seen map[dag.ID]bool, visit func(*dag.Node)) {
	n, ok := b.Graph.Node(id)
	if !ok || seen[id] {
		return
	}
	seen[id] = true
	for _, in := range n.Inputs {
		b.walk(in, seen, visit)
	}
	visit(n)
}

func digestSet(digest string) map[string]string {
	algorithm, hex, _ := strings.Cut(digest, ":")
	return map[string]string{algorithm: hex}
}
