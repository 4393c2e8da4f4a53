package spec

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/specbuild/specbuild/spec/eval"
	"github.com/specbuild/specbuild/spec/grammar"
)

const languagePage = "../docs/language.md"

// TestLanguagePage holds the reference to the tables: what stands in
// docs/language.md between <!-- made: NAME --> and <!-- end --> is made here,
// the rest is written by hand.
func TestLanguagePage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(languagePage)
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{
		"blocks": blocksPart(), "steps": stepsPart(), "workspace": workspacePart(), "policy": policyPart(), "functions": functionsPart(), "habits": habitsPart(),
	}
	want := string(page)
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		before, rest, ok := strings.Cut(want, "<!-- made: "+name+" -->\n")
		_, after, ended := strings.Cut(rest, "<!-- end -->\n")
		if !ok || !ended {
			t.Errorf("docs/language.md has no place for the part %q", name)
			continue
		}
		want = before + "<!-- made: " + name + " -->\n" + parts[name] + "<!-- end -->\n" + after
	}
	if *update {
		if err := os.WriteFile(languagePage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(page)); diff != "" {
		t.Errorf("docs/language.md is not what the tables say; run go test ./spec -run TestLanguagePage -update\n%s", diff)
	}
}

// What the page shows as a whole spec has no mistakes.
func TestLanguagePageExamples(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(languagePage)
	if err != nil {
		t.Fatal(err)
	}
	judged := 0
	for _, fence := range []string{"hcl", "yaml"} {
		for _, chunk := range strings.Split(string(page), "```"+fence+"\n")[1:] {
			text, _, _ := strings.Cut(chunk, "```")
			name, ok := strings.CutPrefix(strings.SplitN(text, "\n", 2)[0], "# ")
			if !ok || !isSpec(name) && !isYAML(name) {
				continue // a part of one
			}
			judged++
			dir := t.TempDir()
			unpack(t, dir, &txtar.Archive{Files: []txtar.File{{Name: name, Data: []byte(text)}, {Name: ".git/HEAD"}}})
			mustLoad(t, Options{Dir: dir, Version: "0.1.0"})
		}
	}
	if judged != 2 {
		t.Errorf("%d specs of the page were judged", judged)
	}
}

func blocksPart() string {
	var p page
	for _, b := range Grammar().Blocks {
		p.block(b, "###", "", func(n *grammar.Block) bool { return !n.Step })
	}
	return p.String()
}

func stepsPart() string {
	var p page
	for _, b := range Grammar().Nested("stage")[0].Blocks {
		if b.Step {
			p.block(b, "###", "", func(*grammar.Block) bool { return true })
		}
	}
	return p.String()
}

func workspacePart() string {
	var p page
	for _, b := range WorkspaceGrammar().Blocks {
		if len(Grammar().Nested(b.Name)) == 0 {
			p.block(b, "###", "", func(*grammar.Block) bool { return true })
		}
	}
	return p.String()
}

func policyPart() string {
	var p page
	for _, b := range PolicyGrammar().Blocks {
		if len(Grammar().Nested(b.Name)) == 0 {
			p.block(b, "###", "", func(*grammar.Block) bool { return true })
		}
	}
	// Policies are HCL: nobody's services are written in them.
	return regexp.MustCompile(` In YAML: .*`).ReplaceAllString(p.String(), "")
}

type page struct{ strings.Builder }

// block writes a block and those in it that are wanted, which stand below it.
func (p *page) block(b *grammar.Block, level, in string, want func(*grammar.Block) bool) {
	if b.Doc == "" {
		return // of the language, but not of this version
	}
	fmt.Fprintf(p, "\n%s %s\n\n%s%s\n", level, heading(b, in), b.Doc, notes(b))
	var rows [][4]string
	for _, a := range b.Attributes {
		if a.Name == whenRow.name && b.Label != grammar.LabelText {
			continue // when is said once, above all steps
		}
		def := a.Default
		if a.Required {
			def = "required"
		}
		rows = append(rows, [4]string{"`" + a.Name + "`", a.Kind, def, strings.ToUpper(a.Doc[:1]) + a.Doc[1:]})
	}
	if len(rows) > 0 {
		p.WriteString("\n| attribute | value | default | |\n|---|---|---|---|\n")
		for _, r := range rows {
			for i := range r {
				r[i] = strings.ReplaceAll(r[i], "|", "\\|")
			}
			fmt.Fprintf(p, "| %s | %s | %s | %s |\n", r[0], r[1], r[2], r[3])
		}
	}
	for _, n := range b.Blocks {
		if want(n) {
			p.block(n, level+"#", b.Name, want)
		}
	}
}

// heading is a block as it is written in HCL.
func heading(b *grammar.Block, in string) string {
	name := "`" + b.Name + "`"
	switch {
	case b.Variant != "":
		name = "`" + b.Name + " \"" + b.Variant + "\"`"
	case b.Label != grammar.LabelNone:
		name = "`" + b.Name + " \"…\"`"
	}
	if in != "" {
		name += " in `" + in + "`"
	}
	return name
}

// notes are the sentences after a block's doc: what excludes what, and how it
// is written in YAML.
func notes(b *grammar.Block) string {
	var out strings.Builder
	for _, c := range b.Choices {
		names := "`" + strings.Join(c.Names, "`, `") + "`"
		if c.Optional {
			fmt.Fprintf(&out, " At most one of %s.", names)
		} else {
			fmt.Fprintf(&out, " Exactly one of %s.", names)
		}
	}
	fmt.Fprintf(&out, " In YAML: `%s`.", yamlForm(b))
	return out.String()
}

func yamlForm(b *grammar.Block) string {
	switch {
	case b.Step && b.Variant != "":
		return "- " + b.Name + ": {" + b.Variant + ": {…}}"
	case b.Step && b.Label != grammar.LabelNone:
		return "- " + b.Name + ": {NAME: {…}}"
	case b.Step:
		return "- " + b.Name + ": {…}"
	case b.Variant != "":
		return b.Name + "s: [{" + b.Variant + ": {…}}, …]"
	case b.Label != grammar.LabelNone:
		return b.Name + ": {NAME: {…}, …}"
	case b.Max != 1 && !b.Open:
		return b.Name + "s: [{…}, …]"
	}
	return b.Name + ": {…}"
}

func functionsPart() string {
	var out []string
	funcs := eval.NewLibrary(nil).Functions(".")
	for _, name := range slices.Sorted(maps.Keys(funcs)) {
		var params []string
		for _, p := range funcs[name].Params() {
			params = append(params, p.Name)
		}
		if v := funcs[name].VarParam(); v != nil {
			params = append(params, v.Name+"…")
		}
		out = append(out, fmt.Sprintf("`%s(%s)`", name, strings.Join(params, ", ")))
	}
	return strings.Join(out, " ·\n") + "\n"
}

func habitsPart() string {
	out := "| name | here |\n|---|---|\n"
	for _, h := range Habits() {
		out += "| `" + h.Name + "` | " + strings.ReplaceAll(h.Answer, "|", "\\|") + " |\n"
	}
	return out
}
