package policy_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/specbuild/specbuild/engine/source"
	"github.com/specbuild/specbuild/planner"
	"github.com/specbuild/specbuild/planner/policy"
	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

var update = flag.Bool("update", false, "write what the stories give")

// now is when the stories are told: waivers are judged by it.
var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// TestStories judges the workspace of each archive by the policies in its
// folder policy/; the file want is what is printed. Words of the comment:
// "locked" judges as for a release, "partial" leaves variables without a
// value, "override RULE" goes past a rule.
func TestStories(t *testing.T) {
	t.Parallel()
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("%d archives: %v", len(archives), err)
	}
	for _, file := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := readStory(a)
			got := s.tell(t)
			if *update {
				a.Files[s.want].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(a.Files[s.want].Data), got); diff != "" {
				t.Errorf("-want +got; -update writes it:\n%s", diff)
			}
		})
	}
}

// story is an archive, sorted.
type story struct {
	files           map[string][]byte
	policies        []policy.File
	want            int // the index of its file
	locked, partial bool
	overrides       map[string]string
}

// rankOf is whose the policies in a folder of a story are.
var rankOf = map[string]policy.Rank{"etc": policy.OfMachine, "policy": policy.OfWorkspace, "flag": policy.OfCommand}

func readStory(a *txtar.Archive) *story {
	s := &story{files: map[string][]byte{".git/HEAD": nil}, overrides: map[string]string{}}
	words := strings.Fields(string(a.Comment))
	for i, w := range words {
		switch w {
		case "locked":
			s.locked = true
		case "partial":
			s.partial = true
		case "override":
			s.overrides[strings.TrimSuffix(words[i+1], ".")] = "the release of 2025 is built again"
		}
	}
	for i, f := range a.Files {
		switch {
		case f.Name == "want":
			s.want = i
		case strings.HasSuffix(f.Name, ".policy.hcl"):
			s.policies = append(s.policies, policy.File{Name: f.Name, Text: f.Data, Rank: rankOf[strings.Split(f.Name, "/")[0]]})
		default:
			s.files[f.Name] = f.Data
		}
	}
	return s
}

func (s *story) tell(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range s.files {
		full := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	set, ds := policy.Read(s.policies, policy.ReadOptions{Version: "0.1.0", Plan: planner.Plan{}})
	files := set.Files
	if !ds.HasErrors() {
		sp, more := spec.Load(context.Background(), spec.Options{
			Dir: dir, Args: []string{"./..."}, Build: spec.Platform{OS: "linux", Arch: "amd64"}, Version: "0.1.0", Partial: s.partial,
		})
		ds = append(ds, more...)
		for name, text := range sp.Files {
			files[name] = text
		}
		if !ds.HasErrors() {
			ds = append(ds, s.judge(sp, set)...)
		}
	}
	// What built-in rules advise, and no policy mentions, is another story.
	ds = slices.DeleteFunc(ds, func(d diag.Diagnostic) bool {
		return d.Severity != diag.Error && d.Code != "suppression-justified" && !slices.ContainsFunc(s.policies, func(f policy.File) bool {
			return bytes.Contains(f.Text, []byte(d.Code))
		})
	})
	var out bytes.Buffer
	if err := diag.WriteText(&out, ds.Sorted(), files, diag.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func (s *story) judge(sp *spec.Spec, set *policy.Set) diag.List {
	in := planner.Input{Spec: sp, Locked: s.locked, Allow: set.Grants(), Sources: new(source.View), Judge: func(f rules.Facts) diag.List {
		f.Now = now
		return set.Judge(f, policy.Options{Overrides: s.overrides, Partial: s.partial})
	}}
	if len(sp.Bases) > 0 { // there is no lock
		_, ds := planner.Unpinned(context.Background(), in)
		return ds
	}
	_, ds := planner.Make(context.Background(), in)
	return ds
}
