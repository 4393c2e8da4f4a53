package schemas_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/tools/txtar"
	"gopkg.in/yaml.v3"

	"github.com/specbuild/specbuild/schemas"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/spectest"
)

var update = flag.Bool("update", false, "write the schemas")

// TestFiles holds the files of this folder to what the tables say.
func TestFiles(t *testing.T) {
	t.Parallel()
	for name, schema := range map[string]func() ([]byte, error){
		"image.schema.json": schemas.Image, "workspace.schema.json": schemas.Workspace,
	} {
		want, err := schema()
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(name, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the tables say; run go test ./schemas -run TestFiles -update", name)
		}
		var head struct {
			ID string `json:"$id"`
		}
		if err := json.Unmarshal(want, &head); err != nil || path.Base(head.ID) != name {
			t.Errorf("%s has the $id %q: %v", name, head.ID, err)
		}
	}
}

// compiled is a schema, itself judged by the schema of schemas.
func compiled(t *testing.T, schema func() ([]byte, error)) *jsonschema.Schema {
	t.Helper()
	text, err := schema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// instance is YAML as an editor's validator sees it.
func instance(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// What specbuild takes, the schema takes: the examples and the stories of the
// language that have no mistakes, told in YAML.
func TestSchemaTakesWhatValidateTakes(t *testing.T) {
	t.Parallel()
	image := compiled(t, schemas.Image)
	taken := 0
	take := func(name string, text []byte) {
		taken++
		if err := image.Validate(instance(t, text)); err != nil {
			t.Errorf("%s: %#v\n%s", name, err, text)
		}
	}
	translate := func(name string, hcl []byte) {
		text, err := spectest.YAML(name, hcl, spec.Grammar())
		if err != nil {
			t.Logf("%s is not to be read: %v", name, err)
			return
		}
		take(name, text)
	}
	for _, pattern := range []string{"../examples/*/image.hcl", "../spec/testdata/checkout/image.hcl"} {
		for _, file := range glob(t, pattern) {
			translate(file, read(t, file))
		}
	}
	for _, pattern := range []string{"../spec/testdata/body/*.txtar", "../spec/testdata/workspace/*.txtar"} {
		for _, file := range glob(t, pattern) {
			a := txtar.Parse(read(t, file))
			if !bytes.Contains(txtar.Format(a), []byte("-- want/")) || strings.Contains(string(txtar.Format(a)), "# want") {
				continue // a story of mistakes
			}
			for _, f := range a.Files {
				if base := path.Base(f.Name); base == "image.hcl" || strings.HasSuffix(base, ".image.hcl") {
					translate(file+"/"+f.Name, f.Data)
				}
			}
		}
	}
	for _, file := range glob(t, "testdata/good/*.yaml") {
		take(file, read(t, file))
	}
	if taken < 25 {
		t.Errorf("only %d specs were judged", taken)
	}
}

// Each file of testdata/bad says in its first line where the mistake is.
func TestSchemaRefuses(t *testing.T) {
	t.Parallel()
	image := compiled(t, schemas.Image)
	for _, f := range txtar.Parse(read(t, "testdata/bad.txtar")).Files {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			first, _, _ := strings.Cut(string(f.Data), "\n")
			want, ok := strings.CutPrefix(first, "# at ")
			if !ok {
				t.Fatalf("the first line is %q, not the place of a mistake", first)
			}
			err := image.Validate(instance(t, f.Data))
			var invalid *jsonschema.ValidationError
			if !errors.As(err, &invalid) {
				t.Fatalf("the schema takes it: %v", err)
			}
			if got := places(invalid); !got[want] {
				t.Errorf("refused at %v, want %s", got, want)
			}
		})
	}
}

// places are where a validator points.
func places(e *jsonschema.ValidationError) map[string]bool {
	out := map[string]bool{}
	if len(e.Causes) == 0 {
		out["/"+strings.Join(e.InstanceLocation, "/")] = true
	}
	for _, c := range e.Causes {
		for p := range places(c) {
			out[p] = true
		}
	}
	return out
}

// An unknown key is refused wherever there is no room for names of one's own.
func TestSchemaRefusesUnknownKeysEverywhere(t *testing.T) {
	t.Parallel()
	image := compiled(t, schemas.Image)
	text := read(t, "testdata/good/everything.yaml")
	refused := 0
	var visit func(v any, at []string)
	root := instance(t, text)
	visit = func(v any, at []string) {
		switch v := v.(type) {
		case map[string]any:
			v["No Such Key"] = map[string]any{}
			if err := image.Validate(root); err != nil {
				refused++
			} else if !open(at) {
				t.Errorf("/%s takes any key", strings.Join(at, "/"))
			}
			delete(v, "No Such Key")
			for k, e := range v {
				visit(e, append(at[:len(at):len(at)], k))
			}
		case []any:
			for _, e := range v {
				visit(e, append(at[:len(at):len(at)], "-"))
			}
		}
	}
	visit(root, nil)
	if refused < 40 {
		t.Errorf("only %d maps refuse unknown keys", refused)
	}
}

// open reports whether the names in a map are the author's.
func open(at []string) bool {
	for i, name := range at {
		switch name {
		case "locals", "module", "default", "for_each":
			return true
		}
		if i == len(at)-1 && (name == "test" || name == "file") {
			return true // any text can be a label
		}
	}
	return false
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("nothing matches %s: %v", pattern, err)
	}
	return files
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The schema says what the tables say: docs, defaults, words.
func TestSchemaSpeaks(t *testing.T) {
	t.Parallel()
	text, err := schemas.Image()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Defs map[string]struct {
			Description string
			Properties  map[string]struct {
				Description string
				Default     any
				AnyOf       []struct{ Enum []string }
			}
			Required []string
		} `json:"$defs"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	run := doc.Defs["run"]
	network := run.Properties["network"]
	if network.Default != "none" || !cmp.Equal(network.AnyOf[0].Enum, []string{"none", "outbound", "host"}) {
		t.Errorf("network: %+v", network)
	}
	if d := doc.Defs["copy"].Properties["to"].Description; !strings.HasPrefix(d, "Where they go") {
		t.Errorf("copy.to is described as %q", d)
	}
	if got := doc.Defs["copy"].Required; !cmp.Equal(got, []string{"to"}) {
		t.Errorf("copy requires %v", got)
	}
	for name, d := range doc.Defs {
		if d.Description == "" {
			t.Errorf("%s has no description", name)
		}
	}
}
