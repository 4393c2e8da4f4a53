package dag_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/specbuild/specbuild/lower/dag"
)

// full gives every field of a value something that is not its zero, lists two
// elements, pointers something to point at.
func full(v reflect.Value, seed *int) {
	*seed++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("s%d", *seed))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*seed))
	case reflect.Float64:
		v.SetFloat(float64(*seed))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		full(v.Index(0), seed)
		full(v.Index(1), seed)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		full(v.Elem(), seed)
	case reflect.Struct:
		for i := range v.NumField() {
			full(v.Field(i), seed)
		}
	}
}

// ops are one of each kind, all fields set. A file step is one of three.
func ops() []dag.Op {
	out := []dag.Op{&dag.Base{}, &dag.Local{}, &dag.Git{}, &dag.HTTP{}, &dag.Copy{}, &dag.Run{}, &dag.Packages{}, &dag.Image{}, &dag.Index{}, &dag.Test{}}
	seed := 0
	for _, op := range out {
		full(reflect.ValueOf(op).Elem(), &seed)
	}
	var entry dag.FileEntry
	var user dag.User
	var group dag.Group
	full(reflect.ValueOf(&entry).Elem(), &seed)
	full(reflect.ValueOf(&user).Elem(), &seed)
	full(reflect.ValueOf(&group).Elem(), &seed)
	return append(out, &dag.Files{Steps: []dag.FileStep{{Entry: &entry}, {User: &user}, {Group: &group}}}, dag.Scratch{})
}

// change is one way to alter a value in place, and back.
type change struct {
	field    string
	do, undo func()
}

// changes lists a change for each field at any depth, and for each list one
// that drops its last element and one that swaps two.
func changes(v reflect.Value, path string) []change {
	old := reflect.New(v.Type()).Elem()
	old.Set(v)
	put := func(name string, n any) change {
		return change{path + name, func() { v.Set(reflect.ValueOf(n).Convert(v.Type())) }, func() { v.Set(old) }}
	}
	switch v.Kind() {
	case reflect.String:
		return []change{put("", v.String()+"x")}
	case reflect.Bool:
		return []change{put("", !v.Bool())}
	case reflect.Int, reflect.Int64:
		return []change{put("", v.Int()+1)}
	case reflect.Slice:
		swapped := reflect.MakeSlice(v.Type(), 0, v.Len())
		swapped = reflect.AppendSlice(reflect.Append(swapped, v.Index(1), v.Index(0)), v.Slice(2, v.Len()))
		out := []change{put(" shorter", v.Slice(0, v.Len()-1).Interface()), put(" swapped", swapped.Interface())}
		for i := range v.Len() {
			out = append(out, changes(v.Index(i), fmt.Sprintf("%s[%d]", path, i))...)
		}
		return out
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		out := changes(v.Elem(), path)
		if v.Type() != reflect.TypeFor[*dag.Healthcheck]() {
			return out // one of a step's three: without it the step says nothing
		}
		return append(out, change{path + " nil", func() { v.SetZero() }, func() { v.Set(old) }})
	case reflect.Struct:
		var out []change
		for i := range v.NumField() {
			out = append(out, changes(v.Field(i), path+"."+v.Type().Field(i).Name)...)
		}
		return out
	}
	return nil
}

func id(op dag.Op, inputs ...dag.ID) dag.ID {
	var b dag.Builder
	for range inputs {
		b.Add(dag.Scratch{}, nil, dag.Meta{})
	}
	return b.Add(op, inputs, dag.Meta{})
}

// Where a package comes from is not what it is: the only fields of an
// operation that its documentation leaves out of the ID. Size follows from
// the sha256.
func beside(field string) bool {
	return strings.HasPrefix(field, "packages.Packages[") &&
		(strings.HasSuffix(field, "].Source") || strings.HasSuffix(field, "].Path") || strings.HasSuffix(field, "].Size"))
}

func TestEveryFieldIsInTheID(t *testing.T) {
	t.Parallel()
	count := 0
	for _, op := range ops() {
		if op.Kind() == "scratch" {
			continue
		}
		seen := map[dag.ID]string{id(op): "nothing"}
		for _, c := range changes(reflect.ValueOf(op).Elem(), op.Kind()) {
			count++
			c.do()
			got := id(op)
			c.undo()
			if other, same := seen[got]; same != beside(c.field) {
				t.Errorf("a change of %s and of %s: one ID is %v", c.field, other, same)
			}
			if !beside(c.field) {
				seen[got] = c.field
			}
		}
	}
	if count < 150 { // else the walk has lost its way
		t.Errorf("only %d changes were tried", count)
	}
}

