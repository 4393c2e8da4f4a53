//go:build linux

package acceptance

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// layoutSpec is an image that starts a script by a shell that it has not.
const layoutSpec = `
image "web" {
  from       = scratch
  platforms  = ["linux/amd64", "linux/arm64"]
  run_as     = "1:1"
  entrypoint = ["/run.sh"]
  labels     = { team = "web" }
  file {
    path    = "/run.sh"
    content = "#!/bin/nosh\n"
    mode    = "4755"
  }
  file {
    path    = "/etc/passwd"
    content = "root:x:0:0:root:/root:/bin/sh\nweb:x:1:7:web:/home/web:/bin/sh\n"
  }
}
`

func policyOf(enforcement, body string) string {
	return "policy \"p\" {\n  enforcement = \"" + enforcement + "\"\n" + body + "\n}\n"
}

// TestALayoutIsJudgedBeforeItIsPushed holds that `push` is no way around what a
// policy asks of images.
func TestALayoutIsJudgedBeforeItIsPushed(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	p := newProject(t, files{".git/HEAD": "", "image.hcl": layoutSpec})
	p.ok("apply", "-o", "oci:out")
	tag := s.host + "/shop/web:1"

	refused := func(policy string, texts ...string) {
		t.Helper()
		p.write(files{"p.policy.hcl": policy})
		s.asked("")
		p.fails(3, texts, "push", "--policy", "p.policy.hcl", "oci:out", tag)
		if asked := s.asked(""); len(asked) > 0 {
			t.Errorf("the registry was asked %q", asked)
		}
	}
	rule := func(condition, message string) string {
		return "  rule \"mine\" {\n    condition = " + condition + "\n    message   = \"" + message + "\"\n  }"
	}
	refused(policyOf("hard", rule("length(image.setuid) == 0", "${image.address} for ${image.platform} has ${image.setuid[0].path} ${image.setuid[0].mode}")),
		"error: oci:out for linux/amd64 has /run.sh 4755 [mine]", "oci:out for linux/arm64", "at oci:out")
	refused(policyOf("hard", rule(`alltrue([for u in image.users : u.gid != 7 || u.uid != 1 || u.home != "/home/web"])`, "a user of the group 7")), "a user of the group 7 [mine]")
	refused(policyOf("hard", `  grade = { "no-setuid-files" = "error", "entrypoint-exists" = "error" }`),
		"error: Programs with setuid or setgid [no-setuid-files]", "The image brings 1 program", "/run.sh (4755 0:0)",
		"error: The program cannot be started [entrypoint-exists]", "/bin/nosh")
	refused(policyOf("advisory", rule("spec.images[image.address].run_as == image.config.user", "x")), "The rule cannot be judged [mine]", "A layout has no spec and no plan", "apply --push")

	// What a layout cannot show a hard policy refuses; others say it.
	ofSpec := rule("length(spec.bases) == 0", "bases") + "\n  grade = { \"final-user-non-root\" = \"error\", \"no-setuid-files\" = \"off\" }"
	refused(policyOf("hard", ofSpec), "error: A layout cannot be judged", "A hard policy asks for final-user-non-root, mine, which a spec shows", "specbuild apply --push")
	p.write(files{"p.policy.hcl": policyOf("soft", ofSpec)})
	wants(t, p.ok("push", "--policy", "p.policy.hcl", "oci:out", tag).stderr, "warning: A layout is judged in part", "final-user-non-root, mine")

	// The workspace's policy holds as well, and one that is in order is silent.
	p.write(files{
		"specbuild.hcl": "workspace {\n  policy = [\"//p.policy.hcl\"]\n}\n",
		"p.policy.hcl":  policyOf("hard", rule(`image.config.labels["team"] == "web" && image.config.user == "1:1" && image.config.entrypoint[0] == "/run.sh" && image.size == image.layers[0].size`, "x")),
	})
	r := p.ok("push", "oci:out", s.host+"/shop/web:2")
	if wants(t, r.stdout, "shop/web:2", "pushed"); r.stderr != "" {
		t.Error(r.stderr)
	}
	p.write(files{"p.policy.hcl": policyOf("hard", rule(`image.config.labels["team"] == "job"`, "another team"))})
	p.fails(3, says("another team [mine]"), "push", "oci:out", s.host+"/shop/web:3")
	p.write(files{"specbuild.hcl": "workspace {\n  policy = [\"//none.policy.hcl\"]\n}\n"})
	p.fails(3, says("The policy cannot be read", "specbuild.hcl:2:12"), "push", "oci:out", s.host+"/shop/web:3")
	p.write(files{"specbuild.hcl": "workspce {}\n"})
	p.fails(3, says("specbuild.hcl:1:1"), "push", "oci:out", s.host+"/shop/web:3")
}

