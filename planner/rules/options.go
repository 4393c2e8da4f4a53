package rules

import (
	"slices"
	"strings"
)

// syntaxOf is which options of a command take the next word as their value:
// without it `curl -o -k` would be told apart wrongly.
type syntaxOf struct {
	letters string   // of one letter, which may also have it glued on
	long    []string // with their dashes
}

// options are the words of a command, taken apart.
type options struct {
	flags    []flag
	operands []int // indexes of words that are no option and no option's value
	open     bool  // a word is known only when the script runs, and may be any option
}

// flag is one option. Letters of one word are a flag each.
type flag struct {
	name, value string // "-k", "--insecure"
	word        int    // index of its word
}

// parse takes the words of a call apart, as getopt does with options and
// operands in any order.
func (c call) parse(s syntaxOf) options {
	var o options
	for i := 0; i < len(c.args); i++ {
		arg := c.args[i]
		next := ""
		if i+1 < len(c.args) {
			next = c.args[i+1]
		}
		switch {
		case arg == "--":
			for i++; i < len(c.args); i++ {
				o.operands = append(o.operands, i)
			}
		case strings.HasPrefix(arg, dynamic), strings.HasPrefix(arg, "-") && strings.HasPrefix(strings.TrimLeft(arg, "-"), dynamic):
			o.open = true
			o.operands = append(o.operands, i)
		case strings.HasPrefix(arg, "--"):
			name, value, given := strings.Cut(arg, "=")
			o.flags = append(o.flags, flag{name, value, i})
			if !given && slices.Contains(s.long, name) {
				o.flags[len(o.flags)-1].value = next
				i++
			}
		case len(arg) > 1 && arg[0] == '-':
			if o.letters(arg, i, next, s.letters) {
				i++
			}
		default:
			o.operands = append(o.operands, i)
		}
	}
	return o
}

// letters adds those of one word; taken is whether the next word is the
// value of the last.
func (o *options) letters(arg string, word int, next, valued string) (taken bool) {
	for j := 1; j < len(arg); j++ {
		if strings.HasPrefix(arg[j:], dynamic) {
			o.open = true
		}
		f := flag{name: "-" + arg[j:j+1], word: word}
		if !strings.Contains(valued, arg[j:j+1]) {
			o.flags = append(o.flags, f)
			continue
		}
		f.value = arg[j+1:]
		if f.value == "" {
			f.value, taken = next, true
		}
		o.flags = append(o.flags, f)
		return taken
	}
	return false
}

// has reports whether one of the options is given.
func (o options) has(names ...string) bool { return o.index(names...) >= 0 }

// index is the place of the first flag of those names, or -1.
func (o options) index(names ...string) int {
	return slices.IndexFunc(o.flags, func(f flag) bool { return slices.Contains(names, f.name) })
}
