// Command specbuild-bench measures what a user waits for, from outside: it
// builds specbuild, runs it as a process, and prints for each kind of work the
// median and its ratio to the target. Figures move with the machine; nothing
// is asserted.
//
//	go run ./cmd/specbuild-bench [-n 20] [-program FILE]
//
// It is run in a checkout's top folder, fetches the packages of
// examples/quickstart once, and keeps its cache in a folder of its own that it
// removes.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

func main() {
	n := flag.Int("n", 20, "how often each work is done")
	program := flag.String("program", "", "the specbuild to measure (default: this checkout's, built first)")
	mono := flag.Bool("monorepo", false, "measure commands over a generated monorepo instead")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := measureAll(ctx, *program, max(*n, 1), *mono, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "specbuild-bench:", err)
		os.Exit(1)
	}
}

// work is one thing that is measured.
type work struct {
	what   string
	target time.Duration // docs/architecture.md
	// once does it one time and tells what of it counts; what it prepares
	// does not.
	once func(ctx context.Context, i int) (time.Duration, error)
}

func measureAll(ctx context.Context, program string, n int, mono bool, out io.Writer) error {
	dir, err := os.MkdirTemp("", "specbuild-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if program == "" {
		program = filepath.Join(dir, "specbuild")
		cmd := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/specbuild")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("building specbuild: %w\n%s", err, text)
		}
	}
	if program, err = filepath.Abs(program); err != nil {
		return err
	}
	if mono {
		return measureMonorepos(ctx, bench{program: program, dir: dir}, n, out)
	}
	works, err := prepare(ctx, bench{program: program, dir: dir})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d times each, %d cores, %s/%s, %s\n\n", n, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, load())
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "what\tmedian\tmin\tmax\ttarget\tratio")
	for _, w := range works {
		took, err := w.measure(ctx, n)
		if err != nil {
			return fmt.Errorf("%s: %w", w.what, err)
		}
		fmt.Fprintln(table, w.row(took))
	}
	return table.Flush()
}

// load says what else the machine does: figures of a busy one are no figures.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	minute, _, ok := strings.Cut(string(text), " ")
	if err != nil || !ok {
		return "load unknown"
	}
	return "load " + minute + " before"
}

// measure does the work once without counting it, for the page cache, and
// then n times.
func (w work) measure(ctx context.Context, n int) ([]time.Duration, error) {
	var took []time.Duration
	for i := range n + 1 {
		d, err := w.once(ctx, i)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			took = append(took, d)
		}
	}
	return took, nil
}

// row is a line of the table; a ratio below one is within the target. A part
// of something else has none.
func (w work) row(took []time.Duration) string {
	slices.Sort(took)
	median := took[len(took)/2]
	if w.target == 0 {
		return fmt.Sprintf("%s\t%s\t%s\t%s\t\t", w.what,
			milliseconds(median), milliseconds(took[0]), milliseconds(took[len(took)-1]))
	}
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%.2f", w.what,
		milliseconds(median), milliseconds(took[0]), milliseconds(took[len(took)-1]), milliseconds(w.target),
		float64(median)/float64(w.target))
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

// bench is the program to measure and where it may write.
type bench struct{ program, dir string }

// run runs the program in a folder and with a cache, both below b.dir, and
// tells how long it took from start to exit.
func (b bench) run(ctx context.Context, folder, cache string, args ...string) (time.Duration, error) {
	cmd := b.command(ctx, folder, cache, args...)
	start := time.Now()
	text, err := cmd.CombinedOutput()
	took := time.Since(start)
	if err != nil {
		return 0, fmt.Errorf("specbuild %q: %w\n%s", args, err, text)
	}
	return took, nil
}

func (b bench) command(ctx context.Context, folder, cache string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, b.program, args...)
	cmd.Dir = filepath.Join(b.dir, folder)
	cmd.Env = append(os.Environ(), "CI=") // a lock is written, as at a desk
	cmd.Args = append(cmd.Args, "--cache-dir", filepath.Join(b.dir, cache))
	return cmd
}
