// Package schemas makes JSON Schemas (draft 2020-12) of the language, for
// editors and for programs that write specs in YAML or JSON. They are made of
// the tables that decode, so they know what specbuild knows. The files beside
// this one are their output, at addresses that editors can be given.
//
// A schema judges the form: names, types, what must be there and what excludes
// what. It takes everything that `validate` takes; what only evaluation can
// tell, references, paths, the forms of texts, is left to that.
package schemas

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/grammar"
)

// base is where the files of this folder are read from by editors.
const base = "https://raw.githubusercontent.com/specbuild/specbuild/main/schemas/"

// Image is the schema of a spec in YAML: image.yaml and NAME.image.yaml.
func Image() ([]byte, error) {
	return document(base+"image.schema.json", "A specbuild spec: image.yaml", spec.Grammar())
}

// Workspace is the schema of specbuild.hcl in the form that it has as YAML.
func Workspace() ([]byte, error) {
	return document(base+"workspace.schema.json", "A specbuild workspace: specbuild.hcl, in the form of YAML", spec.WorkspaceGrammar())
}

// schema is the part of JSON Schema that the language needs. A keyword judges
// only values of its own type, so that "a list, or an expression in a string"
// is one schema with two types and messages stay short.
type schema struct {
	Schema      string             `json:"$schema,omitempty"`
	ID          string             `json:"$id,omitempty"`
	Ref         string             `json:"$ref,omitempty"`
	Title       string             `json:"title,omitempty"`
	Description string             `json:"description,omitempty"`
	Default     any                `json:"default,omitempty"`
	Type        []string           `json:"type,omitempty"`
	Enum        []string           `json:"enum,omitempty"`
	Pattern     string             `json:"pattern,omitempty"`
	Items       *schema            `json:"items,omitempty"`
	Properties  map[string]*schema `json:"properties,omitempty"`
	Additional  any                `json:"additionalProperties,omitempty"` // false or a schema
	Names       *schema            `json:"propertyNames,omitempty"`
	Min         int                `json:"minProperties,omitempty"`
	Max         int                `json:"maxProperties,omitempty"`
	Required    []string           `json:"required,omitempty"`
	AllOf       []*schema          `json:"allOf,omitempty"`
	AnyOf       []*schema          `json:"anyOf,omitempty"`
	OneOf       []*schema          `json:"oneOf,omitempty"`
	Not         *schema            `json:"not,omitempty"`
	Defs        map[string]*schema `json:"$defs,omitempty"`
}

// expression is a string that is computed, and may have any type then. It
// stands for itself or among text; a value other than a string must be the
// whole of it, which only evaluation tells.
const expression = `[$%]\{`

// document is a whole schema.
func document(id, title string, lang *grammar.Block) ([]byte, error) {
	g := &generator{defs: map[string]*schema{}, texts: map[string]string{}}
	out := g.body(lang, "")
	out.Schema, out.ID, out.Title, out.Description = "https://json-schema.org/draft/2020-12/schema", id, title, lang.Doc
	out.Defs = g.defs
	if g.err != nil {
		return nil, g.err
	}
	data, err := encode(out, "  ")
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", id, err)
	}
	return data, nil
}

// encode leaves <, > and & as they are: nobody embeds these in HTML.
func encode(s *schema, indent string) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	err := enc.Encode(s)
	return out.Bytes(), err
}

// generator collects the definitions that a schema refers to.
type generator struct {
	defs  map[string]*schema
	texts map[string]string // of the definitions, to find equal ones
	err   error
}

// define gives a block a name in $defs and answers with a reference to it.
// Equal blocks are one: the steps of stages are those of images.
func (g *generator) define(b *grammar.Block, parent string) *schema {
	s := g.body(b, b.Name)
	text, err := encode(s, "")
	if err != nil {
		g.err = err
	}
	name := b.Name
	if b.Variant != "" {
		name += "_" + b.Variant
	}
	for g.texts[name] != "" && g.texts[name] != string(text) {
		name = parent + "_" + name
	}
	g.defs[name], g.texts[name] = s, string(text)
	return &schema{Ref: "#/$defs/" + name}
}

// body is the inside of a block: a map, or nothing where it may be empty.
func (g *generator) body(b *grammar.Block, parent string) *schema {
	s := &schema{Description: b.Doc, Type: []string{"object"}, Properties: map[string]*schema{}, Additional: false}
	if b.Open {
		s.Additional = nil
	}
	for _, a := range b.Attributes {
		s.Properties[a.Name] = attribute(a)
		if a.Required {
			s.Required = append(s.Required, a.Name)
		}
	}
	for _, name := range blockNames(b) {
		g.nested(s, b, name, parent)
	}
	if b.Dynamic {
		g.dynamic(s, b, parent)
	}
	for _, c := range b.Choices {
		s.choice(b, c)
	}
	slices.Sort(s.Required)
	if len(s.Required) == 0 && len(s.OneOf) == 0 && len(s.AllOf) == 0 {
		s.Type = []string{"object", "null"}
	}
	return s
}

