package spec

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/specbuild/specbuild/spec/diag"
)

const emptyImage = "image \"x\" {\n  from = scratch\n}\n"

// tree writes files given as a txtar archive into a folder that a git work
// tree borders, so that nothing above it matters.
func tree(t *testing.T, archive string) string {
	t.Helper()
	dir := t.TempDir()
	unpack(t, dir, txtar.Parse([]byte(archive+"\n-- .git/HEAD --\n")))
	return dir
}

// oneError loads and demands exactly one mistake.
func oneError(t *testing.T, opts Options, summary, detail string) diag.Diagnostic {
	t.Helper()
	opts.Build = amd64
	_, l := Load(context.Background(), opts)
	if len(l) != 1 || l[0].Summary != summary || !strings.Contains(l[0].Detail, detail) {
		for _, d := range l.Sorted() {
			t.Logf("%s: %s: %s", d.Range, d.Summary, d.Detail)
		}
		t.Fatalf("%d diagnostics; want one, %q | %q", len(l), summary, detail)
	}
	return l[0]
}

func addrs(list []Addr) []string {
	var out []string
	for _, a := range list {
		out = append(out, a.String())
	}
	return out
}

func TestWorkspaceIsTheOutermostFile(t *testing.T) {
	t.Parallel()
	dir := tree(t, `
-- specbuild.hcl --
specbuild {
  required_version = ">= 0.1"
}
workspace {
  name = "shop"
}
-- services/web/.git --
gitdir: elsewhere
-- services/web/image.hcl --
context "shared" {
  path = "//lib"
}
image "web" {
  from   = scratch
  labels = { m = path.module, r = path.root }
}
-- lib/x --
`)
	s := mustLoad(t, Options{Dir: filepath.Join(dir, "services/web"), Version: "0.1.0"})
	if s.Root != dir || s.Name != "shop" {
		t.Errorf("root %s, name %s", s.Root, s.Name)
	}
	if got := addrs(s.Selected); !slices.Equal(got, []string{"//services/web:image.web"}) {
		t.Errorf("selected %v", got)
	}
	if c := s.Contexts[1]; c.Path.V != "lib" || c.Dir != filepath.Join(dir, "lib") {
		t.Errorf("context %+v", c)
	}
	b := mustAt(t, s, s.Selected[0], amd64)
	if b.Image.Labels[0].Value != "//services/web" || b.Image.Labels[1].Value != "//" {
		t.Errorf("labels %+v", b.Image.Labels)
	}
}

func TestWorkspaceEndsAtTheGitWorkTree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	unpack(t, dir, txtar.Parse([]byte("-- specbuild.hcl --\nworkspace {\n  name = \"outside\"\n}\n-- repo/.git/HEAD --\n-- repo/image.hcl --\n"+emptyImage)))
	s := mustLoad(t, Options{Dir: filepath.Join(dir, "repo")})
	if s.Root != filepath.Join(dir, "repo") || s.Name != "repo" {
		t.Errorf("root %s, name %s", s.Root, s.Name)
	}
}

// TestALinkDoesNotLeadOutOfTheWorkspace: neither to a folder of it that one
// stands in, nor to one or a file that is named.
func TestALinkDoesNotLeadOutOfTheWorkspace(t *testing.T) {
	t.Parallel()
	dir := tree(t, "-- specbuild.hcl --\nworkspace {\n  name = \"shop\"\n}\n-- services/web/image.hcl --\n"+emptyImage+"-- services/web/more.image.hcl --\nimage \"y\" {\n  from = scratch\n}\n")
	home := t.TempDir()
	link := filepath.Join(home, "web")
	if err := os.Symlink(filepath.Join(dir, "services/web"), link); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{
		"stood in":  {Dir: link},
		"named":     {Dir: home, Args: []string{"web"}},
		"a file":    {Dir: home, Args: []string{"web/image.hcl"}},
		"a pattern": {Dir: home, Args: []string{"web/..."}},
		"edited":    {Dir: link, Overlay: map[string][]byte{filepath.Join(link, "image.hcl"): []byte("image \"edited\" {\n  from = scratch\n}\n")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := mustLoad(t, o)
			want := []string{"//services/web:image.x", "//services/web:image.y"}
			switch name {
			case "a file":
				want = want[:1]
			case "edited":
				want[0] = "//services/web:image.edited"
			}
			if got := addrs(s.Selected); s.Root != dir || s.Name != "shop" || !slices.Equal(got, want) {
				t.Errorf("root %s, name %s, selected %v", s.Root, s.Name, got)
			}
			if o.Dir == link && s.Images[0].Range.File != "image.hcl" {
				t.Errorf("a mistake would be at %s", s.Images[0].Range.File)
			}
		})
	}
}

