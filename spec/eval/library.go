package eval

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/syntax"
)

// Library is the functions of the language over one workspace. Make one a
// load: the functions of a folder are made once and shared. It is safe for
// use by several goroutines.
type Library struct {
	files *Files // nil where no file may be read
	pure  map[string]function.Function

	mu      sync.Mutex
	folders map[string]map[string]function.Function
}

// NewLibrary makes the functions. Without files the four that read files are
// there and answer that they cannot.
func NewLibrary(files *Files) *Library {
	return &Library{files: files, pure: pure(), folders: map[string]map[string]function.Function{}}
}

// Functions is all functions as a file in the folder dir sees them; dir is
// below the workspace's root, slash-separated, "." for the root. The map is
// shared: it must not be changed.
func (l *Library) Functions(dir string) map[string]function.Function {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m, ok := l.folders[dir]; ok {
		return m
	}
	m := maps.Clone(l.pure)
	for name, f := range l.reading(dir) {
		m[name] = guard(wrapped{f: f})
	}
	l.folders[dir] = m
	return m
}

func (l *Library) reading(dir string) map[string]function.Function {
	return map[string]function.Function{
		"file": textFunc([]string{"path"}, cty.String, func(a []string) (cty.Value, error) {
			s, err := l.text(dir, a[0])
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return cty.StringVal(s), nil
		}),
		"filesha256": textFunc([]string{"path"}, cty.String, func(a []string) (cty.Value, error) {
			b, err := l.bytes(dir, a[0])
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			sum := sha256.Sum256(b)
			return cty.StringVal(hex.EncodeToString(sum[:])), nil
		}),
		"fileset": textFunc([]string{"path", "pattern"}, cty.Set(cty.String), func(a []string) (cty.Value, error) {
			return l.fileset(dir, a[0], a[1])
		}),
		"templatefile": l.templateFunc(dir),
	}
}

// BecameText tells whether one of the functions has made a string of a file,
// and gives the name that it was read by ([Files.BecameText]).
func (l *Library) BecameText(file fs.FileInfo) (name string, ok bool) {
	if l.files == nil {
		return "", false
	}
	return l.files.BecameText(file)
}

func (l *Library) bytes(dir, name string) ([]byte, error) {
	if l.files == nil {
		return nil, errors.New("no file can be read here")
	}
	p, err := Resolve(dir, name)
	if err != nil {
		return nil, err
	}
	return l.files.Read(p)
}

func (l *Library) text(dir, name string) (string, error) {
	if l.files == nil {
		return "", errors.New("no file can be read here")
	}
	p, err := Resolve(dir, name)
	if err != nil {
		return "", err
	}
	return l.files.Text(p)
}

func (l *Library) fileset(dir, folder, pattern string) (cty.Value, error) {
	if l.files == nil {
		return cty.NilVal, errors.New("no file can be read here")
	}
	p, err := Resolve(dir, folder)
	if err != nil {
		return cty.NilVal, function.NewArgError(0, err)
	}
	names, err := l.files.Glob(p, pattern)
	if err != nil {
		return cty.NilVal, function.NewArgError(1, err)
	}
	if len(names) == 0 {
		return cty.SetValEmpty(cty.String), nil
	}
	vals := make([]cty.Value, len(names))
	for i, n := range names {
		vals[i] = cty.StringVal(n)
	}
	return cty.SetVal(vals), nil
}

// templateFunc is Terraform's templatefile: the file is the inside of a
// string, the second argument's attributes are its only names, and it may
// call every function but itself. Paths in it are relative to its own folder.
func (l *Library) templateFunc(dir string) function.Function {
	render := func(args []cty.Value) (cty.Value, error) {
		name := args[0].AsString()
		text, err := l.text(dir, name)
		if err != nil {
			return cty.NilVal, function.NewArgError(0, err)
		}
		vars := args[1]
		if t := vars.Type(); vars.IsNull() || !t.IsObjectType() && !t.IsMapType() {
			return cty.NilVal, function.NewArgErrorf(1, "a map of names to values is required")
		}
		p, _ := Resolve(dir, name) // text has resolved it
		return l.render(p, text, vars)
	}
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}, {Name: "vars", Type: cty.DynamicPseudoType}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if !args[1].IsWhollyKnown() {
				return cty.UnknownVal(cty.String), nil
			}
			return render(args)
		},
	})
}

func (l *Library) render(name, text string, vars cty.Value) (cty.Value, error) {
	expr, diags := syntax.ParseTemplate("//"+name, []byte(text))
	if diags.HasErrors() {
		return cty.NilVal, function.NewArgErrorf(0, "%s", inFile(diags))
	}
	funcs := maps.Clone(l.Functions(path.Dir(name)))
	delete(funcs, "templatefile")
	scope := Scope{Context: &hcl.EvalContext{Variables: vars.AsValueMap(), Functions: funcs}}
	if scope.Context.Variables == nil {
		scope.Context.Variables = map[string]cty.Value{}
	}
	v, diags := scope.Value(expr)
	if diags.HasErrors() {
		return cty.NilVal, function.NewArgErrorf(0, "%s", inFile(diags))
	}
	s, err := convert.Convert(v, cty.String)
	if err != nil {
		return cty.NilVal, function.NewArgErrorf(0, "the template does not give a string: %s", err)
	}
	return s, nil
}

// inFile puts the mistakes of a template file into the one message of the
// call, with their own places.
func inFile(l diag.List) string {
	var lines []string
	for _, d := range l.Sorted() {
		lines = append(lines, fmt.Sprintf("%s: %s", d.Range, d.Detail))
	}
	return strings.TrimSuffix(strings.Join(lines, "\n"), ".")
}
