package spec

import (
	"github.com/hashicorp/hcl/v2"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/eval"
	"github.com/specbuild/specbuild/spec/grammar"
	"github.com/specbuild/specbuild/spec/syntax"
)

// PolicyTest is a workspace, and what policies find in it.
type PolicyTest struct {
	Name   string
	Range  diag.Range
	Spec   Attr[string] // the text of image.hcl
	Files  []EnvVar     // by path, for more than that
	Locked bool         // judge as for a release
	Expect []PolicyExpectation
}

// PolicyExpectation is a finding that there has to be.
type PolicyExpectation struct {
	Rule     string
	Range    diag.Range
	Address  Attr[string]
	Contains Attr[[]string] // of the message and what to do
	Severity Attr[string]
}

var policyTestBlock = &block[PolicyTest]{
	name: "test", label: textLabel, doc: "A workspace, and what policies find in it.",
	begin: func(t *PolicyTest, label string, header diag.Range) { t.Name, t.Range = label, header },
	attrs: []attribute[PolicyTest]{
		attr("spec", text, func(t *PolicyTest) *Attr[string] { return &t.Spec }, "the text of image.hcl."),
		plain("files", textMap, func(t *PolicyTest) *[]EnvVar { return &t.Files }, "texts by path, for several folders, a lock or a specbuild.hcl."),
		plain("locked", boolean, func(t *PolicyTest) *bool { return &t.Locked }, "whether it is judged as for a release.", defaults("false")),
	},
	blocks: []nested[PolicyTest]{
		child(expectationBlock, 0, func(t *PolicyTest, e *PolicyExpectation) { t.Expect = append(t.Expect, *e) }),
	},
	one: []choice{{names: []string{"spec", "files"}}},
}

var expectationBlock = &block[PolicyExpectation]{
	name: "expect", label: nameLabel, doc: "A finding that there has to be; without any, there is none.",
	begin: func(e *PolicyExpectation, label string, header diag.Range) { e.Rule, e.Range = label, header },
	attrs: []attribute[PolicyExpectation]{
		attr("address", text, func(e *PolicyExpectation) *Attr[string] { return &e.Address }, "what it is found at, such as \"//:image.web\"; default: anything."),
		attr("contains", textList, func(e *PolicyExpectation) *Attr[[]string] { return &e.Contains }, "parts of what it says."),
		attr("severity", oneOf("error", "warning", "info"), func(e *PolicyExpectation) *Attr[string] { return &e.Severity }, "how severe it is; default: any."),
	},
}

type policyTests struct{ all []*PolicyTest }

var policyTestFileBlock = &block[policyTests]{
	blocks: []nested[policyTests]{
		child(policyTestBlock, 0, func(f *policyTests, t *PolicyTest) { f.all = append(f.all, t) }),
	},
}

// PolicyTestGrammar is the language of *.policytest.hcl, in the form of
// [Grammar].
func PolicyTestGrammar() *grammar.Block {
	return &grammar.Block{Doc: "Tests of policies: a file *.policytest.hcl beside them.", Blocks: []*grammar.Block{top(policyTestBlock.grammar(), 0)}}
}

// ReadPolicyTests reads a file of tests; name is what diagnostics call it.
func ReadPolicyTests(name string, src []byte) ([]*PolicyTest, diag.List) {
	parsed, l := syntax.Parse(name, src)
	if l.HasErrors() {
		return nil, l
	}
	f := newFolder("", ".")
	f.files[parsed.Name], f.functions = parsed, eval.NewLibrary(nil).Functions(".")
	d := &decoder{mod: &module{folder: f}, diags: &l, ctx: &hcl.EvalContext{Functions: f.functions}, fixed: "a test of a policy holds for all platforms"}
	out, _ := policyTestFileBlock.decode(d, source{body: bodyOf(parsed)})
	return out.all, l
}
