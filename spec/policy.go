package spec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/eval"
	"github.com/specbuild/specbuild/spec/grammar"
	"github.com/specbuild/specbuild/spec/syntax"
)

// Policy is one policy block as it was written: what it judges by is not
// evaluated before there is something to judge.
type Policy struct {
	Name        string
	Range       diag.Range
	Enforcement Attr[string] // "advisory", "soft" or "hard"
	Grades      []PolicyGrade
	Seal        Attr[[]string] // as of a stage
	Grant       Attr[[]string] // privileges that specs need not be granted by a flag
	Rules       []*PolicyRule
	Waivers     []*Waiver
}

// PolicyGrade says how one rule is judged.
type PolicyGrade struct {
	Rule     string
	Range    diag.Range   // of the rule's id
	Severity Attr[string] // "error", "warning", "info" or "off"
	Params   []PolicyParam
}

// PolicyParam is a list or a limit that a rule is given. One of List and Text
// is set; numbers are text as well.
type PolicyParam struct {
	Name  string
	Range diag.Range // of the value
	List  []string
	Text  string
}

// PolicyRule is a rule of a policy's own.
type PolicyRule struct {
	ID        string
	Range     diag.Range
	ForEach   PolicyExpr // none: it is judged once
	Condition PolicyExpr
	Message   PolicyExpr
	Help      PolicyExpr // none if there is no help
}

// PolicyExpr is an expression over spec, plan, image and each; the zero one was
// not written.
type PolicyExpr struct{ *policyExpr }

type policyExpr struct {
	expr  hcl.Expression
	file  *syntax.File
	funcs *eval.Library
}

// IsSet reports whether the expression was written.
func (e PolicyExpr) IsSet() bool { return e.policyExpr != nil }

// Range is where it was written.
func (e PolicyExpr) Range() diag.Range {
	if !e.IsSet() {
		return diag.Range{}
	}
	return syntax.Range(e.expr.Range())
}

// Mentions are the names in it, as their parts: each.value.image is "each",
// "value", "image".
func (e PolicyExpr) Mentions() [][]string {
	if !e.IsSet() {
		return nil
	}
	var out [][]string
	for _, m := range eval.Mentions(e.expr) {
		out = append(out, m.Path)
	}
	return out
}

// Value evaluates it with these names and the pure functions of the language;
// no file can be read.
func (e PolicyExpr) Value(names map[string]cty.Value) (cty.Value, diag.List) {
	return e.scope(names).Value(e.expr)
}

// Check finds what is wrong with it whatever the names come to, which are
// unknown values of the right types; samples says that each list and map among
// them holds one element, which stands for any ([eval.Scope.Check]).
func (e PolicyExpr) Check(names map[string]cty.Value, samples bool) diag.List {
	return e.scope(names).Check(e.expr, samples)
}

func (e PolicyExpr) scope(names map[string]cty.Value) eval.Scope {
	return eval.Scope{
		Context: &hcl.EvalContext{Variables: names, Functions: e.funcs.Functions(".")},
		Source:  func(string) []byte { return e.file.Bytes },
	}
}

// policyDraft is what the table of policy decodes into.
type policyDraft struct {
	Policy
	grade hclsyntax.Attribute
}

// policyRoots are what the expressions of a rule may begin with.
var policyRoots = []string{"spec", "plan", "image", "each"}

var policyBlock = &block[policyDraft]{
	name: "policy", label: nameLabel, doc: "What an organisation asks of specs: its own rules, and how the built-in ones are judged.",
	fixed: "a `policy` holds for all platforms",
	begin: func(p *policyDraft, label string, header diag.Range) { p.Name, p.Range = label, header },
	attrs: []attribute[policyDraft]{
		attrOr("enforcement", oneOf("advisory", "soft", "hard"), func(p *policyDraft) *Attr[string] { return &p.Enforcement }, func() string { return "hard" },
			"\"advisory\" reports; \"soft\" lets --override go past it, with a reason; \"hard\" has no way around."),
		expression("grade", "a map of rules to severities", grammar.Map, func(p *policyDraft) *hclsyntax.Attribute { return &p.grade },
			"how rules are judged: \"error\", \"warning\", \"info\" or \"off\", or { severity = …, and what the rule takes }."),
		attr("seal", sealList, func(p *policyDraft) *Attr[[]string] { return &p.Seal }, "what images built on those of modules may not set or undo."),
		attr("grant", listOf("a list of privileges", oneOf("network.host"), distinctText), func(p *policyDraft) *Attr[[]string] { return &p.Grant },
			"privileges that specs have without `--allow`."),
	},
	blocks: []nested[policyDraft]{
		child(policyRuleBlock, 0, func(p *policyDraft, r *policyRule) { p.Rules = append(p.Rules, r.rule()) }),
		child(waiverBlock, 0, func(p *policyDraft, w *Waiver) { p.Waivers = append(p.Waivers, w) }),
	},
	check: func(d *decoder, p *policyDraft) { p.Grades = d.grades(p.grade) },
}