func TestWorkspaceMistakes(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, file, summary, detail string }{
		{"stages", "stage \"x\" {}\n", "Unknown block", "stages, images and modules stand in"},
		{"modules", "module \"x\" {}\n", "Unknown block", "stages, images and modules stand in"},
		{"itself", "locals {\n  a = workspace.local.b\n}\n", "Unknown name", "named without workspace"},
		{"policy", "workspace {\n  policy = [\"policy.hcl\"]\n}\n", "Invalid value", "from the root"},
		{"engine", "engine \"buildkit\" {}\n", "Not supported yet", "Leave the block out"},
		{"base", "base \"x\" {\n}\n", "Missing attribute", "one of"},
		{"image", emptyImage, "Unknown block", "image.hcl"},
		{"nonsense", "wrokspace {}\n", "Unknown block", "Did you mean \"workspace\"?"},
		{"twice", "workspace {}\nworkspace {}\n", "Block written twice", "once"},
		{"label", "workspace \"x\" {}\n", "Too many labels", "no label"},
		{"name", "workspace {\n  name = \"My Shop\"\n}\n", "Invalid value", "is not a name"},
		{"syntax", "workspace {\n", "Unclosed block", ""},
		{"version", "specbuild {\n  required_version = \">= 2\"\n}\n", "Wrong version", "Install another"},
		{"attribute", "name = \"x\"\n", "Unknown attribute", "name"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := tree(t, "-- specbuild.hcl --\n"+c.file+"-- m/image.hcl --\n"+emptyImage)
			d := oneError(t, Options{Dir: filepath.Join(dir, "m"), Version: "0.1.0"}, c.summary, c.detail)
			if d.Range.File != "../specbuild.hcl" || d.Range.Start.Line == 0 {
				t.Errorf("at %s", d.Range)
			}
		})
	}
}

func TestWorkspaceBelowAnother(t *testing.T) {
	t.Parallel()
	dir := tree(t, "-- specbuild.hcl --\nworkspace {}\n-- a/specbuild.hcl --\nworkspace {}\n-- a/b/image.hcl --\n"+emptyImage)
	d := oneError(t, Options{Dir: filepath.Join(dir, "a/b")}, "Workspace in a workspace", "Remove it")
	if d.Range.File != "../specbuild.hcl" {
		t.Errorf("at %s", d.Range)
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	dir := tree(t, `
-- specbuild.hcl --
workspace {}
-- a/image.hcl --
image "one" {
  from = scratch
}
-- a/two.image.hcl --
image "two" {
  from = image.one
}
-- b/image.hcl --
image "one" {
  from = scratch
}
-- b/other.hcl --
this is not read
-- c/README --
`)
	cases := []struct {
		args []string
		want []string
	}{
		{[]string{"a"}, []string{"//a:image.one", "//a:image.two"}},
		{[]string{"a/image.hcl"}, []string{"//a:image.one"}},
		{[]string{"a/two.image.hcl", "a"}, []string{"//a:image.one", "//a:image.two"}},
		{[]string{"b", "a/two.image.hcl"}, []string{"//a:image.two", "//b:image.one"}},
	}
	for _, c := range cases {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			t.Parallel()
			s := mustLoad(t, Options{Dir: dir, Args: c.args})
			if got := addrs(s.Selected); !slices.Equal(got, c.want) {
				t.Errorf("selected %v, want %v", got, c.want)
			}
			if _, ok := s.Files["a/image.hcl"]; !ok && c.args[0] != "b" {
				t.Errorf("files %v", s.Files)
			}
		})
	}
	for arg, want := range map[string][2]string{
		"nowhere":      {"Spec not found", "no such file"},
		"c":            {"Spec not found", "no image.hcl"},
		"b/other.hcl":  {"Not a spec", "NAME.image.hcl"},
		"c/...":        {"Spec not found", "No folder"},
		"//x/*":        {"Spec not found", "No folder"},
		"//x":          {"Spec not found", "There is no folder"},
		"//a:image.x":  {"Unknown address", "Nothing that can be built"},
		"nowhere/...":  {"Spec not found", "There is no folder"},
		"x.image.yaml": {"Spec not found", ""},
	} {
		t.Run("wrong "+arg, func(t *testing.T) {
			t.Parallel()
			oneError(t, Options{Dir: dir, Args: []string{arg}}, want[0], want[1])
		})
	}
}

