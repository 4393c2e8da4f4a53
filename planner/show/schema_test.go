package show

import (
	"reflect"
	"strings"
	"testing"

	"github.com/specbuild/specbuild/planner"
	"github.com/specbuild/specbuild/planner/pin"
	"github.com/specbuild/specbuild/schemas/schematest"
	"github.com/specbuild/specbuild/spec/diag"
)

// described are the definitions of the schema with what they are of.
func described() map[string]any {
	return map[string]any{
		"": document{}, "node": Step{}, "policy": Policy{}, "finding": finding{}, "setAside": aside{}, "change": pin.Change{},
		"image": planner.Image{}, "platformImage": planner.PlatformImage{}, "budget": planner.Budget{}, "instance": planner.Instance{},
		"source": planner.Source{}, "base": planner.BasePin{}, "context": planner.Context{}, "git": planner.GitPin{}, "http": planner.HTTPPin{},
		"secret": planner.Secret{}, "step": planner.Step{}, "copy": planner.Copy{}, "run": planner.Run{}, "mount": planner.Mount{},
		"packages": planner.Packages{}, "package": planner.Package{}, "mirror": planner.Mirror{}, "entry": planner.Entry{},
		"user": planner.User{}, "group": planner.Group{}, "config": planner.Config{}, "healthcheck": planner.Healthcheck{},
		"test": planner.Test{}, "testFile": planner.TestFile{},
	}
}

// The schema knows the names that are written, no others, which of them are
// always there, and their types.
func TestSchemaIsThePlans(t *testing.T) {
	t.Parallel()
	schema := schematest.NewPlan(t)
	known := map[string]bool{}
	for def, x := range described() {
		fields := reflect.TypeOf(x)
		for i := range fields.NumField() {
			name, omit := key(fields.Field(i))
			if name == "" {
				continue
			}
			known[def+"."+name] = true
			property, required, ok := schema.Property(def, name)
			if !ok {
				t.Errorf("%s.%s is written, and the schema has no such name", def, name)
				continue
			}
			if name != "range" && required == omit {
				t.Errorf("%s.%s is required: %v, and left out if empty: %v", def, name, required, omit)
			}
			if want, got := kind(fields.Field(i).Type), stated(property); want != got {
				t.Errorf("%s.%s is written as %s, and the schema says %s", def, name, want, got)
			}
		}
	}
	for _, name := range schema.Names() {
		if !known[name] {
			t.Errorf("the schema has %s, which is not written", name)
		}
	}
}

// kind is the type of JSON that a field is written as; of structs any is
// right here, since documents are judged by the schema too.
func kind(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[diag.Range]():
		return "a reference or a word"
	case t == reflect.TypeFor[[]planner.KV]():
		return "object"
	}
	switch t.Kind() {
	case reflect.Slice:
		return "array"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int64:
		return "integer"
	case reflect.Float64:
		return "number"
	}
	return "a reference or a word"
}

func stated(property map[string]any) string {
	if c, ok := property["const"]; ok {
		switch c.(type) {
		case bool:
			return "boolean"
		case float64:
			return "integer"
		}
	}
	word, _ := property["type"].(string)
	if word == "" || word == "string" {
		return "a reference or a word"
	}
	return word
}

// Nothing of this machine is written: paths below the workspace are from its
// root, others stay as the spec says them.
func TestPathsAreFromTheRoot(t *testing.T) {
	t.Parallel()
	doc := struct {
		Files  []string        `json:"file"`
		Base   planner.BasePin `json:"base"`
		Other  planner.BasePin `json:"other"`
		Image  planner.BasePin `json:"image"`
		Files2 planner.Context `json:"context"`
	}{
		Files:  []string{"/shop/keys/token", "/etc/token", "~/.netrc", "/shop/../etc/x"},
		Base:   planner.BasePin{Ref: "layout:/shop/vendor/os"},
		Other:  planner.BasePin{Ref: "layout:/srv/os"},
		Image:  planner.BasePin{Ref: "registry.example.com/os:1"},
		Files2: planner.Context{Addr: "//:context.default", Path: "src", Dir: "/shop/src"},
	}
	text, err := encode(doc, "/shop")
	if err != nil {
		t.Fatal(err)
	}
	got := string(text)
	for _, want := range []string{
		`"//keys/token"`, `"/etc/token"`, `"~/.netrc"`, `"/shop/../etc/x"`, `"ref": "layout:vendor/os"`, `"ref": "layout:/srv/os"`,
		`"ref": "registry.example.com/os:1"`, `"path": "src"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no %s in\n%s", want, got)
		}
	}
	if strings.Contains(got, `"/shop/src"`) {
		t.Errorf("a folder of this machine is in\n%s", got)
	}
}

// Lists are never null, places that there are none of are left out, and texts
// are as people wrote them.
func TestEmptyAndOdd(t *testing.T) {
	t.Parallel()
	run := planner.Run{Args: []string{"a<b", "é\n\""}, Workdir: "/", User: "0:0", Network: "none"}
	text, err := encode(planner.Step{Run: &run}, "/")
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "run": {
    "args": [
      "a<b",
      "é\n\""
    ],
    "env": {},
    "workdir": "/",
    "user": "0:0",
    "network": "none"
  }
}
`
	if string(text) != want {
		t.Errorf("got %s", text)
	}
	if text, err = encode(planner.Packages{Manager: "deb"}, "/"); err != nil || !strings.Contains(string(text), `"install": []`) {
		t.Errorf("a nil list: %s, %v", text, err)
	}
}