// TestTagsOfAPushAreJudged holds that names are said in full, and that scans,
// attestations and versions are asked for where a policy does.
func TestTagsOfAPushAreJudged(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	p := newProject(t, files{".git/HEAD": "", "image.hcl": webSpec(s.host, "")})
	p.ok("apply", "-o", "oci:out")
	p.fails(3, says("error: The registry is implied [publish-registry-explicit]", "shop/web:1 would be pushed to docker.io/shop/web:1", "at shop/web:1"),
		"push", "oci:out", s.host+"/shop/web:1", "shop/web:1")
	if asked := s.asked(""); len(asked) > 0 {
		t.Errorf("the registry was asked %q", asked)
	}
	graded := policyOf("soft", `  grade = { "attestations-on" = "warning", "publish-immutable-tag" = "error" }`)
	p.write(files{"p.policy.hcl": graded})
	r := p.fails(3, says("warning: Pushed without attestations", "error: All tags move on", "latest"), "push", "--policy", "p.policy.hcl", "oci:out", s.host+"/shop/web:latest")
	if strings.Contains(r.stderr, "judged in part") {
		t.Error(r.stderr)
	}
	p.ok("push", "--policy", "p.policy.hcl", "oci:out", s.host+"/shop/web:latest", s.host+"/shop/web:1.2")

	index, _ := manifestsIn(t, p, "out")
	p.write(files{"p.policy.hcl": scannedBy("judge = [\"images\"]\n      files = [\"scans/*\"]")})
	p.fails(3, says("The image has no scan result", "oci:out for linux/amd64, "+index), "push", "--policy", "p.policy.hcl", "oci:out", s.host+"/shop/web:3")
	p.write(files{"scans/x.sarif": sarif(index, time.Now(), "")})
	p.ok("push", "--policy", "p.policy.hcl", "oci:out", s.host+"/shop/web:3")
	// Scans of bases are something that the layout does not show.
	p.write(files{"p.policy.hcl": scannedBy("files = [\"scans/*\"]")})
	p.fails(3, says("A hard policy asks for scan-evidence-fresh"), "push", "--policy", "p.policy.hcl", "oci:out", s.host+"/shop/web:4")
}

// TestALayoutThatLiesIsNotPushed: the bytes of a layer are looked at, not what
// is known of the name that the configuration gives it.
func TestALayoutThatLiesIsNotPushed(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	p := newProject(t, files{".git/HEAD": "", "image.hcl": strings.Replace(layoutSpec, `"linux/amd64", "linux/arm64"`, `"linux/amd64"`, 1)})
	p.ok("apply", "-o", "oci:bad")
	p.write(files{"image.hcl": strings.ReplaceAll(p.read("image.hcl"), "4755", "0755")})
	p.ok("apply", "-o", "oci:good")
	p.write(files{"p.policy.hcl": policyOf("hard", `  grade = { "no-setuid-files" = "error" }`)})
	p.ok("push", "--policy", "p.policy.hcl", "oci:good", s.host+"/shop/web:1")
	p.fails(3, says("no-setuid-files"), "push", "--policy", "p.policy.hcl", "oci:bad", s.host+"/shop/web:2")

	// The bad image's manifest gets the good one's configuration.
	type descriptor = map[string]any
	parse := func(name string) (string, descriptor) {
		var top struct{ Manifests []struct{ Digest string } }
		p.must(json.Unmarshal([]byte(p.read(name+"/index.json")), &top))
		digest := top.Manifests[0].Digest
		for { // an index may be around the manifest
			var doc descriptor
			p.must(json.Unmarshal([]byte(p.read(name+"/blobs/sha256/"+strings.TrimPrefix(digest, "sha256:"))), &doc))
			inner, ok := doc["manifests"].([]any)
			if !ok {
				return digest, doc
			}
			digest = inner[0].(descriptor)["digest"].(string)
		}
	}
	_, good := parse("good")
	_, bad := parse("bad")
	bad["config"] = good["config"]
	config := "/blobs/sha256/" + strings.TrimPrefix(good["config"].(descriptor)["digest"].(string), "sha256:")
	text, err := json.Marshal(bad)
	p.must(err)
	digest := fmt.Sprintf("%x", sha256.Sum256(text))
	p.must(os.RemoveAll(p.path("lie")))
	p.must(os.CopyFS(p.path("lie"), os.DirFS(p.path("bad"))))
	p.write(files{
		"lie/blobs/sha256/" + digest: string(text), "lie" + config: p.read("good" + config),
		"lie/index.json": `{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:` + digest + `","size":1}]}`,
	})
	p.fails(1, says("is not what the configuration says"), "push", "--policy", "p.policy.hcl", "oci:lie", s.host+"/shop/web:3")
}