func TestTheOtherEndingIsRefusedNotPassedOver(t *testing.T) {
	t.Parallel()
	dir := tree(t, "-- image.hcl --\n"+emptyImage+"-- more.image.yml --\nimage: {}\n")
	d := oneError(t, Options{Dir: dir}, "Not a spec", "call this one more.image.yaml")
	if d.Range.File != "more.image.yml" {
		t.Errorf("at %s", d.Range)
	}
}

func TestFoldersWithoutACommonWorkspace(t *testing.T) {
	t.Parallel()
	dir := tree(t, "-- a/image.hcl --\n"+emptyImage+"-- b/image.hcl --\n"+emptyImage)
	oneError(t, Options{Dir: dir, Args: []string{"a", "b"}}, "Several workspaces", "a folder above both")
}

func TestContextMustNotLeaveByALink(t *testing.T) {
	t.Parallel()
	dir := tree(t, "-- image.hcl --\ncontext \"c\" {\n  path = \"link\"\n}\n"+emptyImage)
	if err := os.Symlink(t.TempDir(), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	oneError(t, Options{Dir: dir}, "Invalid value", "leads out of the workspace")
}

// A pipe is not waited for.
func TestSpecIsARegularFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "image.hcl"), 0o644); err != nil {
		t.Fatal(err)
	}
	oneError(t, Options{Dir: dir}, "File not read", "not a regular file")
}

// Bytes that are no spec at all are answered at their place.
func TestUnreadableSpecs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, summary string }{
		"binary": {"\x7fELF\x00\x01", "Not a text file"},
		"large":  {strings.Repeat("# 0123456789abcdef\n", 600_000), "File too large"},
		"deep":   {"locals {\n  a = " + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + "\n}\n", "Nested too deep"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "image.hcl"), []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			oneError(t, Options{Dir: dir}, c.summary, "")
		})
	}
}

// TestWorkspaceAlone reads what a workspace says of itself from a folder in it,
// where there need be no spec; what is wrong in one is not looked at.
func TestWorkspaceAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		".git/HEAD": "", "specbuild.hcl": "workspace {\n  name   = \"shop\"\n  policy = [\"//p.policy.hcl\"]\n}\n", "a/b/x": "", "image.hcl": "image {",
	} {
		full := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, ds := Workspace(t.Context(), Options{Dir: filepath.Join(dir, "a", "b")})
	if len(ds) > 0 || s.Root != dir || s.Name != "shop" || len(s.Policies) != 1 || s.Policies[0].Source.Folder != "//p.policy.hcl" || len(s.Files) != 1 {
		t.Errorf("%+v %v", s, ds)
	}
	outside := t.TempDir()
	if s, ds := Workspace(t.Context(), Options{Dir: outside, Top: outside}); len(ds) > 0 || s.Root != outside || len(s.Policies) > 0 {
		t.Errorf("%+v %v", s, ds)
	}
	if err := os.WriteFile(filepath.Join(dir, "specbuild.hcl"), []byte("workspace {\n  policy = 1\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, ds := Workspace(t.Context(), Options{Dir: dir}); !ds.HasErrors() {
		t.Error("the mistake is passed over")
	}
}
