//go:build linux

package sandbox

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// machine runs filters as the kernel does. The interpreter reads packets,
// whose words are big-endian, so the data is laid out that way.
func machineOf(t *testing.T, raw []bpf.RawInstruction) *bpf.VM {
	t.Helper()
	prog, ok := bpf.Disassemble(raw)
	if !ok {
		t.Fatal("the filter holds an unknown instruction")
	}
	vm, err := bpf.NewVM(prog)
	if err != nil {
		t.Fatal(err)
	}
	return vm
}

// ask gives the verdict on a call, with the words of arguments in the order
// of the machine that the filter is for.
func ask(t *testing.T, vm *bpf.VM, audit, nr uint32, big bool, args ...uint64) uint32 {
	t.Helper()
	data := binary.BigEndian.AppendUint32(nil, nr)
	data = binary.BigEndian.AppendUint32(data, audit)
	data = append(data, make([]byte, 8)...)
	for i := range 6 {
		var a uint64
		if i < len(args) {
			a = args[i]
		}
		if !big {
			a = a<<32 | a>>32
		}
		data = binary.BigEndian.AppendUint64(data, a)
	}
	got, err := vm.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(got)
}

// scmp is how libseccomp calls the tables of syscalls.txt. s390x is not among
// them: on a little-endian machine its filter comes in mixed byte order.
var scmp = map[string]string{
	"amd64": "x86_64", "x32": "x32", "386": "x86", "arm64": "aarch64", "arm": "arm", "riscv64": "riscv64",
	"ppc64le": "ppc64le",
}

// arguments are tried on every call: what the profile compares, and about it.
var arguments = []uint64{
	0, 1, 8, 0x20000, 0x20008, 0xffffffff, 0xffffffffffffffff, 16, 37, 38, 39, 40, 41, 45,
	unix.CLONE_NEWUSER, unix.CLONE_NEWNS | 17, 0x3d0f00, 17, 1 << 32, 1<<32 | 8,
}

// TestAgainstLibseccomp compares our filters with those that libseccomp makes
// of the same profile: the verdict on every call that it knows, on each
// architecture, for each of the arguments.
func TestAgainstLibseccomp(t *testing.T) {
	tool := filepath.Join(t.TempDir(), "export")
	if out, err := exec.Command("gcc", "-o", tool, "testdata/export.c", "-lseccomp").CombinedOutput(); err != nil {
		t.Skipf("needs gcc and libseccomp-dev: %v %s", err, out)
	}
	caps, _ := granted(NetworkNone)
	for goarch, list := range abis {
		for _, a := range list {
			for i, table := range a.tables {
				arch, ok := scmp[table]
				if !ok {
					continue
				}
				t.Run(goarch+"/"+arch, func(t *testing.T) {
					raw, err := filter(goarch, caps)
					if err != nil {
						t.Fatal(err)
					}
					compare(t, machineOf(t, raw), tool, goarch, table, arch, a.audit, uint32(i)*x32Bit)
				})
			}
		}
	}
}

func compare(t *testing.T, ours *bpf.VM, tool, goarch, table, arch string, audit, base uint32) {
	caps, _ := granted(NetworkNone)
	prof := profile(goarch, caps)
	theirs, known := export(t, tool, arch, prof)
	big := goarch == "s390x"
	compared, table32 := 0, numbers(table)
	for name, nr := range known {
		if n, ok := table32[name]; ok && n+base != nr {
			t.Errorf("%s is %d, says libseccomp, and %d in our table", name, nr, n+base)
		}
		verdicts := arguments[:1]
		if len(prof[name].rules) > 0 {
			verdicts = arguments
		}
		for _, arg := range verdicts {
			want := ask(t, theirs, audit, nr, big, arg, arg)
			got := ask(t, ours, audit, nr, big, arg, arg)
			compared++
			if arg>>32 != 0 && (table == "386" || table == "arm" || table == "x32") {
				continue // no argument there has more than 32 bits
			}
			if name == "socket" && arg>>32 != 0 {
				continue // we look at the int that the kernel looks at: below
			}
			if _, named := prof[name]; !named && got == retErrno|uint32(unix.ENOSYS) {
				continue // newer than all that the profile names
			}
			if got != want {
				t.Errorf("%s(%#x): %#x, libseccomp says %#x", name, arg, got, want)
			}
		}
	}
	if compared < 300 {
		t.Errorf("only %d verdicts compared", compared)
	}
}

