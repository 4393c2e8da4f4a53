package local

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A step that prints much, line by line, is not held up by what is kept of it:
// 100,000 lines took 87 s once, and take 0.2 to 0.4 s on the same busy machine.
func TestOutputOfManyLinesIsKeptQuickly(t *testing.T) {
	t.Parallel()
	told := 0
	o := newOutput(nil, func(s string) { told += len(s) })
	began := time.Now()
	const lines = 100_000
	for i := range lines {
		fmt.Fprintf(o, "%079d\n", i)
	}
	text := o.close()
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	if told != 80*lines {
		t.Errorf("%d bytes were told of %d", told, 80*lines)
	}
	first, last := fmt.Sprintf("%079d\n", 0), fmt.Sprintf("%079d\n", lines-1)
	if !strings.HasPrefix(text, first) || !strings.HasSuffix(text, last) || !strings.Contains(text, "left out") || len(text) > maxOutput+maxOutput/4+100 {
		t.Errorf("%d bytes are kept, from %q to %q", len(text), text[:80], text[len(text)-80:])
	}
	short := newOutput(nil, func(string) {})
	_, _ = short.Write([]byte("all of it\n"))
	if got := short.close(); got != "all of it\n" {
		t.Errorf("of a short one %q is kept", got)
	}
}
