package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/specbuild/specbuild/engine/sandbox"
)

// users is where the users of steps come from. Root has all of them. Somebody
// with subordinate ids has them in a namespace, in which this program starts
// again as a whole before it does what needs them; who lacks those ids has one
// user, which is root in steps (docs/rootless.md).
type users struct {
	mayEnter bool          // this process can start itself again: it is no test
	inside   bool          // it was started again
	ids      sandbox.IDMap // of steps, when inside
	machine  string        // what identified the machine outside, when inside
	stayed   error         // why it was not entered, when that was tried
}

// here finds out where this process is. It is called once, first.
func here() users {
	u := users{mayEnter: true}
	u.ids, u.machine, u.inside = sandbox.Inside()
	return u
}

// exitCode ends the program with a code, silently: all has been said.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// enter goes on in a namespace if there is one for this user. It is the first
// thing that a command does which unpacks layers, runs steps or removes either.
// Where the command goes on in this process it returns nil.
func (u *users) enter() error {
	if u.inside || !u.mayEnter || os.Geteuid() == 0 {
		return nil
	}
	ids, err := sandbox.Subordinate()
	if err != nil {
		return nil //nolint:nilerr // doctor and plan say it; most machines are like that
	}
	code, err := sandbox.Reenter(ids, machineKey())
	if err != nil {
		u.stayed = err
		return nil
	}
	return exitCode(code)
}

// ordinary says that the caller is not root, wherever this process is.
func (u *users) ordinary() bool { return u.inside || os.Geteuid() != 0 }

// explain says of an error about files why this user may not touch its own.
func (u *users) explain(err error) error {
	if !errors.Is(err, fs.ErrPermission) || !u.ordinary() || u.inside {
		return err
	}
	if _, why := u.subordinate(); why != nil {
		return fmt.Errorf("%w (files of steps may belong to subordinate ids, which cannot be used now: %w)", err, why)
	}
	return err
}

// subordinate is the map of steps in the namespace that this process is in, or
// would enter; the error says in a line why there is none.
func (u *users) subordinate() (sandbox.IDMap, error) {
	switch {
	case u.inside:
		return u.ids, nil
	case u.stayed != nil:
		return sandbox.IDMap{}, u.stayed
	case !u.mayEnter:
		return sandbox.IDMap{}, errors.New("this program cannot start itself again")
	}
	ids, err := sandbox.Subordinate()
	return ids.Within(), err
}
