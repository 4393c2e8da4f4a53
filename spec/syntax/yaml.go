package syntax

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"gopkg.in/yaml.v3"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/grammar"
)

// maxAliased is how many nodes the aliases of one file may stand for.
const maxAliased = 10_000

// ParseYAML reads one file of the YAML syntax as a body of HCL: everything
// behind it, names, loops, checks and messages, works on either syntax. The
// grammar decides which keys are blocks and which attributes; a key that it
// does not know becomes an attribute, for the decoder to answer. Every range
// of the body is a place in the YAML; where a text was folded or escaped, so
// that a part of it stands nowhere as it is, the place is that of the whole.
//
// As [Parse] does, it answers with a body, diagnostics or both, and the body
// is nil if the bytes were refused unparsed.
func ParseYAML(name string, src []byte, lang *grammar.Block) (*File, diag.List) {
	f := &File{Name: name, Bytes: clean(src)}
	if l := refuseBytes(name, f.Bytes); len(l) > 0 {
		return f, l
	}
	y := &yamlReader{name: name, src: f.Bytes, places: newPlaces(name, f.Bytes)}
	root := y.document()
	if root == nil || y.diags.HasErrors() {
		if !y.diags.HasErrors() {
			f.Body = y.emptyBody()
		}
		return f, y.diags
	}
	if !y.acceptable(root) {
		return f, y.diags
	}
	f.Body = y.topBody(root, lang)
	l := y.diags.Sorted()
	return f, l[:min(len(l), maxMistakes)]
}

// yamlReader turns the nodes of one file into a body.
type yamlReader struct {
	name   string
	src    []byte
	places *places
	diags  diag.List
}

func (y *yamlReader) errorf(at diag.Range, summary, detail string, args ...any) {
	y.diags.Errorf(at, summary, detail, args...)
}

// refuseBytes reports what must not reach the parser of YAML. What it would
// read as the end of a line, and an editor would not, is refused too, or
// lines would have two numbers.
func refuseBytes(name string, src []byte) diag.List {
	var l diag.List
	if len(src) > MaxBytes {
		l.Errorf(at(name, src, 0), "File too large",
			"%s is %d bytes; a file of at most %d bytes is read.", name, len(src), MaxBytes)
		return l
	}
	if i := notText(src); i >= 0 {
		l.Errorf(at(name, src, i), "Not a text file", "%s", whyNotText(name, src, i))
		return l
	}
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRune(src[i:])
		if forbidden(r) {
			l.Errorf(at(name, src, i), "Invalid character", "YAML does not allow the character U+%04X here. In a double-quoted string it is written %s.", r, escaped(r))
			return l
		}
		i += n
	}
	return l
}

func forbidden(r rune) bool {
	switch r {
	case '\t', '\n':
		return false
	case 0x7f, '\u0085', '\u2028', '\u2029', '\ufeff', '\ufffe', '\uffff':
		return true
	}
	return r < ' ' || r >= 0x80 && r < 0xa0
}

