package planner_test

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/specbuild/specbuild/planner"
)

const managersSpec = `
base "os" {
  image = "docker.io/library/debian:12"
}
base "other" {
  image = "docker.io/library/ubuntu:24.04"
}
stage "one" {
  from = base.os
  env  = { DEBIAN_FRONTEND = "teletype", PATH = "/opt/bin" }
  packages "apt" {
    install = ["curl"]
  }
  packages "apk" {
    install = ["curl=1-r0"]
  }
  packages "dnf" {
    install    = ["curl=1-2", "glibc.i686"]
    recommends = true
  }
}
stage "two" {
  from = base.other
  packages "apt" {
    install    = ["wget"]
    recommends = true
  }
}
image "web" {
  from = base.os
  packages "apt" {
    install = ["nginx=1"]
  }
  copy {
    from   = stage.one
    source = "/x"
    to     = "/x"
  }
  copy {
    from   = stage.two
    source = "/x"
    to     = "/y"
  }
  run_as = "1:1"
}
`

// managerRuns are the commands of a plan by the instance and what is shown.
func managerRuns(t *testing.T) map[string]*planner.Run {
	t.Helper()
	lock := debian + strings.ReplaceAll(strings.TrimPrefix(debian, "specbuild-lock 1\n"), "debian:12", "ubuntu:24.04")
	s := open(t, parse("-- image.hcl --\n"+managersSpec+"-- specbuild.lock --\n"+lock))
	plan, ds := planner.Make(context.Background(), s.in)
	if plan == nil || ds.HasErrors() {
		t.Fatal(report(ds))
	}
	out := map[string]*planner.Run{}
	for _, inst := range plan.Instances {
		name := inst.Addr[strings.LastIndexByte(inst.Addr, '.')+1:]
		for _, step := range inst.Steps {
			if k := step.Packages; k != nil {
				out[name+" "+k.Manager] = k.Run
			}
		}
	}
	return out
}

// TestManagersAreGivenArguments: whatever is installed, the program of a
// manager is the same text, and packages are what a shell does not read.
func TestManagersAreGivenArguments(t *testing.T) {
	t.Parallel()
	runs := managerRuns(t)
	for name, want := range map[string][]string{
		"one apt": {"packages", "curl"},
		"two apt": {"packages", "wget"},
		"web apt": {"packages", "nginx=1"},
		"one apk": {"packages", "curl=1-r0"},
		"one dnf": {"packages", "curl-1-2", "glibc.i686"},
	} {
		r := runs[name]
		if r == nil {
			t.Fatalf("there is no %s", name)
		}
		if !slices.Equal(r.Args[:3], []string{"/bin/sh", "-eu", "-c"}) || !slices.Equal(r.Args[4:], want) {
			t.Errorf("%s: %q … %q", name, r.Args[:3], r.Args[4:])
		}
		if r.User != "0:0" || r.Workdir != "/" || r.Network != "outbound" {
			t.Errorf("%s runs as %s in %s with network %s", name, r.User, r.Workdir, r.Network)
		}
		for line := range strings.Lines(r.Args[3]) {
			if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
				t.Errorf("%s: the program has a line for readers: %q", name, line)
			}
		}
		if out, err := exec.Command("/bin/sh", "-n", "-c", r.Args[3]).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
	if runs["one apt"].Args[3] != runs["web apt"].Args[3] {
		t.Error("apt has another program for other packages")
	}
	for name, line := range map[string]string{"one apt": "recommends=false\n", "two apt": "recommends=true\n", "one dnf": "recommends=True\n"} {
		if !strings.Contains(runs[name].Args[3], line) {
			t.Errorf("%s does not say %s", name, line)
		}
	}
	env := func(name string) string {
		for _, kv := range runs["one apt"].Env {
			if kv.Name == name {
				return kv.Value
			}
		}
		return ""
	}
	if env("DEBIAN_FRONTEND") != "noninteractive" || env("PATH") != "/opt/bin" || env("SOURCE_DATE_EPOCH") == "" {
		t.Errorf("the environment is %v", runs["one apt"].Env)
	}
}

// TestManagersCachesAreOfADistribution: apt hashes no archive that it has, so
// that archives of two distributions must not lie in one folder.
func TestManagersCachesAreOfADistribution(t *testing.T) {
	t.Parallel()
	runs := managerRuns(t)
	cache := func(name string) planner.Mount {
		i := slices.IndexFunc(runs[name].Mounts, func(m planner.Mount) bool { return m.Type == "cache" })
		return runs[name].Mounts[i]
	}
	if one := cache("one apt"); one.CacheID != cache("web apt").CacheID || one.Sharing != "locked" || one.MaxSize == 0 {
		t.Errorf("two images of one base: %+v and %+v", one, cache("web apt"))
	}
	seen := map[string]string{}
	for _, name := range []string{"one apt", "two apt", "one apk", "one dnf"} {
		id := cache(name).CacheID
		if other := seen[id]; other != "" {
			t.Errorf("%s and %s have the cache %s", name, other, id)
		}
		seen[id] = name
	}
}
