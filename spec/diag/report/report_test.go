package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/diag/report"
)

var update = flag.Bool("update", false, "write what the reports are")

const text = "image \"wéb\" {\n  from   = scratch\n  run_as = \"0:0\"\n  stop = \"x\"\n}\n"

// at is a stretch of a line of text, by bytes.
func at(line int, part string) diag.Range {
	start := 0
	for range line - 1 {
		start += strings.IndexByte(text[start:], '\n') + 1
	}
	from := start + strings.Index(text[start:], part)
	pos := func(b int) diag.Pos { return diag.Pos{Line: line, Column: b - start + 1, Byte: b} }
	return diag.Range{File: "web/image.hcl", Start: pos(from), End: pos(from + len(part))}
}

// found has one of everything.
func found() report.Report {
	root := diag.Diagnostic{
		Severity: diag.Error, Code: "final-user-non-root", Summary: "The image runs as root", Detail: "image.web says run_as = \"0:0\", 100 % root.\nTake another, please: 1.",
		Range: at(3, `"0:0"`), Address: "//web:image.web", Notes: []diag.Note{{Message: "It is made hard here.", Range: diag.Range{File: "/etc/specbuild/acme.policy.hcl", Start: diag.Pos{Line: 3, Column: 1}, End: diag.Pos{Line: 3, Column: 4}}}},
	}
	unknown := diag.Diagnostic{
		Severity: diag.Error, Summary: "Unknown attribute", Detail: "There is no stop.", Range: at(4, "stop"),
		Fix: &diag.Fix{Range: at(4, "stop"), Replacement: "stop_signal"},
	}
	advice := diag.Diagnostic{Severity: diag.Info, Code: "healthcheck-decided", Summary: "No healthcheck", Detail: "Say none.", Range: at(1, `image "wéb"`), Address: "//web:image.web"}
	warning := diag.Diagnostic{Severity: diag.Warning, Code: "workspace-member", Summary: "Not a member", Detail: "//x is no member.", Range: diag.Range{File: "x"}}
	nowhere := diag.Diagnostic{Severity: diag.Error, Summary: "The policy cannot be read", Detail: "--policy x: no such file."}
	return report.Report{
		Command: "validate", Version: "0.1.0", Dir: "/repo/services", Root: "/repo",
		Findings: diag.List{unknown, advice, root, warning, nowhere},
		Aside:    []report.Aside{{Finding: advice, Reason: "a batch job", Owner: "team-web"}, {Finding: root, Reason: "rebuilt"}},
		Rules:    []report.Rule{{ID: "final-user-non-root", Severity: diag.Error, Title: "A finished image does not run as root", Why: "Because.", Mend: "Say `run_as`.", URL: "https://example.com/#final-user-non-root"}, {ID: "never-found"}},
		Files:    map[string][]byte{"web/image.hcl": []byte(text)},
	}
}

func write(t *testing.T, r report.Report, format string) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := r.Write(&out, format); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Each form is as the file of testdata has it; read them when they change.
func TestForms(t *testing.T) {
	t.Parallel()
	for _, format := range report.Formats() {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			got := write(t, found(), format)
			file := filepath.Join("testdata", format)
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("-want +got; -update writes it:\n%s", diff)
			}
		})
	}
	if err := found().Write(&bytes.Buffer{}, "html"); err == nil || !strings.Contains(err.Error(), "sarif") {
		t.Errorf("an unknown form: %v", err)
	}
}

// Nothing found is a whole document in each form.
func TestNothingFound(t *testing.T) {
	t.Parallel()
	r := report.Report{Command: "validate"}
	for format, want := range map[string]string{
		"text": "", "gnu": "", "github": "", "gitlab": "[]\n", "json": `"diagnostics": []`, "sarif": `"results": []`, "junit": `name="no mistakes"`,
	} {
		if got := string(write(t, r, format)); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%s: %q", format, got)
		}
	}
}

// The standard's own schema comes with a linter's tests, which the gate runs.
func TestSARIFMeetsItsSchema(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("go", "mod", "download", "-json", "-modfile=../../../tools/go.mod", "github.com/securego/gosec/v2")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the module that holds the schema: %v\n%s", err, out)
	}
	var mod struct{ Dir string }
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join(mod.Dir, "report/sarif/testdata/sarif-schema-2.1.0.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]report.Report{"everything": found(), "nothing": {Command: "plan"}, "without a root": {Findings: found().Findings}} {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(write(t, r, "sarif")))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A finding is the same one when lines are added above it, and another when
// its line is.
func TestFingerprintsAreStable(t *testing.T) {
	t.Parallel()
	prints := func(r report.Report) []string {
		var doc struct {
			Runs []struct {
				Results []struct {
					PartialFingerprints map[string]string
				}
			}
		}
		if err := json.Unmarshal(write(t, r, "sarif"), &doc); err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, x := range doc.Runs[0].Results {
			out = append(out, x.PartialFingerprints["specbuild/v1"])
		}
		return out
	}
	one := found()
	one.Findings, one.Aside = diag.List{one.Findings[2]}, nil
	moved := one
	moved.Files = map[string][]byte{"web/image.hcl": []byte("# above\n\n" + text)}
	d := one.Findings[0]
	d.Range.Start.Line, d.Range.End.Line = 5, 5
	moved.Findings = diag.List{d}
	if before, after := prints(one), prints(moved); before[0] != after[0] {
		t.Errorf("moved: %s, then %s", before, after)
	}
	changed := one
	changed.Files = map[string][]byte{"web/image.hcl": []byte(strings.Replace(text, "0:0", "0", 1))}
	if before, after := prints(one), prints(changed); before[0] == after[0] {
		t.Error("another line has the same fingerprint")
	}
	twice := one
	other := one.Findings[0]
	other.Detail = "Another."
	twice.Findings = diag.List{one.Findings[0], other}
	if p := prints(twice); p[0] == p[1] {
		t.Error("two findings of one line have one fingerprint")
	}
}

// What reaches a workflow's log cannot end a command and begin another.
func TestGitHubCommandsAreEscaped(t *testing.T) {
	t.Parallel()
	r := report.Report{Findings: diag.List{{Summary: "a,b:c%", Detail: "x\n::set-env name=A::b\r", Range: diag.Range{File: "a,b\n.hcl"}}}}
	got := string(write(t, r, "github"))
	if want := "::error file=a%2Cb%0A.hcl,title=a%2Cb%3Ac%25::x%0A::set-env name=A::b%0D\n"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// JUnit's report is XML, whatever a spec holds.
func TestJUnitIsXML(t *testing.T) {
	t.Parallel()
	r := report.Report{Findings: diag.List{{Summary: "<&\x00\x1b]", Detail: "]]>\ufffe", Range: diag.Range{File: "\"<.hcl"}}}}
	var doc struct {
		Suites []struct {
			Failures int `xml:"failures,attr"`
			Cases    []struct {
				Failure struct {
					Message string `xml:"message,attr"`
				} `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(write(t, r, "junit"), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Suites[0].Failures != 1 || doc.Suites[0].Cases[0].Failure.Message != "<&]" {
		t.Errorf("got %+v", doc)
	}
}