// blockNames are the names of the blocks in a block, each once.
func blockNames(b *grammar.Block) []string {
	var out []string
	for _, n := range b.Blocks {
		if len(supported(b, n.Name)) > 0 && !slices.Contains(out, n.Name) {
			out = append(out, n.Name)
		}
	}
	return out
}

// supported are the blocks of a name without those that are of the language
// but not of this version, which have no doc.
func supported(b *grammar.Block, name string) []*grammar.Block {
	return slices.DeleteFunc(b.Nested(name), func(n *grammar.Block) bool { return n.Doc == "" })
}

// nested adds the blocks of one name, in the form that YAML gives them.
func (g *generator) nested(s *schema, b *grammar.Block, name, parent string) {
	all := supported(b, name)
	first := all[0]
	switch {
	case first.Step:
		g.steps(s).Items.Properties[name] = g.labelled(all, parent)
	case listed(first):
		items := g.define(first, parent)
		if first.Variant != "" {
			items = g.oneKey(variants(g, all, parent))
		}
		s.Properties[name+"s"] = &schema{Description: first.Doc, Type: []string{"array", "null"}, Items: items}
	case first.Label == grammar.LabelNone:
		s.Properties[name] = g.define(first, parent)
	default:
		s.Properties[name] = &schema{
			Description: first.Doc, Type: []string{"object", "null"}, Additional: g.define(first, parent), Names: label(first.Label),
		}
	}
}

// listed reports whether a block is an element of a list in the plural: it may
// stand several times and has no name to be a key by.
func listed(b *grammar.Block) bool {
	return !b.Step && (b.Label == grammar.LabelVariant || b.Label == grammar.LabelNone && b.Max != 1 && !b.Open)
}

// key is the key under which YAML has an attribute or a block.
func key(b *grammar.Block, name string) string {
	if n := b.Nested(name); len(n) > 0 && listed(n[0]) {
		return name + "s"
	}
	return name
}

// steps is the list of steps, whose order counts: maps of one key.
func (g *generator) steps(s *schema) *schema {
	if s.Properties["steps"] == nil {
		s.Properties["steps"] = &schema{
			Description: "What makes its layers, in order: a list of maps of one key, the step.",
			Type:        []string{"array", "null"}, Items: g.oneKey(map[string]*schema{}),
		}
	}
	return s.Properties["steps"]
}

func (g *generator) oneKey(properties map[string]*schema) *schema {
	return &schema{Type: []string{"object"}, Min: 1, Max: 1, Properties: properties, Additional: false}
}

// labelled is a step: itself, or a map of one key, its label.
func (g *generator) labelled(all []*grammar.Block, parent string) *schema {
	first := all[0]
	switch {
	case first.Variant != "":
		out := g.oneKey(variants(g, all, parent))
		out.Description = first.Doc
		return out
	case first.Label != grammar.LabelNone:
		return &schema{
			Description: first.Doc, Type: []string{"object"}, Min: 1, Max: 1,
			Additional: g.define(first, parent), Names: label(first.Label),
		}
	}
	return g.define(first, parent)
}

func variants(g *generator, all []*grammar.Block, parent string) map[string]*schema {
	out := map[string]*schema{}
	for _, b := range all {
		out[b.Variant] = g.define(b, parent)
	}
	return out
}

// label is what may be the name of a block.
func label(l grammar.Label) *schema {
	switch l {
	case grammar.LabelName:
		return &schema{Pattern: `^[a-z][a-z0-9_-]*$`}
	case grammar.LabelAccount:
		return &schema{Pattern: `^[a-z_][a-z0-9_-]*$`}
	}
	return &schema{Pattern: `.`}
}

// choice says which of several keys must be there, and which not together.
func (s *schema) choice(b *grammar.Block, c grammar.Choice) {
	var has []*schema
	for _, name := range c.Names {
		has = append(has, &schema{Required: []string{key(b, name)}})
	}
	if !c.Optional {
		s.AllOf = append(s.AllOf, &schema{OneOf: has})
		return
	}
	for i := range has {
		for j := range i {
			s.AllOf = append(s.AllOf, &schema{Not: &schema{AllOf: []*schema{has[j], has[i]}}})
		}
	}
}

// phrase is what an editor shows of an attribute: its doc as a sentence, its
// kind and its default.
func phrase(a grammar.Attribute) string {
	out := strings.ToUpper(a.Doc[:1]) + a.Doc[1:]
	if a.Default != "" {
		out += " Default: " + a.Default + "."
	}
	return out
}
