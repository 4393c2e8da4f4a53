package sandbox

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"sync"

	"golang.org/x/sys/unix"
)

// streams carry what a command prints to the writers of its Spec. They are
// made for one run and handed over with its job.
type streams struct {
	stdout, stderr *os.File   // the command's ends
	ours           []*os.File // of those, what is to be closed here
	readers        []reader
	copying        sync.WaitGroup
}

// reader is a pipe to copy from.
type reader struct {
	from *os.File
	to   io.Writer
}

func newStreams(stdout, stderr io.Writer) (*streams, error) {
	s := &streams{}
	var err error
	if s.stdout, err = s.end(stdout); err == nil {
		if s.stderr = s.stdout; !same(stdout, stderr) { // one pipe keeps the order
			s.stderr, err = s.end(stderr)
		}
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("make the command's output: %w", err)
	}
	return s, nil
}

// same says whether two writers are one.
func same(a, b io.Writer) bool {
	t := reflect.TypeOf(a)
	return t == reflect.TypeOf(b) && (t == nil || t.Comparable() && a == b)
}

// end makes the command's end of one stream.
func (s *streams) end(w io.Writer) (*os.File, error) {
	var pipe [2]int
	var file *os.File
	var err error
	switch f := w.(type) {
	case *os.File:
		return f, nil
	case nil:
		file, err = os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	default:
		// Not os.Pipe: the command's end has to block.
		if err = unix.Pipe2(pipe[:], unix.O_CLOEXEC); err == nil {
			err = unix.SetNonblock(pipe[0], true)
			s.readers = append(s.readers, reader{os.NewFile(uintptr(pipe[0]), "output"), w})
			file = os.NewFile(uintptr(pipe[1]), "output")
		}
	}
	if file != nil {
		s.ours = append(s.ours, file)
	}
	return file, err
}

// copy starts to copy. The command has its ends by now, or never will.
func (s *streams) copy() {
	for _, f := range s.ours {
		f.Close()
	}
	s.ours = nil
	for _, r := range s.readers {
		s.copying.Go(func() {
			_, _ = io.Copy(r.to, r.from) // who does not want it breaks the command's pipe
			r.from.Close()
		})
	}
	s.readers = nil
}

// wait waits until everything that was printed is written. All who could
// print must have ended.
func (s *streams) wait() { s.copying.Wait() }

// close lets go of what was not handed over.
func (s *streams) close() {
	for _, f := range s.ours {
		f.Close()
	}
	for _, r := range s.readers {
		r.from.Close()
	}
	s.ours, s.readers = nil, nil
}