func TestKindsDiffer(t *testing.T) {
	t.Parallel()
	seen := map[dag.ID]string{}
	for _, op := range []dag.Op{
		&dag.Base{}, &dag.Local{}, &dag.Copy{}, &dag.Run{}, &dag.Packages{}, &dag.Image{}, &dag.Index{}, &dag.Test{}, &dag.Files{}, dag.Scratch{},
	} {
		if other, same := seen[id(op)]; same {
			t.Errorf("an empty %s is an empty %s", op.Kind(), other)
		}
		seen[id(op)] = op.Kind()
	}
}

// A value can hold anything: what it says must not read as lines, fields or
// quotes of its own.
func TestLinesCannotBeForged(t *testing.T) {
	t.Parallel()
	for name, pair := range map[string][2]dag.Op{
		"a line end":     {&dag.Run{Args: []string{"a\narg \"b\""}}, &dag.Run{Args: []string{"a", "b"}}},
		"a quote":        {&dag.Run{Args: []string{`a"` + "\n" + `arg "b`}}, &dag.Run{Args: []string{"a", "b"}}},
		"a space":        {&dag.Run{Env: []dag.KV{{"A", `1" "2`}}}, &dag.Run{Env: []dag.KV{{`A" "1`, "2"}}}},
		"an empty word":  {&dag.Run{Args: []string{"a", ""}}, &dag.Run{Args: []string{"a"}}},
		"a backslash":    {&dag.Run{Args: []string{`\n`}}, &dag.Run{Args: []string{"\n"}}},
		"no UTF-8":       {&dag.Run{Args: []string{"\xff"}}, &dag.Run{Args: []string{`\xff`}}},
		"other bytes":    {&dag.Run{Args: []string{"\xff"}}, &dag.Run{Args: []string{"\xfe"}}},
		"the borders":    {&dag.Copy{Sources: []string{"a"}, Exclude: []string{"b"}}, &dag.Copy{Sources: []string{"a", "b"}}},
		"no outputs":     {&dag.Run{OutputsOn: true}, &dag.Run{}},
		"a user, a file": {&dag.Files{Steps: []dag.FileStep{{Entry: &dag.FileEntry{Type: "group", Path: "a"}}}}, &dag.Files{Steps: []dag.FileStep{{Group: &dag.Group{Name: "a"}}}}},
		"an input":       {&dag.Base{Platform: "x\"\ninput " + string(id(dag.Scratch{}))}, &dag.Base{Platform: "x"}},
	} {
		if id(pair[0]) == id(pair[1]) {
			t.Errorf("%s: %q and %q are one", name, dag.Lines(pair[0]), dag.Lines(pair[1]))
		}
		for _, op := range pair {
			for _, line := range dag.Lines(op) {
				if strings.ContainsAny(line, "\n\r") {
					t.Errorf("%s: a line is %q", name, line)
				}
			}
		}
	}
}

func TestInputsAreInTheID(t *testing.T) {
	t.Parallel()
	var b dag.Builder
	one := b.Add(&dag.Base{Digest: "1"}, nil, dag.Meta{})
	two := b.Add(&dag.Base{Digest: "2"}, nil, dag.Meta{})
	seen := map[dag.ID]bool{}
	for _, inputs := range [][]dag.ID{nil, {one}, {two}, {one, two}, {two, one}, {one, one}} {
		got := b.Add(&dag.Image{}, inputs, dag.Meta{})
		if seen[got] {
			t.Errorf("the inputs %v give an ID that was there", inputs)
		}
		seen[got] = true
	}
}

// Meta is for people and machines; equal nodes are one, with what the first
// one says.
func TestMetaIsInNoID(t *testing.T) {
	t.Parallel()
	var meta dag.Meta
	seed := 0
	full(reflect.ValueOf(&meta).Elem(), &seed)
	for _, op := range ops() {
		var b dag.Builder
		first := b.Add(op, nil, dag.Meta{Title: "first"})
		second := b.Add(op, nil, meta)
		if first != second {
			t.Errorf("%s: Meta changes the ID", op.Kind())
		}
		b.Output(dag.Output{Node: first})
		g := b.Graph()
		if len(g.Nodes) != 1 || g.Nodes[0].Meta.Title != "first" {
			t.Errorf("%s: the nodes are %+v", op.Kind(), g.Nodes)
		}
	}
}