// export has libseccomp compile the profile, and tell its numbers.
func export(t *testing.T, tool, arch string, prof map[string]verdict) (*bpf.VM, map[string]uint32) {
	t.Helper()
	var rules bytes.Buffer
	for name, v := range prof {
		if v.ret == retAllow || v.ret&0xffff != uint32(unix.EPERM) {
			fmt.Fprintf(&rules, "%s %d 0\n", name, v.ret)
			continue // an unconditional rule beats the others
		}
		for _, r := range v.rules {
			fmt.Fprintf(&rules, "%s %d %d", name, r.ret, len(r.args))
			for _, a := range r.args {
				fmt.Fprintf(&rules, " %d %s %d %d", a.Index, strings.TrimPrefix(string(a.Op), "SCMP_CMP_"), a.Value, a.ValueTwo)
			}
			fmt.Fprintln(&rules)
		}
	}
	file := filepath.Join(t.TempDir(), "bpf")
	cmd := exec.Command(tool, arch, file)
	cmd.Stdin = &rules
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var raw []bpf.RawInstruction
	for b := range slices.Chunk(text, 8) {
		raw = append(raw, bpf.RawInstruction{
			Op: binary.NativeEndian.Uint16(b), Jt: b[2], Jf: b[3], K: binary.NativeEndian.Uint32(b[4:]),
		})
	}
	known := map[string]uint32{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.ParseUint(value, 10, 32); err == nil {
			known[name] = uint32(n)
		}
	}
	return machineOf(t, raw), known
}

func TestFilter(t *testing.T) {
	t.Parallel()
	caps, _ := granted(NetworkNone)
	raw, err := filter("amd64", caps)
	if err != nil {
		t.Fatal(err)
	}
	vm := machineOf(t, raw)
	eperm, enosys := uint32(retErrno|unix.EPERM), uint32(retErrno|unix.ENOSYS)
	for _, c := range []struct {
		name  string
		audit uint32
		nr    uint32
		args  []uint64
		want  uint32
	}{
		{"read", unix.AUDIT_ARCH_X86_64, 0, nil, retAllow},
		{"x32 read", unix.AUDIT_ARCH_X86_64, x32Bit, nil, retAllow},
		{"mount", unix.AUDIT_ARCH_X86_64, 165, nil, eperm},
		{"mount of i386", unix.AUDIT_ARCH_I386, 21, nil, eperm},
		{"mount of x32", unix.AUDIT_ARCH_X86_64, x32Bit | 165, nil, eperm},
		{"clone of a thread", unix.AUDIT_ARCH_X86_64, 56, []uint64{0x3d0f00}, retAllow},
		{"clone of a user namespace", unix.AUDIT_ARCH_X86_64, 56, []uint64{unix.CLONE_NEWUSER}, eperm},
		{"clone3", unix.AUDIT_ARCH_X86_64, 435, nil, enosys},
		{"vsock", unix.AUDIT_ARCH_X86_64, 41, []uint64{unix.AF_VSOCK}, eperm},
		{"vsock with garbage above the int", unix.AUDIT_ARCH_X86_64, 41, []uint64{1<<32 | unix.AF_VSOCK}, eperm},
		{"a call of tomorrow", unix.AUDIT_ARCH_X86_64, 900, nil, enosys},
		{"a call of tomorrow, x32", unix.AUDIT_ARCH_X86_64, x32Bit | 900, nil, enosys},
		{"another machine's convention", unix.AUDIT_ARCH_AARCH64, 63, nil, retKill},
	} {
		if got := ask(t, vm, c.audit, c.nr, false, c.args...); got != c.want {
			t.Errorf("%s: %#x, want %#x", c.name, got, c.want)
		}
	}
}

// The profile must not gain a comparison that we would answer by "no".
func TestComparisonsAreKnown(t *testing.T) {
	t.Parallel()
	for goarch := range abis {
		for name, v := range profile(goarch, nil) {
			for _, r := range v.rules {
				for _, a := range r.args {
					switch a.Op {
					case "SCMP_CMP_MASKED_EQ", "SCMP_CMP_EQ", "SCMP_CMP_LT", "SCMP_CMP_GT":
					default:
						t.Errorf("%s compares by %s", name, a.Op)
					}
				}
			}
		}
	}
}
