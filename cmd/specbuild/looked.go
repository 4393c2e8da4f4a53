package main

import (
	"sync"

	"github.com/specbuild/specbuild/engine/cache"
	"github.com/specbuild/specbuild/planner/secretscan"
)

// looked is the memory of files that hold no credential, for commands that
// need nothing else of the store: it is opened when the first file asks, and a
// store that cannot be opened is one without a memory.
type looked struct {
	c     *cli
	once  sync.Once
	store *cache.Store
	files *secretscan.Memory
}

// memory is the one of a store: beside the indexes of contexts, whose names
// are absolute folders.
func memory(store *cache.Store) *secretscan.Memory {
	return &secretscan.Memory{Path: store.StatIndex("secretscan")}
}

func (l *looked) open() {
	store, err := l.c.openStore()
	if err != nil {
		return
	}
	l.store, l.files = store, memory(store)
}

// Clean asks the memory.
func (l *looked) Clean(s secretscan.Stamp) bool {
	l.once.Do(l.open)
	return l.files != nil && l.files.Clean(s)
}

// Keep adds to the memory.
func (l *looked) Keep(stamps []secretscan.Stamp) error {
	l.once.Do(l.open)
	if l.files == nil {
		return nil
	}
	return l.files.Keep(stamps)
}

func (l *looked) close() {
	if l.store != nil {
		l.store.Close()
	}
}
