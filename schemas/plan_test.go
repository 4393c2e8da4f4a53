package schemas_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/specbuild/specbuild/schemas"
	"github.com/specbuild/specbuild/schemas/schematest"
)

// The plan's schema is one, has its address, and says of everything what it is.
func TestPlanSpeaks(t *testing.T) {
	t.Parallel()
	p := schematest.NewPlan(t)
	names := p.Names()
	if len(names) < 150 {
		t.Errorf("only %d names are described", len(names))
	}
	var doc struct {
		ID   string `json:"$id"`
		Defs map[string]struct{ Description string }
	}
	if err := json.Unmarshal(schemas.Plan(), &doc); err != nil || path.Base(doc.ID) != "plan.schema.json" {
		t.Errorf("its $id is %q: %v", doc.ID, err)
	}
	for _, name := range names {
		def, key, _ := strings.Cut(name, ".")
		property, _, _ := p.Property(def, key)
		if property["description"] == nil && property["$ref"] == nil {
			t.Errorf("%s has no description", name)
		}
	}
}

// A newer specbuild may print more: readers with this schema take it.
func TestPlanTakesMore(t *testing.T) {
	t.Parallel()
	if text := string(schemas.Plan()); strings.Contains(text, `"additionalProperties": false`) {
		t.Error("the plan's schema refuses names that a later version adds")
	}
}

// property is what a page needs of a name's schema.
type property struct {
	Ref         string `json:"$ref"`
	Type        string
	Description string
	Enum        []string
	Items       *property
	Additional  *property `json:"additionalProperties"`
}

// definition is an object of the schema.
type definition struct {
	property
	Properties map[string]property
	Required   []string
}

// TestPlanPage holds the tables of docs/plan.md to the schema.
func TestPlanPage(t *testing.T) {
	t.Parallel()
	const page, begin, end = "../docs/plan.md", "<!-- made of the schema -->\n", "<!-- end -->"
	var doc struct {
		definition
		Defs map[string]definition `json:"$defs"`
	}
	if err := json.Unmarshal(schemas.Plan(), &doc); err != nil {
		t.Fatal(err)
	}
	made := "\n" + table("At the top", doc.definition, doc.Defs)
	for _, name := range slices.Sorted(maps.Keys(doc.Defs)) {
		if d := doc.Defs[name]; len(d.Properties) > 0 {
			made += "### " + name + "\n\n" + d.Description + "\n\n" + table(name, d, doc.Defs)
		}
	}
	text := string(read(t, page))
	before, rest, ok := strings.Cut(text, begin)
	_, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		t.Fatalf("%s has no place for the tables", page)
	}
	want := before + begin + made + end + after
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(want, text); diff != "" {
		t.Errorf("%s is not what the schema says; run go test ./schemas -run TestPlanPage -update\n%s", page, diff)
	}
}

// table is the names of an object, those that are always there first.
func table(name string, d definition, defs map[string]definition) string {
	var out strings.Builder
	out.WriteString("| name | form | what it is |\n|---|---|---|\n")
	names := slices.Sorted(maps.Keys(d.Properties))
	slices.SortStableFunc(names, func(a, b string) int {
		return slices.Index(d.Required, a) - slices.Index(d.Required, b)
	})
	always := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !slices.Contains(d.Required, n) })
	sometimes := slices.DeleteFunc(names, func(n string) bool { return slices.Contains(d.Required, n) })
	for _, n := range append(always, sometimes...) {
		p, shown := d.Properties[n], "`"+n+"`"
		if name != "At the top" && !slices.Contains(d.Required, n) {
			shown += " ?"
		}
		said := p.Description
		if said == "" {
			said = defs[strings.TrimPrefix(p.Ref, "#/$defs/")].Description
		}
		fmt.Fprintf(&out, "| %s | %s | %s |\n", shown, form(p, defs), strings.ReplaceAll(said, "|", "\\|"))
	}
	return out.String() + "\n"
}

// form is the type of a value in a word or two.
func form(p property, defs map[string]definition) string {
	name := strings.TrimPrefix(p.Ref, "#/$defs/")
	switch {
	case p.Ref != "" && len(defs[name].Properties) > 0:
		return "[" + name + "](#" + strings.ToLower(name) + ")"
	case p.Ref != "":
		return name
	case p.Items != nil:
		return "list of " + form(*p.Items, defs)
	case p.Additional != nil:
		return "map of names to texts"
	case len(p.Enum) > 0:
		return "`" + strings.Join(p.Enum, "`, `") + "`"
	case p.Type == "string":
		return "text"
	case p.Type == "":
		return "constant"
	}
	return p.Type
}
