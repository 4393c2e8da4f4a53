package local

import (
	"strings"
	"sync"
)

// output gathers what a step prints, secrets hidden, and tells it while it is
// printed. It keeps maxOutput bytes; of more, the beginning and the end.
type output struct {
	mu   sync.Mutex
	mask *masker
	tell func(string)
	head strings.Builder
	tail []byte
	lost int64
}

// maxOutput is what is kept of a step's output: more than any log that a
// person reads, less than what would burden the cache.
const maxOutput = 1 << 20

func newOutput(secrets [][]byte, tell func(string)) *output {
	return &output{mask: newMasker(secrets), tell: tell}
}

// Write takes output of the command.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.add(o.mask.mask(string(p)))
	return len(p), nil
}

func (o *output) add(s string) {
	if s == "" {
		return
	}
	o.tell(s)
	if room := maxOutput/2 - o.head.Len(); room > 0 {
		n := min(room, len(s))
		o.head.WriteString(s[:n])
		s = s[n:]
	}
	// Appended to, and moved once for so many bytes: a step may print a million
	// lines, one at a time.
	o.tail = append(o.tail, s...)
	if over := len(o.tail) - maxOutput/2; over > maxOutput/4 {
		o.tail = append(o.tail[:0], o.tail[over:]...)
		o.lost += int64(over)
	}
}

// close gives the whole output.
func (o *output) close() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.add(o.mask.flush())
	if o.lost == 0 {
		return o.head.String() + string(o.tail)
	}
	return o.head.String() + "\n[… output left out …]\n" + string(o.tail)
}
