package sandbox

import (
	"bufio"
	_ "embed"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	moby "github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

//go:generate go run gen_syscalls.go

//go:embed syscalls.txt
var syscallTable string

// What a filter answers (linux/seccomp.h); an errno is or-ed to retErrno.
const (
	retAllow = 0x7fff0000
	retErrno = 0x00050000
	retKill  = 0x80000000
	x32Bit   = 0x40000000
)

// abi is one calling convention that a kernel of some architecture serves.
type abi struct {
	audit  uint32   // AUDIT_ARCH_…
	tables []string // of syscalls.txt; the second one's numbers have x32Bit
}

// abis lists, by GOARCH, what programs of it may use: Docker's lists, without
// those of the 31-bit and big-endian relatives that no image has.
var abis = map[string][]abi{
	"amd64":   {{unix.AUDIT_ARCH_X86_64, []string{"amd64", "x32"}}, {unix.AUDIT_ARCH_I386, []string{"386"}}},
	"386":     {{unix.AUDIT_ARCH_I386, []string{"386"}}},
	"arm64":   {{unix.AUDIT_ARCH_AARCH64, []string{"arm64"}}, {unix.AUDIT_ARCH_ARM, []string{"arm"}}},
	"arm":     {{unix.AUDIT_ARCH_ARM, []string{"arm"}}},
	"riscv64": {{unix.AUDIT_ARCH_RISCV64, []string{"riscv64"}}},
	"s390x":   {{unix.AUDIT_ARCH_S390X, []string{"s390x"}}},
	"ppc64le": {{unix.AUDIT_ARCH_PPC64LE, []string{"ppc64le"}}},
	"loong64": {{unix.AUDIT_ARCH_LOONGARCH64, []string{"loong64"}}},
}

// mobyArch is how the profile's conditions name a GOARCH where it differs.
var mobyArch = map[string]string{"386": "x86", "loong64": "loongarch64"}

// verdict is what becomes of one system call: the answers of rules with
// conditions on arguments, in order, then ret.
type verdict struct {
	rules []rule
	ret   uint32
}

type rule struct {
	args []specs.LinuxSeccompArg // all must hold
	ret  uint32
}

// profile evaluates Docker's default profile for a GOARCH and capabilities:
// the verdict of each call that it names. Calls that it does not name fail
// with EPERM.
func profile(goarch string, caps []string) map[string]verdict {
	arch := goarch
	if a, ok := mobyArch[goarch]; ok {
		arch = a
	}
	out := map[string]verdict{}
	for _, call := range moby.DefaultProfile().Syscalls {
		if !applies(call, arch, caps) {
			continue
		}
		ret := uint32(retAllow)
		if call.Action == specs.ActErrno {
			ret = retErrno | uint32(unix.EPERM)
			if call.ErrnoRet != nil {
				ret = retErrno | uint32(*call.ErrnoRet)
			}
		}
		for _, name := range call.Names {
			v, ok := out[name]
			if !ok {
				v.ret = retErrno | uint32(unix.EPERM)
			}
			if len(call.Args) == 0 {
				v.ret = ret
			} else {
				v.rules = append(v.rules, rule{call.Args, ret})
			}
			out[name] = v
		}
	}
	return out
}

// applies says whether a rule of the profile holds. Conditions on the
// kernel's version ask for 4.8, which every kernel has that we run on.
func applies(call *moby.Syscall, arch string, caps []string) bool {
	has := func(c string) bool { return slices.Contains(caps, c) }
	if in := call.Includes; in != nil {
		if len(in.Arches) > 0 && !slices.Contains(in.Arches, arch) {
			return false
		}
		for _, c := range in.Caps {
			if !has(c) {
				return false
			}
		}
	}
	if ex := call.Excludes; ex != nil {
		return !slices.Contains(ex.Arches, arch) && !slices.ContainsFunc(ex.Caps, has)
	}
	return true
}

// numbers reads one table of syscalls.txt: the number of each call.
func numbers(table string) map[string]uint32 {
	out := map[string]uint32{}
	sc := bufio.NewScanner(strings.NewReader(syscallTable))
	in := false
	for sc.Scan() {
		name, value, _ := strings.Cut(sc.Text(), " ")
		if name == "arch" {
			in = value == table
			continue
		}
		if !in {
			continue
		}
		if n, err := strconv.ParseUint(value, 10, 32); err == nil {
			out[name] = uint32(n)
		}
	}
	return out
}

// span is a run of system call numbers of one verdict, up to the next span.
type span struct {
	from uint32
	verdict
}

// spans lays the verdicts out by number. What the profile does not name is
// EPERM up to the highest call that it names, and ENOSYS above: newer than
// the profile, and what a C library must see to fall back to an older call.
func spans(a abi, prof map[string]verdict) []span {
	eperm, enosys := uint32(retErrno|uint32(unix.EPERM)), uint32(retErrno|uint32(unix.ENOSYS))
	var out []span
	for i, table := range a.tables {
		base := uint32(i) * x32Bit
		byNumber := map[uint32]verdict{}
		var known []uint32
		for name, n := range numbers(table) {
			if v, ok := prof[name]; ok {
				byNumber[n] = v
				known = append(known, n)
			}
		}
		slices.Sort(known)
		known = slices.Compact(known)
		next := uint32(0)
		for _, n := range known {
			if n > next {
				out = append(out, span{base + next, verdict{ret: eperm}})
			}
			out = append(out, span{base + n, byNumber[n]})
			next = n + 1
		}
		out = append(out, span{base + next, verdict{ret: enosys}})
	}
	return slices.CompactFunc(out, func(a, b span) bool {
		return len(a.rules) == 0 && len(b.rules) == 0 && a.ret == b.ret
	})
}

// filter compiles Docker's default profile for programs of a GOARCH that have
// at most the capabilities caps. The kernel runs it at every system call, so
// it searches by halves: about ten comparisons.
func filter(goarch string, caps []string) ([]bpf.RawInstruction, error) {
	list, ok := abis[goarch]
	if !ok {
		return nil, fmt.Errorf("%w: no seccomp filter for %s", ErrUnsupported, goarch)
	}
	prof := profile(goarch, caps)
	prog := []bpf.Instruction{bpf.LoadAbsolute{Off: 4, Size: 4}}
	for _, a := range list {
		body := append([]bpf.Instruction{bpf.LoadAbsolute{Off: 0, Size: 4}}, search(spans(a, prof), goarch == "s390x")...)
		prog = append(prog, bpf.JumpIf{Cond: bpf.JumpEqual, Val: a.audit, SkipTrue: 1})
		prog = append(prog, bpf.Jump{Skip: uint32(len(body))})
		prog = append(prog, body...)
	}
	// A calling convention that is not listed could name any call by a number
	// that means another one here.
	prog = append(prog, bpf.RetConstant{Val: retKill})
	raw, err := bpf.Assemble(prog)
	if err != nil {
		return nil, fmt.Errorf("assemble seccomp filter: %w", err)
	}
	return raw, nil
}

// search finds the span of the number in the accumulator. Both halves return,
// so code never runs on from one into the other.
func search(list []span, big bool) []bpf.Instruction {
	if len(list) == 1 {
		return decide(list[0].verdict, big)
	}
	mid := len(list) / 2
	low, high := search(list[:mid], big), search(list[mid:], big)
	var code []bpf.Instruction
	if len(low) < 256 {
		code = []bpf.Instruction{bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: list[mid].from, SkipTrue: uint8(len(low))}}
	} else { // conditional jumps reach 255 instructions
		code = []bpf.Instruction{
			bpf.JumpIf{Cond: bpf.JumpLessThan, Val: list[mid].from, SkipTrue: 1},
			bpf.Jump{Skip: uint32(len(low))},
		}
	}
	return append(append(code, low...), high...)
}