func escaped(r rune) string {
	if r < 0x100 {
		return fmt.Sprintf(`\x%02x`, r)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

// document is the file's one document, or nil if there is none or it is
// broken, which is reported.
func (y *yamlReader) document() *yaml.Node {
	in := &feeder{src: y.src, step: len(y.src)}
	dec := yaml.NewDecoder(in)
	doc, err := decodeDocument(dec)
	if err != nil {
		y.reportSyntax(err)
		return nil
	}
	if doc == nil || len(doc.Content) == 0 {
		return nil
	}
	next, err := decodeDocument(dec)
	if err != nil {
		y.reportSyntax(err)
		return nil
	}
	if next != nil {
		at := y.lineRange(next.Line)
		if i := bytes.LastIndex(y.src[:y.places.lineStart(next.Line)], []byte("\n---")); i >= 0 {
			at = y.places.span(i+1, i+4)
		}
		y.errorf(at, "Several documents", "A file of YAML is one document; a second one begins here. Put it into a file of its own.")
		return nil
	}
	return doc.Content[0]
}

// topBody reads the outermost map.
func (y *yamlReader) topBody(root *yaml.Node, lang *grammar.Block) *hclsyntax.Body {
	n := deref(root)
	if isNull(n) {
		return y.emptyBody()
	}
	if n.Kind != yaml.MappingNode {
		y.errorf(y.rangeOf(n), "Map expected", "A spec is a map of blocks, such as `image:`; this is %s.", kindName(n))
		return y.emptyBody()
	}
	return y.body(n, lang, "")
}

func (y *yamlReader) emptyBody() *hclsyntax.Body {
	end := y.places.hcl(len(y.src), len(y.src))
	return &hclsyntax.Body{Attributes: hclsyntax.Attributes{}, SrcRange: y.places.hcl(0, len(y.src)), EndRange: end}
}

// acceptable refuses what would make reading endless, and tags: it walks the
// nodes as they are written, each once.
func (y *yamlReader) acceptable(root *yaml.Node) bool {
	w := &yamlWalk{y: y, sizes: map[*yaml.Node]yamlCount{}, open: map[*yaml.Node]bool{}}
	w.size(root, 1)
	if !w.stopped && w.aliased > maxAliased {
		y.errorf(y.rangeOf(w.first), "Too many aliases", "The aliases of this file stand for more than %d nodes. Give parts of it names in locals instead.", maxAliased)
	}
	return !y.diags.HasErrors()
}

// yamlWalk measures nodes once every alias is followed. A node that several
// aliases name is measured once.
type yamlWalk struct {
	y       *yamlReader
	sizes   map[*yaml.Node]yamlCount
	open    map[*yaml.Node]bool
	aliased float64    // nodes that aliases stand for
	first   *yaml.Node // the alias that passed the limit
	stopped bool
}

func (w *yamlWalk) size(n *yaml.Node, level int) yamlCount {
	known, measured := w.sizes[n]
	switch {
	case w.stopped:
		return yamlCount{}
	case level+known.depth > MaxDepth:
		w.stop(n, "Nested too deep", fmt.Sprintf("Maps and lists nest more than %d deep here. Give parts of it names of their own, in locals.", MaxDepth))
		return yamlCount{}
	case measured:
		return known
	case n.Kind == yaml.AliasNode && w.open[n.Alias]:
		w.stop(n, "Alias of itself", fmt.Sprintf("*%s stands inside of what it names, so it would never end.", n.Value))
		return yamlCount{}
	case n.Kind == yaml.AliasNode:
		size := w.size(n.Alias, level)
		w.aliased += size.nodes
		if w.aliased > maxAliased && w.first == nil {
			w.first = n
		}
		return size
	}
	w.refuseTag(n)
	w.open[n] = true
	size := yamlCount{nodes: 1}
	for _, child := range n.Content {
		in := w.size(child, level+1)
		size.nodes += in.nodes
		size.depth = max(size.depth, in.depth+1)
	}
	delete(w.open, n)
	w.sizes[n] = size
	return size
}

func (w *yamlWalk) stop(n *yaml.Node, summary, detail string) {
	w.stopped = true
	w.y.errorf(w.y.startOf(n), summary, "%s", detail)
}

func (w *yamlWalk) refuseTag(n *yaml.Node) {
	start, tag := w.y.properties(n)
	if tag == "" {
		return
	}
	w.y.errorf(w.y.places.span(start, start+len(tag)), "Tag not allowed", "Tags such as %s have no meaning here. A string that looks like something else is quoted.", tag)
}

// deref follows an alias. An alias never names another.
func deref(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// isNull reports whether a node says that nothing is set.
func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Style&quotedStyles == 0 && classify(n.Value) == plainNull
}

const quotedStyles = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle

// kindName is what a node is, in words.
func kindName(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a map"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(n):
		return "empty"
	case n.Style&quotedStyles == 0 && classify(n.Value) == plainNumber:
		return "a number"
	case n.Style&quotedStyles == 0 && classify(n.Value) == plainBool:
		return "a boolean"
	case strings.HasPrefix(n.Value, "${"):
		return "an expression"
	}
	return "a string"
}
