package sandbox

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// initName in argv[0] is how the program knows that it is the server of a
// sandbox. Somebody who types it gets an error about the missing socket.
const initName = "specbuild-sandbox"

// emulateName is the same program again, between the server and a command of
// another architecture.
const emulateName = "specbuild-emulate"

// controlFD is the socket to the parent: a job comes in, reports go out, a
// byte asks to end the command, and its end means that the parent is gone.
const controlFD = 3

// report is what the server tells of a run, one JSON value each, in this order.
type report struct {
	Stubs []string `json:",omitempty"`
	// Mounting comes with Stubs.
	Mounting time.Duration `json:",omitempty"`
	Started  bool          `json:",omitempty"`
	Error    string        `json:",omitempty"`
	// Error is about the command, or about the machine.
	Command, Unsupported bool   `json:",omitempty"`
	Exited               bool   `json:",omitempty"`
	Status               uint32 `json:",omitempty"` // as of wait4(2)
}

// init is the server's program where that is what we were started for, and
// then does not return. It is the one init function here, and no first line of
// main, because main comes after the initialisers of every package of the
// program, of which the server needs few: they are two thirds of what starting
// it takes. Go initialises packages in
// the order of their paths as soon as what they import is ready
// (go.dev/ref/spec#Program_initialization), so the fewer this one imports, the
// earlier it comes; nothing but the time depends on it. A test of the program
// looks.
func init() {
	switch os.Args[0] {
	case initName:
		runtime.LockOSThread()
		syscall.Exit(runInit()) // os.Exit takes a second more where races are looked for
	case emulateName:
		runtime.LockOSThread()
		os.Exit(runEmulate())
	}
}

// runInit is the server of a sandbox: it makes the namespaces and the root of a
// run, starts its command, and then does the same for the next run. It is in
// the machine's own namespaces, but for a user namespace where there is one: no
// command sees it. All that a command meets is made anew for each run, process
// 1 included (see keeper); what is used again is a program that has started.
//
// It ends when its socket does, which the kernel sees to however the parent
// dies, and waits for all that it has started before. PDEATHSIG would end it
// at once, and leave zombies that wait for the machine's process 1.
func runInit() int {
	var b born
	if err := receive(controlFD, &b); err != nil {
		return 1
	}
	if b.Off&guardFDs == 0 {
		// The shell that started specbuild may have left descriptors open.
		if err := unix.CloseRange(controlFD, ^uint(0)>>33, unix.CLOSE_RANGE_CLOEXEC); err != nil {
			return fail(fmt.Errorf("close descriptors: %w", err))
		}
	}
	rehearse()
	for h := newHand(b); h != nil; {
		var err error
		if h, err = serve(&b, h); err != nil {
			return 1
		}
	}
	return 0
}

// fail reports an error; the exit status is for nobody.
func fail(err error) int {
	send(report{Error: err.Error(), Command: errors.Is(err, ErrCommand), Unsupported: errors.Is(err, ErrUnsupported)})
	return 1
}

// send writes to the parent. Nothing can be done about a failure: the parent
// is gone, and so are we in a moment.
func send(r report) {
	text, err := json.Marshal(r)
	if err == nil {
		_, _ = unix.Write(controlFD, append(text, '\n'))
	}
}

// rehearse does once what reading a job and writing a report take: Go makes
// the decoders of types on first use, which is 0.4 ms that a server which
// waits anyway has.
func rehearse() {
	var j job
	_ = json.Unmarshal([]byte(`{"Spec":{"Root":{"Lower":["/"]},"Args":["x"],"Env":["x"],"Groups":[1],"Hosts":[{"Name":"x"}],"Mounts":[{"Target":"/","Content":"eA=="}],"IDMap":{"UIDs":[{"Count":1}]}},"Files":[{"Target":"x","Content":"eA=="}],"Filter":"eA=="}`), &j)
	_, _ = json.Marshal(report{Stubs: []string{"/"}})
}

// receiveJob waits for the job. The command's output comes with it: a process
// that waits has none.
func receiveJob(j *job) error {
	head, rights := make([]byte, 4), make([]byte, unix.CmsgSpace(2*4))
	var n, m int
	for err := error(unix.EINTR); err != nil; {
		n, m, _, _, err = unix.Recvmsg(controlFD, head, rights, unix.MSG_CMSG_CLOEXEC)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
	}
	messages, err := unix.ParseSocketControlMessage(rights[:m])
	if err != nil {
		return err
	}
	if n == 0 || len(messages) != 1 {
		return io.ErrUnexpectedEOF // the parent is gone
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return err
	}
	for i, fd := range fds { // standard output, standard error
		if err := unix.Dup3(fd, 1+i, 0); err != nil {
			return err
		}
		unix.Close(fd)
	}
	if err := readFull(controlFD, head[n:]); err != nil {
		return err
	}
	return receiveBody(controlFD, head, j)
}

// receive reads one length-prefixed JSON value.
func receive(fd int, v any) error {
	head := make([]byte, 4)
	if err := readFull(fd, head); err != nil {
		return err
	}
	return receiveBody(fd, head, v)
}

func receiveBody(fd int, head []byte, v any) error {
	body := make([]byte, binary.LittleEndian.Uint32(head))
	if err := readFull(fd, body); err != nil {
		return err
	}
	return json.Unmarshal(body, v)
}

func readFull(fd int, buf []byte) error {
	for len(buf) > 0 {
		n, err := unix.Read(fd, buf)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		case n == 0:
			return io.ErrUnexpectedEOF
		}
		buf = buf[n:]
	}
	return nil
}
