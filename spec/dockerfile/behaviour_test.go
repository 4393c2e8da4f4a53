package dockerfile

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// behaviour is a Dockerfile with what its spec and notes hold, each on one
// line, and what they do not.
type behaviour struct {
	dockerfile string
	holds      []string
	lacks      []string
}

func (b behaviour) check(t *testing.T, opts Options) {
	t.Helper()
	opts.Today = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	got, ds := Import("Dockerfile", []byte(b.dockerfile), opts)
	if ds.HasErrors() {
		t.Fatalf("refused: %+v", ds)
	}
	var text strings.Builder
	for line := range strings.Lines(string(got.HCL)) {
		text.WriteString(strings.Join(strings.Fields(line), " ") + "\n")
	}
	for _, n := range got.Notes {
		text.WriteString(n.String() + "\n")
	}
	for _, s := range b.holds {
		if !strings.Contains(text.String(), s) {
			t.Errorf("%q is not in\n%s", s, &text)
		}
	}
	for _, s := range b.lacks {
		if strings.Contains(text.String(), s) {
			t.Errorf("%q is in\n%s", s, &text)
		}
	}
}

func checkAll(t *testing.T, opts Options, all map[string]behaviour) {
	t.Helper()
	t.Parallel()
	for name, b := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b.check(t, opts)
		})
	}
}

func TestAccounts(t *testing.T) {
	checkAll(t, Options{}, map[string]behaviour{
		"without a number":        {"FROM debian:13\nRUN useradd app\nUSER app\n", []string{`user "app" {`, "uid = 10001", `run_as = "app"`, "app has no number"}, []string{"useradd", "waiver"}},
		"two without numbers":     {"FROM debian:13\nRUN useradd a && useradd b\nUSER b\n", []string{"uid = 10001", "uid = 10002"}, nil},
		"a number that is there":  {"FROM debian:13\nRUN useradd -u 10001 a && useradd b\nUSER b\n", []string{"uid = 10001", "uid = 10002"}, nil},
		"of an argument":          {"FROM debian:13\nARG UID=1001\nRUN useradd -u $UID app\nUSER app\n", []string{"uid = var.uid"}, []string{"useradd"}},
		"of text in an argument":  {"FROM debian:13\nARG WHO=app\nRUN useradd $WHO\n", []string{"useradd"}, []string{`user "`}},
		"the group of its name":   {"FROM alpine:3\nRUN addgroup -S app && adduser -S -G app app\nUSER app\n", []string{`user "app" {`, "uid = 10001"}, []string{`group "app"`, "gid ="}},
		"a group of another name": {"FROM debian:13\nRUN groupadd -g 50 web && useradd -g web app\nUSER app\n", []string{`group "web" {`, `group = "web"`}, nil},
		"letters in one":          {"FROM debian:13\nRUN useradd -rm app\nUSER app\n", []string{`user "app" {`}, []string{"useradd"}},
		"a shell that is said":    {"FROM debian:13\nRUN useradd -s /bin/bash app\nUSER app\n", []string{`shell = "/bin/bash"`}, []string{"nologin"}},
		"into a group":            {"FROM alpine:3\nRUN adduser app wheel\n", []string{"adduser"}, []string{`user "`}},
		"a name of the base":      {"FROM example.com/x:1\nUSER app\nRUN make\nCOPY --chown=app:app a /a/\n", []string{`user = "10001:10001"`, `run_as = "10001:10001"`, `owner = "10001:10001"`, `"app" is a name whose number`}, []string{`"10002`}},
		"a name that is known":    {"FROM node:22\nUSER node\n", []string{`run_as = "1000:1000"`}, []string{"TODO"}},
		"the same on a mirror":    {"FROM public.ecr.aws/docker/library/node:22\nUSER node\n", []string{`run_as = "1000:1000"`}, []string{"TODO"}},
	})
}

