package dockerfile

import (
	"strings"
	"testing"
)

// The rules that the importer mends: what a Dockerfile may say and a spec may
// not. planner/rules holds that each of them has a test of its id here.

func TestImportMendsCopyIsTyped(t *testing.T) {
	sum := strings.Repeat("a", 64)
	lacks := []string{"add {", "ADD"}
	checkAll(t, Options{}, map[string]behaviour{
		"files":               {"FROM debian:13\nADD a b /x/\nUSER 5\n", []string{"copy {\nsource = \"a\"\nto = \"/x/\"\n}\n", "copy {\nsource = \"b\"\n"}, append(lacks, "unpack", "context")},
		"an archive":          {"FROM debian:13\nADD a.tar.gz /x/\nUSER 5\n", []string{`source = "a.tar.gz"`, "unpack = true"}, append(lacks, "context")},
		"archives and files":  {"FROM debian:13\nADD a.tgz b.txt /x/\nUSER 5\n", []string{`source = "a.tgz"`, "unpack = true", `source = "b.txt"`}, lacks},
		"an archive as it is": {"FROM debian:13\nADD --unpack=false a.tar /x/\nUSER 5\n", []string{`source = "a.tar"`}, append(lacks, "unpack")},
		"an address": {
			"FROM debian:13\nADD https://example.com/tool /usr/bin/tool\nUSER 5\n",
			[]string{"context \"tool\" {\nhttp {\nurl = \"https://example.com/tool\"\n", "from = context.tool", `source = "tool"`, `to = "/usr/bin/tool"`}, append(lacks, "unpack"),
		},
		"an address with its checksum": {
			"FROM debian:13\nADD --checksum=sha256:" + sum + " https://example.com/tool /usr/bin/\nUSER 5\n",
			[]string{`sha256 = "` + sum + `"`, "from = context.tool"}, append(lacks, "TODO"),
		},
		// Docker unpacks no archive of an address by itself.
		"an archive of an address": {"FROM debian:13\nADD https://example.com/a.tgz /x/\nUSER 5\n", []string{`url = "https://example.com/a.tgz"`, `source = "a.tgz"`}, append(lacks, "unpack")},
		"one that is unpacked":     {"FROM debian:13\nADD --unpack=true https://example.com/a.tgz /x/\nUSER 5\n", []string{"unpack = true"}, lacks},
		"a repository":             {"FROM debian:13\nADD https://github.com/a/b.git#v1:sub /x/\nUSER 5\n", []string{"git {", `ref = "v1"`, `source = "sub"`}, append(lacks, "http {")},
		"with an owner and a mode": {"FROM debian:13\nADD --chown=5:6 --chmod=640 a /x\nUSER 5\n", []string{`owner = "5:6"`, `mode = "0640"`}, lacks},
	})
}

func TestImportMendsEntrypointSingle(t *testing.T) {
	checkAll(t, Options{}, map[string]behaviour{
		"the last CMD":             {"FROM debian:13\nCMD [\"/a\"]\nCMD [\"/b\"]\nUSER 5\n", []string{`cmd = ["/b"]`}, []string{`"/a"`}},
		"the last ENTRYPOINT":      {"FROM debian:13\nENTRYPOINT [\"/a\"]\nENTRYPOINT [\"/b\"]\nUSER 5\n", []string{`entrypoint = ["/b"]`}, []string{`"/a"`}},
		"the last HEALTHCHECK":     {"FROM debian:13\nHEALTHCHECK --retries=7 CMD [\"/a\"]\nHEALTHCHECK CMD [\"/b\"]\nUSER 5\n", []string{"healthcheck {\ncommand = [\"/b\"]\n}\n"}, []string{`"/a"`, "retries"}},
		"none in the end":          {"FROM debian:13\nHEALTHCHECK CMD [\"/a\"]\nHEALTHCHECK NONE\nUSER 5\n", []string{"healthcheck {\nnone = true\n}\n"}, []string{`"/a"`}},
		"the last USER":            {"FROM debian:13\nUSER 5\nUSER 6\n", []string{`run_as = "6"`}, []string{`"5"`}},
		"others are those of RUN":  {"FROM debian:13\nUSER 5\nRUN make\nUSER 6\n", []string{`run_as = "6"`, `user = "5"`}, nil},
		"a CMD for an ENTRYPOINT":  {"FROM debian:13\nCMD [\"x\"]\nENTRYPOINT [\"/a\"]\nUSER 5\n", []string{`entrypoint = ["/a"]`, `cmd = ["x"]`}, nil},
		"those of another stage":   {"FROM debian:13 AS a\nCMD [\"/a\"]\nUSER 4\nFROM a\nCMD [\"/b\"]\nUSER 5\n", []string{`cmd = ["/b"]`, `run_as = "5"`}, []string{`"/a"`, `run_as = "4"`}},
		"in letters of both kinds": {"FROM debian:13\ncmd [\"/a\"]\nCMD [\"/b\"]\nUSER 5\n", []string{`cmd = ["/b"]`}, []string{`"/a"`}},
	})
}

func TestImportMendsEntrypointExecForm(t *testing.T) {
	checkAll(t, Options{}, map[string]behaviour{
		"a line":            {"FROM debian:13\nCMD exec web --port $PORT\nUSER 5\n", []string{`cmd = ["/bin/sh", "-c", "exec web --port $PORT"]`}, nil},
		"of an ENTRYPOINT":  {"FROM debian:13\nENTRYPOINT web\nUSER 5\n", []string{`entrypoint = ["/bin/sh", "-c", "web"]`}, nil},
		"for another shell": {"FROM debian:13\nSHELL [\"/bin/bash\", \"-c\"]\nCMD web | tee /log\nUSER 5\n", []string{`cmd = ["/bin/bash", "-c", "web | tee /log"]`}, nil},
		"a list":            {"FROM debian:13\nCMD [\"web\"]\nUSER 5\n", []string{`cmd = ["web"]`}, []string{"/bin/sh"}},
	})
}