// policyRule is a rule while it is read.
type policyRule struct {
	id                                string
	header                            diag.Range
	forEach, condition, message, help hclsyntax.Attribute
}

var policyRuleBlock = &block[policyRule]{
	name: "rule", label: nameLabel, doc: "A rule of the policy's own, over spec, plan or image.",
	begin: func(r *policyRule, label string, header diag.Range) { r.id, r.header = label, header },
	attrs: []attribute[policyRule]{
		expression("for_each", "a map or list", grammar.Any, func(r *policyRule) *hclsyntax.Attribute { return &r.forEach },
			"what is judged, one by one, as each.key and each.value; default: once."),
		expression("condition", "a boolean", grammar.Bool, func(r *policyRule) *hclsyntax.Attribute { return &r.condition },
			"what must hold.", required),
		expression("message", "a text", grammar.String, func(r *policyRule) *hclsyntax.Attribute { return &r.message },
			"what is wrong where it does not hold.", required),
		expression("help", "a text", grammar.String, func(r *policyRule) *hclsyntax.Attribute { return &r.help }, "what to do then."),
	},
}

func (r *policyRule) rule() *PolicyRule {
	keep := func(a hclsyntax.Attribute) PolicyExpr {
		if a.Expr == nil {
			return PolicyExpr{}
		}
		return PolicyExpr{&policyExpr{expr: a.Expr}}
	}
	return &PolicyRule{ID: r.id, Range: r.header, ForEach: keep(r.forEach), Condition: keep(r.condition), Message: keep(r.message), Help: keep(r.help)}
}

// policies is a policy file: blocks `policy`, and nothing else but a version.
type policies struct {
	all     []*Policy
	version *requirement
}

var policyFileBlock = &block[policies]{
	blocks: []nested[policies]{
		child(policyBlock, 0, func(f *policies, p *policyDraft) { f.all = append(f.all, &p.Policy) }),
		child(specbuildBlock, 1, func(f *policies, r *requirement) { f.version = r }),
	},
}

// PolicyGrammar is the language of policy files, in the form of [Grammar].
func PolicyGrammar() *grammar.Block {
	return &grammar.Block{
		Doc:    "Policies: a file *.policy.hcl that a workspace, a flag or the machine names.",
		Blocks: []*grammar.Block{top(specbuildBlock.grammar(), 1), top(policyBlock.grammar(), 0)},
	}
}

// ReadPolicy reads a policy file; name is what diagnostics call it, version
// this build's for required_version. A file without any policy is a mistake:
// one that is empty must not look as if it held.
func ReadPolicy(name string, src []byte, version string) ([]*Policy, diag.List) {
	parsed, l := syntax.Parse(name, src)
	if l.HasErrors() {
		return nil, l
	}
	lib := eval.NewLibrary(nil)
	f := newFolder("", ".")
	f.files[parsed.Name], f.functions = parsed, lib.Functions(".")
	ld := &loader{opts: Options{Version: version}, spec: &Spec{}}
	if !ld.versionFits(bodyOf(parsed), parsed) {
		return nil, append(l, ld.diags...)
	}
	d := &decoder{mod: &module{folder: f}, diags: &l, ctx: &hcl.EvalContext{Functions: f.functions}, fixed: "a policy holds for all platforms"}
	out, _ := policyFileBlock.decode(d, source{body: bodyOf(parsed)})
	names := map[string]diag.Range{}
	for _, p := range out.all {
		if before, again := names[p.Name]; again {
			d.report(p.Range, "Declared twice", "There are two policies %q. Give one another name.", []any{p.Name}, diag.Note{Message: "The first is here.", Range: before})
		}
		names[p.Name] = p.Range
		d.policyRules(p, parsed, lib)
	}
	if len(out.all) == 0 && !l.HasErrors() {
		l.Errorf(diag.Range{File: name}, "No policy", "%s holds no block `policy \"name\" { … }`, so nothing would be judged by it.", name)
	}
	return out.all, l
}

// policyRules completes the rules of a policy with what their expressions
// need, and checks the names in them.
func (d *decoder) policyRules(p *Policy, file *syntax.File, lib *eval.Library) {
	ids := map[string]diag.Range{}
	for _, r := range p.Rules {
		if before, again := ids[r.ID]; again {
			d.report(r.Range, "Declared twice", "There are two rules %q here. Give one another name.", []any{r.ID}, diag.Note{Message: "The first is here.", Range: before})
		}
		ids[r.ID] = r.Range
		for _, e := range []*PolicyExpr{&r.ForEach, &r.Condition, &r.Message, &r.Help} {
			if !e.IsSet() {
				continue
			}
			e.file, e.funcs = file, lib
			d.policyNames(e.expr, r.ForEach.IsSet() && e != &r.ForEach)
		}
	}
}

