package spec

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/eval"
	"github.com/specbuild/specbuild/spec/grammar"
)

// Paths: in the image, in a context, and on the machine.

var (
	absolutePath = formOf("an absolute path", parseAbsolute)
	pathList     = listOf("a list of absolute paths", absolutePath, distinctText)
	globPathList = pathList
	destination  = formOf("a path", parseDestination)
	sourceList   = oneOrListFilled("a path, or a list of paths and globs", formOf("a path or glob", parseSource))
	globList     = listOf("a list of paths and globs", formOf("a path or glob", parseGlob), nil)

	argv = valueType[[]string]{name: "a list of strings", form: grammar.Value{Type: grammar.List, Elem: &grammar.Value{Type: grammar.String}}, typ: cty.DynamicPseudoType, from: func(d *decoder, in input) ([]string, bool) {
		v, ok := argvOrEmpty.from(d, in)
		if ok && len(v) == 0 {
			d.invalid(in.at(), "%s is empty; it needs at least the program.", in.name)
			return nil, false
		}
		return v, ok
	}}
	// argvOrEmpty is exec form: a string would need a shell to be split, and
	// which one would be a guess.
	argvOrEmpty = valueType[[]string]{name: "a list of strings", form: grammar.Value{Type: grammar.List, Elem: &grammar.Value{Type: grammar.String}}, typ: cty.DynamicPseudoType, from: func(d *decoder, in input) ([]string, bool) {
		if in.v.Type() == cty.String {
			d.invalid(in.at(), "%s is a list, the program and its arguments, each for itself: write %s. No shell sees it; a shell, where one is wanted, is its first element: [\"/bin/sh\", \"-c\", …].",
				in.name, asList(in.v.AsString()))
			if list, ok := execForm(in.v.AsString()); ok {
				(*d.diags)[len(*d.diags)-1].Fix = rewriteText(in.source(d), in.at(), in.v.AsString(), list)
			}
			return nil, false
		}
		v, ok := textList.from(d, in)
		if ok && len(v) > 0 && v[0] == "" && in.name != "cmd" {
			d.invalid(in.elements()[0].at(), "%s begins with an empty string; the first element is the program.", in.name)
			return nil, false
		}
		if i := slices.IndexFunc(v, func(s string) bool { return strings.ContainsRune(s, 0) }); ok && i >= 0 {
			d.invalid(in.elements()[i].at(), "%s holds a NUL character, which no program can be given.", in.name)
			return nil, false
		}
		return v, ok
	}}
	// script is a text for a shell; an empty one is most often a file that was
	// not found by another tool's rules.
	script = formOf("a string", func(s string) (string, error) {
		switch {
		case strings.TrimSpace(s) == "":
			return "", errors.New("the script is empty")
		case strings.ContainsRune(s, 0):
			return "", errors.New("the script holds a NUL character, which no shell can be given")
		}
		return s, nil
	})
	// cacheList is the short form of mount "cache".
	cacheList = valueType[[]Mount]{name: "a list of absolute paths", form: grammar.Value{Type: grammar.List, Elem: &grammar.Value{Type: grammar.String}}, typ: cty.DynamicPseudoType, from: func(d *decoder, in input) ([]Mount, bool) {
		targets, ok := pathList.from(d, in)
		if !ok {
			return nil, false
		}
		mounts := make([]Mount, len(targets))
		for i, e := range in.elements() {
			at := e.at()
			mounts[i] = Mount{
				Range: at, Type: "cache",
				Target:  Attr[string]{V: targets[i], Range: at, Set: true},
				ID:      Attr[string]{V: targets[i]},
				Sharing: Attr[string]{V: "shared"},
			}
		}
		return mounts, true
	}}
)

// asList guesses the list that a command line meant.
func asList(command string) string {
	if list, ok := execForm(command); ok {
		return list
	}
	words := strings.Fields(command)
	for i, w := range words {
		words[i] = quote(w)
	}
	return "[" + strings.Join(words, ", ") + "]"
}

// oneOrListFilled is oneOrList with at least one element.
func oneOrListFilled(name string, one valueType[string]) valueType[[]string] {
	vt := oneOrList(name, one)
	from := vt.from
	vt.from = func(d *decoder, in input) ([]string, bool) {
		v, ok := from(d, in)
		return v, ok && atLeastOne(d, in, v)
	}
	return vt
}

// checkText refuses what no path can hold.
func checkText(s string) error {
	switch {
	case s == "":
		return errors.New("the path is empty")
	case strings.ContainsAny(s, "\x00\n"):
		return fmt.Errorf("%q holds a character that a path cannot", s)
	case slices.Contains(strings.Split(s, "/"), ".."):
		return fmt.Errorf("%q has \"..\" in it; write the path that is meant, from the root of what it is in", s)
	}
	return nil
}