func TestWaivers(t *testing.T) {
	root := `rule = "final-user-non-root"`
	checkAll(t, Options{}, map[string]behaviour{
		"root of scratch":         {"FROM scratch\nCOPY a /\n", []string{root, `address = "image.app"`, `expires = "2026-04-01"`, "TODO(import): the image runs as root"}, nil},
		"root that is said":       {"FROM debian:13\nUSER 0\n", []string{root}, []string{"run_as ="}},
		"root of another's":       {"FROM example.com/x:1\nUSER root\n", []string{root, `run_as = "0`}, nil},
		"another's own":           {"FROM example.com/x:1\nRUN make\n", []string{root, "which may be root"}, nil},
		"a base that is no root":  {"FROM gcr.io/distroless/static-debian12:nonroot\nCOPY a /\n", []string{`run_as = "65532"`}, []string{root}},
		"a user":                  {"FROM debian:13\nUSER 5\n", []string{`run_as = "5"`}, []string{"waiver"}},
		"a stage is not judged":   {"FROM debian:13 AS a\nRUN make\nFROM debian:13\nCOPY --from=a /x /\nUSER 5\n", nil, []string{"waiver"}},
		"no tag":                  {"FROM debian\nUSER 5\n", []string{`rule = "base-no-floating-tag"`, `address = "base.debian"`, "the tag latest"}, nil},
		"a tag that moves":        {"FROM debian:stable-slim\nUSER 5\n", []string{`rule = "base-no-floating-tag"`}, nil},
		"a tag with a date":       {"FROM debian:stable-20260112\nUSER 5\n", nil, []string{"waiver"}},
		"a digest":                {"FROM debian@sha256:" + strings.Repeat("0", 64) + "\nUSER 5\n", nil, []string{"waiver"}},
		"an image that is copied": {"FROM debian:13\nCOPY --from=nginx:latest /a /b\nUSER 5\n", []string{`address = "base.nginx"`}, nil},
	})
}

func TestWithoutADayNoWaiverIsWritten(t *testing.T) {
	t.Parallel()
	got, ds := Import("Dockerfile", []byte("FROM scratch\nCOPY a /\n"), Options{})
	if ds.HasErrors() || strings.Contains(string(got.HCL), "waiver") || len(got.Notes) > 0 {
		t.Errorf("%s%v%v", got.HCL, got.Notes, ds)
	}
}

func TestWorkdirs(t *testing.T) {
	checkAll(t, Options{}, map[string]behaviour{
		"a step stands in it":    {"FROM debian:13\nWORKDIR /a\nRUN make\nWORKDIR /b\nUSER 5\n", []string{`workdir = "/a"`, `workdir = "/b"`}, []string{"directory"}},
		"a copy goes into it":    {"FROM debian:13\nWORKDIR /a\nCOPY x .\nWORKDIR /b\nUSER 5\n", []string{`to = "/a/"`}, []string{"directory"}},
		"nothing makes it":       {"FROM debian:13\nWORKDIR /a\nWORKDIR /b\nRUN ls /a\nUSER 5\n", []string{`path = "/a"`}, nil},
		"every system has it":    {"FROM debian:13\nWORKDIR /tmp\nWORKDIR /b\nRUN make\nUSER 5\n", nil, []string{"directory"}},
		"nothing has it":         {"FROM scratch\nWORKDIR /tmp\nWORKDIR /b\nUSER 5\n", []string{`path = "/tmp"`}, nil},
		"a user's":               {"FROM debian:13\nUSER 5:6\nWORKDIR /a\nRUN make\n", []string{`path = "/a"`, `owner = "5:6"`}, nil},
		"a user's home":          {"FROM debian:13\nRUN useradd -u 5 -d /a x\nUSER x\nWORKDIR /a\nRUN make\n", []string{`home = "/a"`}, []string{"directory"}},
		"relative, and up again": {"FROM debian:13\nWORKDIR /a\nWORKDIR b\nWORKDIR ../c\nRUN make\nUSER 5\n", []string{`workdir = "/a/c"`, `path = "/a/b"`}, nil},
	})
}

func TestCopies(t *testing.T) {
	tree := fstest.MapFS{"a.txt": {}, "src/main.go": {}, "src2/x.go": {}, "one.cfg": {}}
	checkAll(t, Options{Context: tree}, map[string]behaviour{
		"a pattern of folders":           {"FROM scratch\nCOPY src* /to/\n", []string{`source = "src"`, `source = "src2"`}, []string{"src*"}},
		"a pattern of files":             {"FROM scratch\nCOPY *.txt *.cfg /to/\n", []string{`source = ["*.txt", "*.cfg"]`}, nil},
		"a pattern of one file":          {"FROM scratch\nCOPY *.cfg /to\n", []string{`source = "one.cfg"`}, nil},
		"exclude is from the folder":     {"FROM scratch\nCOPY --exclude=*.go --exclude=**/x src /to/\n", []string{`exclude = ["src/*.go", "src/**/x"]`}, nil},
		"exclude from the root":          {"FROM scratch\nCOPY --exclude=*.go . /to/\n", []string{`exclude = ["*.go"]`}, nil},
		"exclude with parents":           {"FROM scratch\nCOPY --parents --exclude=*.go src /to/\n", []string{`exclude = ["*.go"]`}, nil},
		"exclude of a file is nothing":   {"FROM scratch\nCOPY --exclude=a.txt a.txt /to/\n", nil, []string{"exclude"}},
		"exclude has no exceptions":      {"FROM scratch\nCOPY --exclude=!x src /to/\n", []string{"--exclude=!x is left out"}, []string{"exclude ="}},
		"the owner of a new folder":      {"FROM debian:13\nCOPY --chown=5:6 a.txt /new/\nUSER 5\n", []string{"Where /new is new"}, nil},
		"the owner of a folder":          {"FROM debian:13\nCOPY --chown=5:6 src /new/\nUSER 5\n", nil, []string{"is new"}},
		"a folder that is there":         {"FROM debian:13\nCOPY --chown=5:6 a.txt /opt/\nUSER 5\n", nil, []string{"is new"}},
		"the owner of a here-document's": {"FROM scratch\nCOPY --chmod=600 <<E /new/x\nx\nE\n", []string{"Where /new is new"}, nil},
	})
}

