package secretscan

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"sync"
)

// Stamp tells a file from what it was before and from other files: its owner
// gives each state of each file another one. The zero Stamp is of none.
type Stamp [2]uint64

// Memory remembers the files that hold nothing, so that what has not changed
// is not read again: a build of 50,000 unchanged files looks at their times
// alone. It is a file of sorted stamps of 16 bytes, behind what tells for
// which patterns they hold; one that cannot be read, or is another's, is empty.
type Memory struct {
	Path string // of the file; its folder exists

	once  sync.Once
	known []byte
}

const (
	stampSize = 16
	// maxStamps is 4 MB, which are read in 2 ms: then what this command did not
	// see is forgotten.
	maxStamps = 1 << 18
	// judged is raised when what follows from a hit changes, here or in the
	// rules: what was harmless may not be so any more.
	judged = 1
)

// edition is what a memory's file begins with.
func edition() []byte {
	sum := sha256.Sum256([]byte(strconv.Itoa(judged) + patterns))
	return sum[:]
}

func (m *Memory) load() {
	data, err := os.ReadFile(m.Path)
	head := edition()
	if err == nil && bytes.HasPrefix(data, head) && (len(data)-len(head))%stampSize == 0 {
		m.known = data[len(head):]
	}
}

func (m *Memory) at(i int) Stamp {
	b := m.known[i*stampSize:]
	return Stamp{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])}
}

// Clean reports whether a file with this stamp was found to hold nothing.
func (m *Memory) Clean(s Stamp) bool {
	if s == (Stamp{}) {
		return false
	}
	m.once.Do(m.load)
	n := len(m.known) / stampSize
	i := sort.Search(n, func(i int) bool { return compare(m.at(i), s) >= 0 })
	return i < n && m.at(i) == s
}

// Keep adds files that hold nothing.
func (m *Memory) Keep(stamps []Stamp) error {
	m.once.Do(m.load)
	all := slices.DeleteFunc(slices.Clone(stamps), func(s Stamp) bool { return s == (Stamp{}) })
	if len(all) == 0 {
		return nil
	}
	if n := len(m.known) / stampSize; n+len(all) <= maxStamps {
		for i := range n {
			all = append(all, m.at(i))
		}
	}
	slices.SortFunc(all, compare)
	all = slices.Compact(all)
	data := edition()
	for _, s := range all {
		data = binary.LittleEndian.AppendUint64(data, s[0])
		data = binary.LittleEndian.AppendUint64(data, s[1])
	}
	return replace(m.Path, data)
}

// replace writes a file whole or not at all; the last of several processes
// that do so is right enough.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("remembering which files hold no credentials: %w", err)
	}
	_, err = f.Write(data)
	err = cmp.Or(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("remembering which files hold no credentials: %w", err)
	}
	return nil
}

func compare(a, b Stamp) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) }
