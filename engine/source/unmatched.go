package source

import (
	"errors"
	"path"
	"slices"
)

// Only an error looks around; these bound it in a large context.
const (
	scanLimit  = 20000
	mostShown  = 3
	worstMatch = 3 // a similar name differs in at most a third of its letters
)

// unmatched reports every source that names nothing.
func (g *gathering) unmatched() error {
	var errs []error
	for i, p := range g.s.filter.sources {
		if slices.Contains(g.sources, i) {
			continue
		}
		e := &UnmatchedError{Source: p.text, Ignored: g.ignored[i]}
		if len(e.Ignored) == 0 {
			g.s.explain(e, p)
		}
		errs = append(errs, e)
	}
	return errors.Join(errs...)
}

// explain looks for what would match but is ignored, else for names that are
// much like it.
func (s *selector) explain(e *UnmatchedError, p pattern) {
	near := map[string]int{}
	s.scan(func(file string) {
		if p.match(file) {
			if by := s.filter.reason(file); by != "" && len(e.Ignored) < mostShown {
				e.Ignored = append(e.Ignored, Ignored{Path: file, By: by})
			}
			return
		}
		if d, ok := similar(p.path(), file); p.literal && ok && s.filter.reason(file) == "" {
			near[file] = d
		}
	})
	if len(e.Ignored) > 0 {
		return
	}
	for file := range near {
		e.Similar = append(e.Similar, file)
	}
	slices.SortFunc(e.Similar, func(a, b string) int {
		if near[a] != near[b] {
			return near[a] - near[b]
		}
		return comparePaths(a, b)
	})
	e.Similar = e.Similar[:min(len(e.Similar), mostShown)]
}

// scan visits the context's files and folders without any filter, those near
// the top first. What cannot be read is left out: this only helps a message.
func (s *selector) scan(visit func(file string)) {
	seen := 0
	for queue := []string{""}; len(queue) > 0 && seen < scanLimit; queue = queue[1:] {
		d, err := s.tree.openDir(queue[0])
		if err != nil {
			continue
		}
		names, err := d.names()
		d.close()
		if err != nil {
			continue
		}
		slices.SortFunc(names, func(a, b name) int { return comparePaths(a.name, b.name) })
		for _, n := range names {
			file := join(queue[0], n.name)
			visit(file)
			seen++
			if n.kind == kindDir && n.name != ".git" {
				queue = append(queue, file)
			}
		}
	}
}

// similar reports whether a path may have been meant: the same name in
// another folder, or few letters apart.
func similar(want, have string) (distance int, ok bool) {
	if path.Base(want) == path.Base(have) {
		return 1, true
	}
	if d := len(want) - len(have); d > len(want)/worstMatch || -d > len(want)/worstMatch {
		return 0, false
	}
	d := editDistance(want, have)
	return d, d <= max(1, len(want)/worstMatch)
}

// editDistance is Levenshtein's, by bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