// sample is a graph of all kinds, and a node that nothing needs.
func sample() *dag.Graph {
	var b dag.Builder
	var meta dag.Meta
	seed := 0
	full(reflect.ValueOf(&meta).Elem(), &seed)
	b.Add(&dag.Base{Digest: "not needed"}, nil, dag.Meta{})
	var last []dag.ID
	for _, op := range ops() {
		id := b.Add(op, last, meta)
		last = []dag.ID{id}
	}
	test := b.Add(&dag.Test{Name: "beside"}, last, dag.Meta{})
	var out dag.Output
	full(reflect.ValueOf(&out).Elem(), &seed)
	out.Node, out.Images, out.Tests, out.Platforms = last[0], last, []dag.ID{test}, []string{"linux/amd64"}
	b.Output(out)
	return b.Graph()
}

func TestGraphHoldsWhatIsNeeded(t *testing.T) {
	t.Parallel()
	g := sample()
	if len(g.Nodes) != len(ops())+1 {
		t.Errorf("there are %d nodes, and %d are needed", len(g.Nodes), len(ops())+1)
	}
	seen := map[dag.ID]bool{}
	for _, n := range g.Nodes {
		if b, ok := n.Op.(*dag.Base); ok && b.Digest == "not needed" {
			t.Error("what no output needs is there")
		}
		for _, in := range n.Inputs {
			if !seen[in] {
				t.Errorf("%s stands before its input", n.Op.Kind())
			}
		}
		seen[n.ID] = true
		if found, ok := g.Node(n.ID); !ok || found.ID != n.ID {
			t.Errorf("%s is not found", n.Op.Kind())
		}
	}
	if _, ok := g.Node("gone"); ok {
		t.Error("a node that is not there is found")
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	g := sample()
	text, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	var back dag.Graph
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(g.Nodes, back.Nodes); d != "" {
		t.Errorf("the nodes read back:\n%s", d)
	}
	if d := cmp.Diff(g.Outputs, back.Outputs); d != "" {
		t.Errorf("the outputs read back:\n%s", d)
	}
}

// A document is from outside: one that lies is refused, with what is wrong.
func TestJSONThatLies(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(sample())
	if err != nil {
		t.Fatal(err)
	}
	first := string(sample().Nodes[0].ID)
	for want, change := range map[string]func(string) string{
		"read a graph":             func(s string) string { return s[:len(s)-1] },
		"its version is 7":         func(s string) string { return strings.Replace(s, `"version":1`, `"version":7`, 1) },
		"is unknown":               func(s string) string { return strings.Replace(s, `"kind":"base"`, `"kind":"bass"`, 1) },
		"what it says has the ID":  func(s string) string { return strings.Replace(s, `"Digest":"s`, `"Digest":"x`, 1) },
		"does not stand before it": func(s string) string { return strings.Replace(s, `"inputs":["`+first, `"inputs":["0`+first[1:], 1) },
		"there is no node":         func(s string) string { return strings.Replace(s, `"Tests":["`, `"Tests":["0`, 1) },
		"1 images and 2 platforms": func(s string) string {
			return strings.Replace(s, `"Platforms":["linux/amd64"`, `"Platforms":["a","b"`, 1)
		},
	} {
		changed := change(string(text))
		if changed == string(text) {
			t.Errorf("%s: nothing was changed", want)
		}
		kept := *sample()
		err := json.Unmarshal([]byte(changed), &kept)
		if err == nil || !strings.Contains(err.Error(), want) && want != "read a graph" {
			t.Errorf("%s: %v", want, err)
		}
		if len(kept.Nodes) != len(sample().Nodes) {
			t.Errorf("%s: the graph was changed by what was refused", want)
		}
	}
}

// What DOT and text quote comes from a spec: it stays one line, one label.
func TestOutputsForPeopleStayInTheirLines(t *testing.T) {
	t.Parallel()
	var b dag.Builder
	n := b.Add(dag.Scratch{}, nil, dag.Meta{Name: `a"];b`, Title: `say "x\" ]; y`})
	b.Output(dag.Output{Addr: "image.web", Node: n})
	var dot, text strings.Builder
	if err := b.Graph().WriteDOT(&dot); err != nil {
		t.Fatal(err)
	}
	if err := b.Graph().WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(dot.String(), `label="a\"];b"`) || !strings.Contains(dot.String(), `say \"x\\\" ]; y\n`) {
		t.Errorf("DOT is\n%s", dot.String())
	}
	if lines := slices.Collect(strings.Lines(text.String())); len(lines) != 2 || !strings.HasPrefix(lines[1], "output image.web = ") {
		t.Errorf("the text is %q", lines)
	}
}