// policyNames checks the roots of the names in an expression of a rule.
func (d *decoder) policyNames(expr hcl.Expression, each bool) {
	for _, t := range expr.Variables() {
		root, at := t.RootName(), syntax.Range(t.SourceRange())
		switch {
		case !slices.Contains(policyRoots, root):
			d.diags.Errorf(at, "Unknown name", "%q does not exist here%s. A rule looks at spec, plan, image and, with for_each, each.", root, didYouMean(root, policyRoots))
		case root == "each" && !each:
			d.diags.Errorf(at, "each is not known here", "each stands for an element of `for_each`, which this is not below. Write for_each, or use spec, plan or image.")
		}
	}
}

// grades reads the map of rules to severities.
func (d *decoder) grades(a hclsyntax.Attribute) []PolicyGrade {
	if a.Expr == nil {
		return nil
	}
	obj, ok := a.Expr.(*hclsyntax.ObjectConsExpr)
	if !ok {
		d.invalid(syntax.Range(a.Expr.Range()), "grade is a map of rules to severities: grade = { \"packages-pinned\" = \"error\" }.")
		return nil
	}
	keys, ok := d.literalKeys(obj)
	if !ok {
		d.invalid(syntax.Range(a.Expr.Range()), "The keys of grade are ids of rules, written out.")
		return nil
	}
	var out []PolicyGrade
	for i, rule := range keys {
		item := obj.Items[i]
		g := PolicyGrade{Rule: rule, Range: syntax.Range(item.KeyExpr.Range())}
		if d.gradeOf(&g, item.ValueExpr) {
			out = append(out, g)
		}
	}
	return out
}

func (d *decoder) gradeOf(g *PolicyGrade, expr hclsyntax.Expression) bool {
	obj, ok := expr.(*hclsyntax.ObjectConsExpr)
	if !ok {
		return d.severityOf(g, expr)
	}
	keys, ok := d.literalKeys(obj)
	if !ok {
		d.invalid(syntax.Range(expr.Range()), "The names in a grade are written out.")
		return false
	}
	for i, name := range keys {
		value := obj.Items[i].ValueExpr
		if name == "severity" {
			ok = d.severityOf(g, value) && ok
			continue
		}
		ok = d.gradeParam(g, name, value) && ok
	}
	return ok
}

var gradeSeverity = oneOf("error", "warning", "info", "off")

func (d *decoder) severityOf(g *PolicyGrade, expr hclsyntax.Expression) bool {
	v, state := evaluate(d, row{name: "severity"}, gradeSeverity, &hclsyntax.Attribute{Name: "severity", Expr: expr})
	g.Severity = Attr[string]{V: v, Range: syntax.Range(expr.Range()), Set: state == known}
	return state == known
}

func (d *decoder) gradeParam(g *PolicyGrade, name string, expr hclsyntax.Expression) bool {
	v, ok := d.value(expr, "")
	at := syntax.Range(expr.Range())
	if !ok || !v.IsWhollyKnown() {
		return false
	}
	p := PolicyParam{Name: name, Range: at}
	switch t := v.Type(); {
	case v.IsNull():
		return true
	case t.IsTupleType() || t.IsListType() || t.IsSetType():
		list, err := eval.Strings(v, expr, d.mod.sourceBytes(at.File))
		if err != nil {
			eval.Report(d.diags, at, "Invalid value", name, err)
			return false
		}
		p.List = append([]string{}, list...)
	case t == cty.String || t == cty.Number:
		text, err := eval.String(v, expr, d.mod.sourceBytes(at.File))
		if err != nil {
			eval.Report(d.diags, at, "Invalid value", name, err)
			return false
		}
		p.Text = text
	default:
		d.invalid(at, "%s is a list of texts, a text or a number, not %s.", name, typeName(v))
		return false
	}
	g.Params = append(g.Params, p)
	return true
}

// ParsePolicyExpr reads an expression as rules have them; name is what
// diagnostics call the text.
func ParsePolicyExpr(name, text string) (PolicyExpr, diag.List) {
	expr, l := syntax.ParseExpression(name, []byte(text))
	if l.HasErrors() {
		return PolicyExpr{}, l
	}
	d := &decoder{diags: &l}
	d.policyNames(expr, false)
	return PolicyExpr{&policyExpr{expr: expr, file: &syntax.File{Name: name, Bytes: []byte(text)}, funcs: eval.NewLibrary(nil)}}, l
}

// PolicySource is where a policy of the workspace comes from.
type PolicySource struct {
	Source Source
	Range  diag.Range
}

var policySources = listOf("a list of policies", formOf("where a policy is", ParsePolicySource), distinct(func(s Source) string { return s.Folder + s.Fetched() + "//" + s.Path }, 0))

// ParsePolicySource reads where a policy is: a file or folder of the workspace
// from its root, //policy/acme.policy.hcl, or what is fetched.
func ParsePolicySource(s string) (Source, error) {
	if strings.Contains(s, "::") || strings.Contains(s, "://") {
		return parseModuleSource(s)
	}
	if !strings.HasPrefix(s, "//") {
		return Source{}, fmt.Errorf("%q is not where a policy is; write it from the root, \"//policy/acme.policy.hcl\", or as oci://… or git::…", s)
	}
	return Source{Folder: s}, nil
}