// decide answers by the arguments. Within a rule every condition that does
// not hold skips the rest of it.
func decide(v verdict, big bool) []bpf.Instruction {
	var code []bpf.Instruction
	for _, r := range v.rules {
		block := []bpf.Instruction{bpf.RetConstant{Val: r.ret}}
		for _, a := range slices.Backward(r.args) {
			block = append(condition(a, len(block), big), block...)
		}
		code = append(code, block...)
	}
	return append(code, bpf.RetConstant{Val: v.ret})
}

// condition compares an argument and skips the next skip instructions unless
// it holds. Arguments are 64 bits in two words; Docker's profile compares all
// of them, but the kernel looks at an int in the greater-than rule of
// socket(2), so there the upper word must not make a family look large.
func condition(a specs.LinuxSeccompArg, skip int, big bool) []bpf.Instruction {
	low, high := uint32(16+8*a.Index), uint32(20+8*a.Index)
	if big {
		low, high = high, low
	}
	lo, hi := uint32(a.Value), uint32(a.Value>>32)
	load := func(off uint32) bpf.Instruction { return bpf.LoadAbsolute{Off: off, Size: 4} }
	no := func(more int) uint8 { return uint8(skip + more) }
	switch a.Op {
	case specs.OpMaskedEqual:
		want := a.ValueTwo
		return []bpf.Instruction{
			load(high), bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: hi},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(want >> 32), SkipTrue: no(3)},
			load(low), bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: lo},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(want), SkipTrue: no(0)},
		}
	case specs.OpEqualTo:
		return []bpf.Instruction{
			load(high), bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: hi, SkipTrue: no(2)},
			load(low), bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: lo, SkipTrue: no(0)},
		}
	case specs.OpLessThan: // of a small value: the upper word must be zero
		return []bpf.Instruction{
			load(high), bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: hi, SkipTrue: no(2)},
			load(low), bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: lo, SkipTrue: no(0)},
		}
	case specs.OpGreaterThan:
		return []bpf.Instruction{load(low), bpf.JumpIf{Cond: bpf.JumpLessOrEqual, Val: lo, SkipTrue: no(0)}}
	}
	// The profile uses no other comparison (a test looks); one that it gains
	// must not open anything.
	return []bpf.Instruction{bpf.Jump{Skip: uint32(skip)}}
}

// packFilter is the filter as struct sock_filter lies in memory.
func packFilter(raw []bpf.RawInstruction) []byte {
	out := make([]byte, 0, 8*len(raw))
	for _, in := range raw {
		out = binary.NativeEndian.AppendUint16(out, in.Op)
		out = append(out, in.Jt, in.Jf)
		out = binary.NativeEndian.AppendUint32(out, in.K)
	}
	return out
}
