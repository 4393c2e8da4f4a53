package rules

import (
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

func persistRule() Rule {
	return Rule{
		ID: "secret-persisted-by-command", Severity: diag.Warning, Release: diag.Warning, By: ByJudge, Title: "No command writes credentials into a file of the image",
		Why: "A login is a file in the home of whoever runs it, and so in the layer: everybody who pulls the image has it.",
		Bad: `run {
  script  = "npm config set //registry.example.com/:_authToken $NPM_TOKEN"
  network = "outbound"
}`,
		Good: `secret "npmrc" {
  file = "~/.npmrc"
}
image "web" {
  from   = scratch
  run_as = "10001"
  run {
    command = ["npm", "ci", "--cache", "/tmp/npm"]
    network = "outbound"
    mount "secret" {
      secret = secret.npmrc
      target = "/root/.npmrc"
    }
  }
}`,
		Mend:    "Mount the file that the program reads as a secret, or give the program a variable of the step: mount \"secret\" with `target` or `env`.",
		Sources: []string{"own"},
		check:   persistedSecrets,
	}
}

// login is a command that writes credentials down.
type login struct {
	words []string // that the call has, in this order
	file  string   // where, for who looks whether it is a mount or is removed
}

var logins = map[string][]login{
	"docker":  {{[]string{"login"}, "/root/.docker/config.json"}},
	"podman":  {{[]string{"login"}, "/root/.config/containers"}},
	"buildah": {{[]string{"login"}, "/root/.config/containers"}},
	"skopeo":  {{[]string{"login"}, "/root/.config/containers"}},
	"crane":   {{[]string{"auth", "login"}, "/root/.docker/config.json"}},
	"oras":    {{[]string{"login"}, "/root/.docker/config.json"}},
	"helm":    {{[]string{"registry", "login"}, "/root/.config/helm"}},
	"npm":     {{[]string{"login"}, "/root/.npmrc"}, {[]string{"adduser"}, "/root/.npmrc"}},
	"gh":      {{[]string{"auth", "login"}, "/root/.config/gh"}},
	"az":      {{[]string{"login"}, "/root/.azure"}},
	"cargo":   {{[]string{"login"}, "/root/.cargo/credentials.toml"}},
	"gcloud":  {{[]string{"auth", "activate-service-account"}, "/root/.config/gcloud"}, {[]string{"auth", "login"}, "/root/.config/gcloud"}},
	"git":     {{[]string{"config", "credential.helper", "store"}, "/root/.git-credentials"}},
	"aws":     {{[]string{"configure", "set", "aws_secret_access_key"}, "/root/.aws"}, {[]string{"configure", "set", "aws_session_token"}, "/root/.aws"}},
	"poetry":  {{[]string{"config", "http-basic"}, "/root/.config/pypoetry"}, {[]string{"config", "pypi-token"}, "/root/.config/pypoetry"}},
	"composer": {
		{[]string{"config", "http-basic"}, "/root/.config/composer"}, {[]string{"config", "github-oauth"}, "/root/.config/composer"},
		{[]string{"config", "gitlab-token"}, "/root/.config/composer"},
	},
	"dotnet": {{[]string{"nuget", "add", "--store-password-in-clear-text"}, "/root/.nuget"}},
}

func persistedSecrets(d *docket) {
	d.eachStep(d.all(), func(st runStep) {
		for _, c := range st.script.calls {
			if file := persists(c); file != "" && st.persistent(c, file) {
				d.found(st.body().Addr, d.arg(st, c, -1), "A command keeps credentials",
					"%s calls %s, which writes what it is given to a file of the image (%s). Mount that file as a secret instead: mount \"secret\" { target = … }.", st.local(), commandOf(c), path.Base(file))
			}
		}
		d.savedSecrets(st)
	})
}

// commandOf is a call's name with its first word, without what may be secret.
func commandOf(c call) string {
	if len(c.args) > 0 && !strings.ContainsAny(c.args[0], dynamic+"=:/") && !strings.HasPrefix(c.args[0], "-") {
		return c.name + " " + c.args[0]
	}
	return c.name
}

// persists is the file that a call writes credentials to, or "".
func persists(c call) string {
	if c.option("--help", "-h", "--version") || c.tested {
		return ""
	}
	for _, l := range logins[c.name] {
		rest := c.args
		found := true
		for _, w := range l.words {
			i := slices.IndexFunc(rest, func(a string) bool {
				head, _, _ := strings.Cut(a, " ")
				return head == w || strings.HasPrefix(a, w+".")
			})
			if i < 0 {
				found = false
				break
			}
			rest = rest[i+1:]
		}
		// docker run x login is about something else.
		if found && (slices.Index(c.args, l.words[0]) == 0 || c.name == "git" || strings.HasPrefix(c.args[0], "-")) {
			return l.file
		}
	}
	switch c.name {
	case "npm", "pnpm", "yarn":
		set := slices.Index(c.args, "set")
		if set < 0 || set > 1 {
			return ""
		}
		for i, a := range c.args[set+1:] {
			key, value, given := strings.Cut(a, "=")
			if !given && i+set+2 < len(c.args) {
				value = c.args[i+set+2]
			}
			for _, end := range []string{"_authToken", "_auth", "_password", "npmAuthToken", "npmAuthIdent"} {
				if strings.HasSuffix(key, end) && value != "" {
					return "/root/.npmrc"
				}
			}
		}
	case "git":
		// git config url."https://$TOKEN@host".insteadOf …
		for _, a := range c.args {
			if strings.HasPrefix(a, "url.") && strings.Contains(a, dynamic) && strings.Contains(a, "@") && slices.Contains(c.args, "config") {
				return "/root/.gitconfig"
			}
		}
	}
	return ""
}

// persistent reports whether the file stays in the layer: it lies in no
// mount, the step keeps it, and does not take it away again.
func (st runStep) persistent(c call, file string) bool {
	dir := path.Dir(file)
	if !st.kept(file) || slices.ContainsFunc(st.run.Mounts, func(m spec.Mount) bool { return below(m.Target.V, dir) && dir != "/root" || m.Target.V == "/root" }) {
		return false
	}
	for _, other := range st.script.calls {
		switch other.name {
		case "rm", "shred", "unlink":
			if slices.ContainsFunc(other.args, func(a string) bool {
				return strings.HasPrefix(a, dynamic) || strings.Contains(a, path.Base(file)) || dir != "/root" && strings.Contains(a, path.Base(dir))
			}) {
				return false
			}
		case c.name:
			if slices.Contains(other.args, "logout") || slices.Contains(other.args, "revoke") || slices.Contains(other.args, "delete") || slices.Contains(other.args, "--unset") {
				return false
			}
		case "trap":
			return false // it may clean up
		}
	}
	return !slices.ContainsFunc(st.script.assigns, func(a assign) bool {
		return slices.Contains([]string{"DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "HOME", "NPM_CONFIG_USERCONFIG", "GIT_CONFIG_GLOBAL", "CLOUDSDK_CONFIG"}, a.name)
	})
}

// savedSecrets looks for what is certainly a secret, since the step mounts
// it, and is written to a file.
func (d *docket) savedSecrets(st runStep) {
	if st.script.file == nil {
		return
	}
	var names, files []string
	for _, m := range st.run.Mounts {
		switch {
		case m.Type != "secret":
		case m.Env.Set:
			names = append(names, m.Env.V)
		case m.Target.V != "":
			files = append(files, m.Target.V)
		}
	}
	if len(names)+len(files) == 0 {
		return
	}
	const summary = "A command keeps credentials"
	syntax.Walk(st.script.file, func(n syntax.Node) bool {
		s, ok := n.(*syntax.Stmt)
		if !ok {
			return true
		}
		for _, r := range s.Redirs {
			to := target(r)
			if to == "" || !st.kept(to) || st.removed(to) || !printsSecret(s, names, files) {
				continue
			}
			d.found(st.body().Addr, d.within(st.text, spanOf(s), ""), summary, "%s writes a secret to %s, which is in the image then. Mount the secret there: mount \"secret\" { target = %q }.", st.local(), to, to)
			return false
		}
		return true
	})
	for _, c := range st.script.calls {
		if n := len(c.args); (c.name == "cp" || c.name == "install") && n > 1 && path.IsAbs(c.args[n-1]) && slices.ContainsFunc(c.args[:n-1], func(a string) bool { return slices.Contains(files, a) }) {
			if to := c.args[n-1]; st.kept(to) && !st.removed(to) {
				d.found(st.body().Addr, d.arg(st, c, -1), summary, "%s copies a secret to %s, which is in the image then. Mount the secret there: mount \"secret\" { target = %q }.", st.local(), to, to)
			}
		}
	}
}

// target is the file of the image that a redirection writes to, or "".
func target(r *syntax.Redirect) string {
	if r.Word == nil || r.Op != syntax.RdrOut && r.Op != syntax.AppOut && r.Op != syntax.RdrClob && r.Op != syntax.RdrAll && r.Op != syntax.AppAll {
		return ""
	}
	to := render(r.Word)
	if rest, home := strings.CutPrefix(to, "~/"); home {
		to = "/root/" + rest
	}
	if !path.IsAbs(to) || strings.Contains(to, dynamic) || strings.HasPrefix(to, "/dev/") || strings.HasPrefix(to, "/proc/") {
		return ""
	}
	return to
}

// removed reports whether a script takes a file away again.
func (st runStep) removed(file string) bool {
	return slices.ContainsFunc(st.script.calls, func(c call) bool {
		return c.name == "trap" || (c.name == "rm" || c.name == "shred") && slices.ContainsFunc(c.args, func(a string) bool {
			return strings.HasPrefix(a, dynamic) || strings.Contains(a, path.Base(file))
		})
	})
}

// printsSecret reports whether a statement's output is a secret as it is:
// echo and printf of its variable, a here-document with it, cat of its file.
func printsSecret(s *syntax.Stmt, names, files []string) bool {
	c, ok := s.Cmd.(*syntax.CallExpr)
	if !ok || len(c.Args) == 0 {
		return false
	}
	uses := func(n syntax.Node) bool {
		found := false
		syntax.Walk(n, func(n syntax.Node) bool {
			switch t := n.(type) {
			case *syntax.CmdSubst, *syntax.ArithmExp:
				return false
			case *syntax.ParamExp:
				// ${#X}, ${X:+set} and the like tell nothing of it.
				found = found || t.Param != nil && !t.Length && t.Exp == nil && slices.Contains(names, t.Param.Value)
			}
			return !found
		})
		return found
	}
	switch c.Args[0].Lit() {
	case "echo", "printf":
		return slices.ContainsFunc(c.Args[1:], func(w *syntax.Word) bool { return uses(w) })
	case "cat":
		for _, w := range c.Args[1:] {
			if slices.Contains(files, render(w)) {
				return true
			}
		}
		return slices.ContainsFunc(s.Redirs, func(r *syntax.Redirect) bool { return r.Hdoc != nil && uses(r.Hdoc) })
	}
	return false
}