// parseAbsolute takes a path in its shortest form only: two ways to write one
// path would be two keys, two mounts or two volumes.
func parseAbsolute(s string) (string, error) {
	if err := checkText(s); err != nil {
		return "", err
	}
	if !strings.HasPrefix(s, "/") {
		absolute := path.Clean("/" + s)
		return "", meant{fmt.Errorf("%q is not absolute; write %q, or where else it is from the root", s, absolute), absolute}
	}
	if clean := path.Clean(s); clean != s {
		return "", meant{fmt.Errorf("%q is not in its shortest form; write %q", s, clean), clean}
	}
	return s, nil
}

// checkPath judges the path that a block has as its label.
func checkPath(d *decoder, s string, at diag.Range) {
	if _, err := parseAbsolute(s); err != nil {
		eval.Report(d.diags, at, "Invalid value", "the path", err)
	}
}

// parseDestination keeps a slash at the end, which says that it is a folder.
func parseDestination(s string) (string, error) {
	if err := checkText(s); err != nil {
		return "", err
	}
	clean := path.Clean(s)
	if strings.HasSuffix(s, "/") && clean != "/" {
		clean += "/"
	}
	if s != clean && s != "./"+clean {
		return "", meant{fmt.Errorf("%q is not in its shortest form; write %q", s, clean), clean}
	}
	return s, nil
}

// parseSource normalises "./go.mod", "cmd/" and "/" to "go.mod", "cmd" and
// ".": the root of a context or file system is the same from everywhere.
func parseSource(s string) (string, error) {
	if err := checkText(s); err != nil {
		return "", err
	}
	if err := checkGlob(s); err != nil {
		return "", err
	}
	clean := path.Clean(s)
	if clean == "/" {
		return ".", nil
	}
	return clean, nil
}

// parseGlob refuses the negation of .dockerignore, whose meaning depends on
// the order of lines.
func parseGlob(s string) (string, error) {
	if strings.HasPrefix(s, "!") {
		return "", fmt.Errorf("%q begins with \"!\"; what is taken is said by include, what is left out by exclude", s)
	}
	return parseSource(s)
}

// checkGlob asks the library that will match it.
func checkGlob(s string) error {
	if !doublestar.ValidatePattern(s) {
		return fmt.Errorf("%q is not a glob; *, ?, [a-z], {a,b} and ** are known, and a bracket that is meant as itself is written \\[", s)
	}
	return nil
}

// folderPath is a folder of the workspace; its value is its path below the root.
var folderPath = valueType[string]{name: "a folder", form: grammar.Value{Type: grammar.String}, typ: cty.String, from: func(d *decoder, in input) (string, bool) {
	s, ok := text.from(d, in)
	if !ok {
		return "", false
	}
	rel, err := eval.Resolve(d.mod.dir, s)
	if err != nil {
		d.refused(in, err)
		return "", false
	}
	if err := checkFolder(d.mod.root, rel, s); err != nil {
		d.refused(in, err)
		return "", false
	}
	return rel, true
}}

// checkFolder looks whether a folder is there, and below the root also when
// links are followed.
func checkFolder(root, rel, written string) error {
	dir := filepath.Join(root, filepath.FromSlash(rel))
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("there is no folder %q", written)
	case err != nil:
		return fmt.Errorf("the folder %q cannot be read", written)
	case !info.IsDir():
		return fmt.Errorf("%q is a file; a folder is needed", written)
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return fmt.Errorf("the folder %q cannot be read", written)
	}
	if base, err := filepath.EvalSymlinks(root); err != nil || !within(base, real) {
		return fmt.Errorf("%q is a link that leads out of the workspace", written)
	}
	return nil
}

// within reports whether dir is root or below it; both are absolute.
func within(root, dir string) bool {
	rel, err := filepath.Rel(root, dir)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// secretFile is a file that need not be there yet, nor in the workspace.
var secretFile = valueType[string]{name: "a path", form: grammar.Value{Type: grammar.String}, typ: cty.String, from: func(d *decoder, in input) (string, bool) {
	s, ok := text.from(d, in)
	switch {
	case !ok:
		return "", false
	case s == "" || strings.ContainsRune(s, 0):
		d.invalid(in.at(), "%s is %q, which is no path.", in.name, s)
		return "", false
	case strings.HasPrefix(s, "~/") || filepath.IsAbs(s) && !strings.HasPrefix(s, "//"):
		return s, true
	}
	rel, err := eval.Resolve(d.mod.dir, s)
	if err != nil {
		d.refused(in, err)
		return "", false
	}
	return filepath.Join(d.mod.root, filepath.FromSlash(rel)), true
}}
