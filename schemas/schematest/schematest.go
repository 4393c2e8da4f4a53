// Package schematest judges documents by the schemas of this repository, more
// strictly than their readers: a name that a schema does not know is refused
// too.
package schematest

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/specbuild/specbuild/schemas"
)

// Plan is the schema of `plan --json`, closed.
type Plan struct {
	doc    map[string]any
	schema *jsonschema.Schema
	seen   map[string]bool // "copy.to", of all documents that were judged
}

// NewPlan compiles the schema, itself judged by the schema of schemas.
func NewPlan(t testing.TB) *Plan {
	t.Helper()
	p := &Plan{seen: map[string]bool{}}
	if err := json.Unmarshal(schemas.Plan(), &p.doc); err != nil {
		t.Fatal(err)
	}
	for _, def := range p.definitions() {
		def["additionalProperties"] = false
	}
	text, err := json.Marshal(p.doc)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("plan.json", doc); err != nil {
		t.Fatal(err)
	}
	if p.schema, err = c.Compile("plan.json"); err != nil {
		t.Fatal(err)
	}
	return p
}

// definitions are the objects of the schema whose names it knows, by name; the
// document itself is "".
func (p *Plan) definitions() map[string]map[string]any {
	out := map[string]map[string]any{"": p.doc}
	defs, _ := p.doc["$defs"].(map[string]any)
	for name, def := range defs {
		if d, ok := def.(map[string]any); ok && d["properties"] != nil {
			out[name] = d
		}
	}
	return out
}

// Names are the names that the schema knows, as "copy.to", sorted; those at
// the top as ".images".
func (p *Plan) Names() []string {
	var out []string
	for name, def := range p.definitions() {
		properties, _ := def["properties"].(map[string]any)
		for key := range properties {
			out = append(out, name+"."+key)
		}
	}
	slices.Sort(out)
	return out
}

// Property is what the schema says of a name, and whether it must be there.
func (p *Plan) Property(def, key string) (property map[string]any, required, ok bool) {
	d := p.definitions()[def]
	properties, _ := d["properties"].(map[string]any)
	property, ok = properties[key].(map[string]any)
	all, _ := d["required"].([]any)
	return property, slices.Contains(all, any(key)), ok
}

// Check fails the test if a document is not what the schema says, with where.
func (p *Plan) Check(t testing.TB, text []byte) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Errorf("this is no JSON: %v\n%s", err, text)
		return
	}
	if err := p.schema.Validate(doc); err != nil {
		var invalid *jsonschema.ValidationError
		if !errors.As(err, &invalid) {
			t.Errorf("%v", err)
			return
		}
		for place, why := range leaves(invalid) {
			t.Errorf("the plan is not what its schema says, at %s: %s", place, why)
		}
	}
	p.visit(p.doc, "", doc)
}

// Unseen are the names that no document had that was checked.
func (p *Plan) Unseen() []string {
	return slices.DeleteFunc(p.Names(), func(name string) bool { return p.seen[name] })
}

// visit notes the names of a value that its schema knows.
func (p *Plan) visit(schema map[string]any, def string, value any) {
	if to, ok := schema["$ref"].(string); ok {
		name := strings.TrimPrefix(to, "#/$defs/")
		if d, ok := p.definitions()[name]; ok {
			p.visit(d, name, value)
		}
		return
	}
	switch value := value.(type) {
	case []any:
		if items, ok := schema["items"].(map[string]any); ok {
			for _, v := range value {
				p.visit(items, def, v)
			}
		}
	case map[string]any:
		properties, _ := schema["properties"].(map[string]any)
		for key, v := range value {
			if next, ok := properties[key].(map[string]any); ok {
				p.seen[def+"."+key] = true
				p.visit(next, def, v)
			}
		}
	}
}

// leaves are the places of a mistake, each with what is wrong there.
func leaves(e *jsonschema.ValidationError) map[string]string {
	if len(e.Causes) == 0 {
		return map[string]string{"/" + strings.Join(e.InstanceLocation, "/"): e.Error()}
	}
	out := map[string]string{}
	for _, c := range e.Causes {
		maps.Copy(out, leaves(c))
	}
	return out
}
