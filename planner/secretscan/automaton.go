package secretscan

// automaton finds all keywords in one pass over a text, in capital letters
// and small ones (Aho and Corasick, 1975): with 250 keywords a search for
// each of them would cost as many passes.
type automaton struct {
	class [256]uint8 // of a byte, small letters and capital ones alike; 0 is of none
	width int        // number of classes
	next  []uint16   // by state times width plus class
	out   [][]found  // by state: the keywords that end there, longest first
}

// found is a keyword at its end.
type found struct {
	length int
	rules  []uint16 // that it belongs to
}

// newAutomaton is built of keywords in small letters with their rules.
func newAutomaton(keywords map[string][]uint16) *automaton {
	a := &automaton{width: 1}
	for k := range keywords {
		for i := range len(k) {
			if c := k[i]; a.class[c] == 0 {
				a.class[c] = uint8(a.width)
				if 'a' <= c && c <= 'z' {
					a.class[c-'a'+'A'] = uint8(a.width)
				}
				a.width++
			}
		}
	}
	a.state()
	for k, rules := range keywords {
		s := 0
		for i := range len(k) {
			edge := s*a.width + int(a.class[k[i]])
			if a.next[edge] == 0 {
				a.next[edge] = uint16(a.state())
			}
			s = int(a.next[edge])
		}
		a.out[s] = append(a.out[s], found{len(k), rules})
	}
	a.close()
	return a
}

func (a *automaton) state() int {
	a.next = append(a.next, make([]uint16, a.width)...)
	a.out = append(a.out, nil)
	return len(a.out) - 1
}

// close gives every state an edge for every class: where the trie has none,
// that of the longest proper suffix that is in the trie. States are visited
// breadth first, so that a suffix's edges are there already.
func (a *automaton) close() {
	suffix := make([]uint16, len(a.out))
	var queue []int
	for _, s := range a.next[:a.width] {
		if s != 0 {
			queue = append(queue, int(s))
		}
	}
	for ; len(queue) > 0; queue = queue[1:] {
		s := queue[0]
		a.out[s] = append(a.out[s], a.out[suffix[s]]...)
		for c := range a.width {
			back := a.next[int(suffix[s])*a.width+c]
			if child := a.next[s*a.width+c]; child != 0 {
				suffix[child] = back
				queue = append(queue, int(child))
				continue
			}
			a.next[s*a.width+c] = back
		}
	}
}
