package local

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
)

// scratches are the folders of runs that have ended, made ready for the next:
// emptying one and making its directories takes longer than mounting, so it
// is done while other steps work. There are no more than ran at once; they go
// with the lease of this process.
type scratches struct {
	mu   sync.Mutex
	free []string
}

// scratch gives a folder with the directories "upper" and "work", both empty.
// It is given back to sweep.
func (e *Engine) scratch() (string, error) {
	e.scratches.mu.Lock()
	defer e.scratches.mu.Unlock()
	if n := len(e.scratches.free); n > 0 {
		dir := e.scratches.free[n-1]
		e.scratches.free = e.scratches.free[:n-1]
		return dir, nil
	}
	dir, err := e.o.Store.TempDir()
	if err != nil {
		return "", err
	}
	return dir, makeScratch(dir)
}

func makeScratch(dir string) error {
	return errors.Join(os.Mkdir(filepath.Join(dir, "upper"), 0o755), os.Mkdir(filepath.Join(dir, "work"), 0o755))
}

// sweep makes the folder of a run that has ended ready for another. The
// directories are made anew: a command may have changed even their modes.
// What was adopted or kept is somewhere else by now.
func (e *Engine) sweep(dir string) {
	err := errors.Join(os.RemoveAll(filepath.Join(dir, "upper")), os.RemoveAll(filepath.Join(dir, "work")))
	if err == nil {
		err = makeScratch(dir)
	}
	if err != nil {
		os.RemoveAll(dir) // and if not, the end of the lease does it
		return
	}
	e.scratches.mu.Lock()
	defer e.scratches.mu.Unlock()
	e.scratches.free = append(e.scratches.free, dir)
}