// What a stage is built on says its platform: a native one below a stage for
// the target could not be, and Docker takes that of the one below too.
func TestPlatformsGoUpTheChain(t *testing.T) {
	checkAll(t, Options{}, map[string]behaviour{
		"a native base": {"FROM --platform=$BUILDPLATFORM golang:1.25 AS tools\nRUN true\nFROM tools AS build\nRUN make\nFROM scratch\nCOPY --from=build /x /x\n",
			[]string{"from = stage.tools\nplatform = build.platform"}, nil},
		"two stages further": {"FROM --platform=$BUILDPLATFORM golang:1.25 AS a\nRUN true\nFROM a AS b\nRUN true\nFROM b AS c\nRUN true\nFROM scratch\nCOPY --from=c /x /x\n",
			[]string{"from = stage.a\nplatform = build.platform", "from = stage.b\nplatform = build.platform"}, nil},
		"its own is not asked": {"FROM --platform=$BUILDPLATFORM golang:1.25 AS a\nRUN true\nFROM --platform=$TARGETPLATFORM a AS b\nRUN true\nFROM scratch\nCOPY --from=b /x /x\n",
			[]string{"from = stage.a\nplatform = build.platform"}, nil},
		"a base for the target": {"FROM golang:1.25 AS a\nRUN true\nFROM a AS b\nRUN true\nFROM scratch\nCOPY --from=b /x /x\n", nil, []string{"platform ="}},
	})
}

func TestPatternsThatMatchNothing(t *testing.T) {
	files := fstest.MapFS{"package.json": {}, "package-lock.json": {}}
	checkAll(t, Options{Context: files}, map[string]behaviour{
		"among others": {"FROM node:22\nCOPY package.json package-lock.json* yarn.lock* ./\n",
			[]string{`source = ["package.json", "package-lock.json*"]`, "2: changed: yarn.lock* is nothing in the folder"}, []string{`"yarn.lock*"`}},
		"alone":            {"FROM node:22\nCOPY *.sql /init/\n", []string{`source = "*.sql"`}, []string{"is nothing in"}},
		"a plain name":     {"FROM node:22\nCOPY missing.json /x/\n", []string{`source = "missing.json"`}, []string{"is nothing in"}},
		"over folders":     {"FROM node:22\nCOPY src/**/*.js /x/\n", []string{"copy {"}, []string{"is nothing in"}},
		"of another stage": {"FROM node:22 AS a\nRUN true\nFROM node:22\nCOPY --from=a /x/*.js /x/\n", []string{"copy {"}, []string{"is nothing in"}},
	})
}

func TestVariables(t *testing.T) {
	checkAll(t, Options{}, map[string]behaviour{
		"ARG after ENV":              {"FROM debian:13\nENV A=1\nARG A=2\nRUN echo $A\nUSER 5\n", []string{"env = { A = var.a }"}, nil},
		"ENV after ARG":              {"FROM debian:13\nARG A=2\nENV A=1\nRUN echo $A\nUSER 5\n", nil, []string{"var.a"}},
		"ARG without a value":        {"FROM debian:13\nENV A=1\nARG A\nRUN echo $A\nUSER 5\n", []string{"it has the value of ENV"}, []string{"var.a"}},
		"env prints them all":        {"FROM debian:13\nRUN env > /x\nENV A=1\nUSER 5\n", []string{"env = { A = null }"}, nil},
		"a command that reads none":  {"FROM debian:13\nRUN mkdir /x\nENV A=1\nUSER 5\n", nil, []string{"null"}},
		"a platform without an ARG":  {"FROM debian:13\nRUN --mount=type=cache,target=/x,id=$TARGETARCH make\nUSER 5\n", []string{"$TARGETARCH is set by nothing here", "An ARG without a value would give it"}, nil},
		"a here-document of a shell": {"FROM debian:13\nRUN <<E bash\ncurl https://example.com\nE\nUSER 5\n", []string{`network = "outbound"`}, nil},
		"blanks before all lines":    {"FROM debian:13\nRUN <<E\n  make a\n  make b\nE\nUSER 5\n", []string{"<<-EOT"}, []string{`\n`}},
	})
}
