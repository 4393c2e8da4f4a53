package rules

import (
	"path"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

func secretRules() []Rule {
	return []Rule{
		{
			ID: "secret-typed", By: ByLanguage, Title: "A secret reaches a step by a mount, and nothing else",
			Why: "It is a reference, which no function turns into a string, so it cannot get into a variable, a label or a file of the image.",
			Bad: `secret "token" {
  env = "TOKEN"
}
image "web" {
  from   = scratch
  run_as = "10001"
  env    = { API = secret.token }
}`,
			Good: `secret "token" {
  env = "TOKEN"
}
image "web" {
  from   = scratch
  run_as = "10001"
  run {
    command = ["fetch"]
    mount "secret" {
      secret = secret.token
      env    = "API"
    }
  }
}`,
			Mend:    "Mount it in the step that needs it.",
			Sources: []string{"BuildKit SecretsUsedInArgOrEnv", "DS-0031", "CIS-4.10", "CIS-DI-0010"},
		},
		{
			ID: "secret-named-variable", By: ByJudge, Title: "No variable or label with the name of a secret has a value",
			Why:     "Everybody who can pull the image can read its configuration. Keys of PGP, checksums, and names that end in path, URL, id, TTL and their like are no secrets.",
			Bad:     `env = { DB_PASSWORD = "hunter2" }`,
			Good:    `env = { DB_PASSWORD_FILE = "/run/secrets/db" }`,
			Mend:    "Declare a `secret` and mount it; what a container needs, it gets when it starts.",
			Sources: []string{"BuildKit SecretsUsedInArgOrEnv", "DL3064", "DS-0031", "CIS-4.10", "CIS-DI-0010", "KICS passwords_and_secrets"},
			check:   namedSecrets,
		},
		{
			ID: "secret-in-url", By: ByJudge, Title: "No URL holds a password or a token",
			Why: "A URL is printed, logged and stored wherever it goes. Variables of a script in its place are what they should be.",
			Bad: `run {
  command = ["git", "clone", "https://bot:s3cr3tt0k3n@git.example.com/x.git"]
}`,
			Good: `run {
  command = ["git", "clone", "https://git.example.com/x.git"]
}`,
			Mend:    "Take it out of the URL, and mount a .netrc or a credential helper as a `secret`.",
			Sources: []string{"KICS passwords_and_secrets"},
			check:   urlSecrets,
		},
		literalRule(),
		{
			ID: "secret-file-in-context", By: ByJudge, Title: "No copy takes a file of credentials",
			Why: "Deleting it in a later step does not take it out of the layer. A file that `source` names literally is meant, and only warned of.",
			Bad: `copy {
  source = "conf"
  to     = "/etc/web/"
}`,
			Good: `copy {
  source  = "conf"
  to      = "/etc/web/"
  exclude = [".npmrc", "conf/.npmrc"]
}`,
			Mend:    "Leave the files out by `exclude`; `validate --fix` does where there is none yet.",
			Sources: []string{"CIS-4.10", "CIS-DI-0010", "DS-0031"},
			check:   secretFiles,
		},
		{
			ID: "secret-value-in-output", By: ByBuild, Title: "No secret's value is in what a build makes",
			Why:     "A layer is copied to every registry and machine that runs the image, and a token in it is everybody's. Layers, configuration, history and logs are searched while they are made, in many forms and in archives; a hit ends the build before anything is published.",
			Mend:    "Let the step use the secret from its mount without writing it, or write below a `tmpfs` mount.",
			Sources: []string{"CIS-4.10"},
		},
	}
}

// mountIt is the way out of all findings about values.
const mountIt = "Declare it as a `secret`, and give it to the step that needs it by mount \"secret\"; what a container needs, it gets when it starts."

// namedSecrets never prints a value: findings go into public logs. Variables
// of tests are let off, since a test brings its own server and password.
func namedSecrets(d *docket) {
	for _, inst := range d.Instances {
		b := inst.Body
		report := func(vars []spec.EnvVar, what string, secret func(name, value string) bool) {
			for _, v := range vars {
				if !v.Unset && secret(v.Name, v.Value) {
					d.secret(b.Addr, v.Range, "A secret stands in the spec",
						"The %s %s of %s has a value, which everybody can read who has the spec or the image. %s", what, v.Name, b.Addr.Local(), mountIt)
				}
			}
		}
		report(b.Env, "variable", secretVariable)
		if b.Image != nil {
			report(b.Image.Labels, "label", secretLabel)
			report(b.Image.Annotations, "annotation", secretLabel)
			report(b.Image.Stamp, "annotation", secretLabel)
		}
		for _, step := range b.Steps {
			if r, ok := step.(*spec.Run); ok {
				report(r.Env, "variable", secretVariable)
			}
		}
	}
	d.eachRun(func(b *spec.Body, _ *spec.Run, s *script, text spec.Attr[string]) {
		for _, a := range s.assigns {
			if !strings.Contains(a.value, dynamic) && secretAssign(a.name, a.value) {
				d.secret(b.Addr, d.within(text, a.at, ""), "A secret stands in the spec",
					"The script of %s sets %s to a value, which everybody can read who has the spec. %s", b.Addr.Local(), a.name, mountIt)
			}
		}
	})
}

// urlSecrets looks at every string of the spec but those of tests, whose
// passwords are of servers that live as long as the test.
func urlSecrets(d *docket) {
	for _, inst := range d.Instances {
		addr := inst.Body.Addr
		d.eachText(inst.Body, func(_ string, text spec.Attr[string]) { d.urlFound(addr, text) })
	}
	d.eachRun(func(b *spec.Body, _ *spec.Run, s *script, text spec.Attr[string]) {
		for _, w := range s.words {
			if strings.Contains(w.text, "://") { // its place costs more than a look
				d.urlFound(b.Addr, spec.Attr[string]{V: w.text, Range: d.within(text, w.at, w.text)})
			}
		}
	})
	for _, r := range d.Spec.Repositories {
		for _, src := range r.Sources {
			d.urlFound(r.Addr, src.URL)
		}
	}
}

func (d *docket) urlFound(addr spec.Addr, text spec.Attr[string]) {
	if shown, what, at := secretURL(text.V); what != "" {
		d.secret(addr, d.within(text, at, ""), "A secret stands in a URL",
			"%s: %s holds a %s. Take it out of the URL; a step reads it from a file of mount \"secret\" (a .netrc, a git credential helper), or from a variable.", addr.Local(), shown, what)
	}
}

// eachText calls visit for the strings of a body that are no script, with the
// name of a variable or label.
func (d *docket) eachText(b *spec.Body, visit func(name string, text spec.Attr[string])) {
	vars := func(lists ...[]spec.EnvVar) {
		for _, v := range slices.Concat(lists...) {
			visit(v.Name, spec.Attr[string]{V: v.Value, Range: v.Range})
		}
	}
	list := func(a spec.Attr[[]string]) {
		for _, s := range a.V {
			visit("", spec.Attr[string]{V: s, Range: a.Range})
		}
	}
	vars(b.Env)
	if img := b.Image; img != nil {
		vars(img.Labels, img.Annotations, img.Stamp)
		list(img.Entrypoint)
		list(img.Cmd)
		if h := img.Healthcheck; h != nil {
			for _, s := range h.Command {
				visit("", spec.Attr[string]{V: s, Range: h.Range})
			}
		}
	}
	for _, step := range b.Steps {
		switch t := step.(type) {
		case *spec.Run:
			vars(t.Env)
		case *spec.File:
			visit("", t.Content)
		}
	}
}

// secretFiles leaves bind mounts alone: what they show is in no layer.
func secretFiles(d *docket) {
	for _, inst := range d.Instances {
		for _, c := range inst.Copies {
			if step, ok := c.Step.(*spec.Copy); ok {
				d.copiedSecrets(inst.Body.Addr, c, step)
			}
		}
	}
}

// copiedSecrets is one finding for the files that a pattern happens to match,
// and one for those that are named.
func (d *docket) copiedSecrets(addr spec.Addr, c Copied, step *spec.Copy) {
	at := or(step.Source.Range, step.Range)
	var matched, named []string
	for _, f := range c.Files {
		literal := f.Literal || slices.ContainsFunc(step.Source.V, func(s string) bool { return strings.TrimPrefix(path.Clean("/"+s), "/") == f.Path })
		switch {
		case literal && (f.Literal || secretFile(f.Path)):
			named = append(named, f.Path)
		case !literal && f.Size > 0 && secretFile(f.Path):
			matched = append(matched, f.Path)
		}
	}
	if len(matched) > 0 {
		d.mend(addr, at, d.leaveOut(step, matched), "Credentials are copied",
			"%s takes %s out of %s. Leave such files out by `exclude` or a .dockerignore, and give a step what it needs by mount \"secret\". One that holds no credentials can be named in `source` as it is.",
			addr.Local(), few(matched), c.Context.Local())
	}
	if len(named) > 0 {
		d.add(addr, diag.Diagnostic{
			Severity: diag.Warning, Range: at, Summary: "An ignored file is named",
			Detail: addr.Local() + " names " + few(named) + " in `source`, which no pattern would give out of " + c.Context.Local() +
				" since such files often hold credentials. If these do, take them out and mount them as a `secret`.",
		})
	}
}

// leaveOut is a fix that names the files in `exclude`.
func (d *docket) leaveOut(step *spec.Copy, files []string) *diag.Fix {
	if len(files) == 0 || slices.ContainsFunc(files, func(f string) bool { return strings.ContainsAny(f, `*?[{\$%"`) }) {
		return nil
	}
	if step.Exclude.Set {
		return d.append(step.Exclude.Range, files)
	}
	return d.beside(or(step.Source.Range, step.To.Range), "exclude", files)
}

// secretFile knows files of credentials by their names. A public half, an
// example and a template are none.
func secretFile(file string) bool {
	name := strings.ToLower(path.Base(file))
	dir := strings.ToLower(path.Base(path.Dir(file)))
	for _, harmless := range []string{".pub", ".example", ".sample", ".template", ".tmpl", ".dist", ".md"} {
		if strings.HasSuffix(name, harmless) {
			return false
		}
	}
	switch name {
	case ".npmrc", ".netrc", "_netrc", ".pypirc", ".pgpass", ".my.cnf", ".git-credentials", ".htpasswd", ".vault-token",
		".dockercfg", "kubeconfig", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", ".env", ".s3cfg", ".boto", ".terraformrc":
		return true
	case "config.json":
		return dir == ".docker"
	case "config":
		return dir == ".kube" || dir == ".aws"
	case "credentials":
		return dir == ".aws" || dir == ".cargo" || dir == ".gem"
	case "credentials.toml":
		return dir == ".cargo"
	}
	switch path.Ext(name) {
	case ".tfstate", ".pem", ".p12", ".pfx", ".kdbx", ".ppk", ".keystore", ".jks":
		return !strings.Contains(name, "truststore") && !certificate(name)
	case ".backup":
		return strings.HasSuffix(name, ".tfstate.backup")
	}
	return strings.HasPrefix(name, ".env.")
}

// certificate reports whether a .pem is by its name the public kind.
func certificate(name string) bool {
	words := strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '_' || r == '.' })
	public := slices.ContainsFunc(words, func(w string) bool {
		return slices.Contains([]string{"ca", "cacert", "cacerts", "cert", "certs", "certificate", "chain", "fullchain", "bundle", "root", "public", "pub", "dhparam", "dhparams"}, w)
	})
	return public && !slices.Contains(words, "key")
}
