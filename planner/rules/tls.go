package rules

import (
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec"
)

func tlsRule() Rule {
	return Rule{
		ID: "tls-verify-on", By: ByJudge, Title: "No option and no variable turns off the check of certificates",
		Why: "A connection to anybody is encrypted too: what is fetched is then what whoever is in between likes, and an image keeps such a variable for ever.",
		Bad: `run {
  script  = "curl -fkO https://example.com/tool-1.4.2.tar.gz"
  network = "outbound"
}`,
		Good: `run {
  script  = "curl -fO https://example.com/tool-1.4.2.tar.gz"
  network = "outbound"
}`,
		Mend: "Leave it out, which `validate --fix` does with options. For a private authority give `ca` in the workspace or the user's configuration.",
		Sources: []string{
			"CKV2_DOCKER_2", "CKV2_DOCKER_3", "CKV2_DOCKER_4", "CKV2_DOCKER_5", "CKV2_DOCKER_6", "CKV2_DOCKER_12", "CKV2_DOCKER_13", "CKV2_DOCKER_14", "CKV2_DOCKER_15",
			"CKV2_DOCKER_16", "ky:check-certificate-validation-curl", "ky:check-certificate-validation-wget", "ky:check-certificate-validation-pip3",
			"ky:check-certificate-validation-git-env-var", "ky:check-certificate-validation-nodejs-env-var", "ky:check-certificate-validation-python-env-var",
			"ky:check-npm-config-strict-ssl",
		},
		check: uncheckedTLS,
	}
}

const certificates = "Certificates are not checked"

func uncheckedTLS(d *docket) {
	d.eachStep(d.all(), func(st runStep) {
		for _, c := range st.script.calls {
			d.insecureCall(st, c)
		}
		for _, a := range st.script.assigns {
			if insecureVariable(a.name, a.value) {
				d.found(st.body().Addr, d.within(st.text, a.at, ""), certificates, "%s sets %s=%s, so whoever is in between can answer. Leave it out, and give a private authority by `ca`.", st.local(), a.name, a.value)
			}
		}
		d.insecureEnv(st.body(), st.run.Env)
	})
	for _, inst := range d.Instances {
		d.insecureEnv(inst.Body, inst.Body.Env)
	}
}

func (d *docket) insecureEnv(b *spec.Body, vars []spec.EnvVar) {
	for _, v := range vars {
		if !v.Unset && insecureVariable(v.Name, v.Value) {
			d.found(b.Addr, v.Range, certificates, "%s sets %s = %q, so whoever is in between can answer. Leave it out, and give a private authority by `ca`.", b.Addr.Local(), v.Name, v.Value)
		}
	}
}

// insecureVariable knows variables of programs that turn checks off.
func insecureVariable(name, value string) bool {
	switch name {
	case "NODE_TLS_REJECT_UNAUTHORIZED", "PYTHONHTTPSVERIFY":
		return value == "0"
	case "GIT_SSL_NO_VERIFY", "CURL_INSECURE", "HELM_KUBEINSECURESKIPTLSVERIFY", "YARN_ENABLE_STRICT_SSL_OFF":
		return truth(value)
	case "NPM_CONFIG_STRICT_SSL", "npm_config_strict_ssl", "YARN_STRICT_SSL", "CONDA_SSL_VERIFY":
		return off(value)
	case "PIP_TRUSTED_HOST", "UV_INSECURE_HOST":
		return value != "" && !strings.Contains(value, dynamic) && !loopbackOnly(strings.Fields(value))
	}
	return false
}

func loopbackOnly(hosts []string) bool {
	return !slices.ContainsFunc(hosts, func(h string) bool {
		name, _ := host("https://" + h)
		return name != "localhost" && name != "127.0.0.1" && name != "::1"
	})
}

// insecureFlags are options of programs that turn checks off.
var insecureFlags = map[string][]string{
	"curl": {"-k", "--insecure", "--proxy-insecure"}, "wget": {"--no-check-certificate"}, "aws": {"--no-verify-ssl"},
	"helm": {"--insecure-skip-tls-verify"}, "kubectl": {"--insecure-skip-tls-verify"}, "pip": {"--trusted-host"}, "uv pip": {"--trusted-host", "--allow-insecure-host"},
	"pipenv": {"--trusted-host"}, "conda": {"--insecure", "-k"},
}

var tlsSyntax = map[string]syntaxOf{"curl": curlOptions, "wget": wgetOptions, "pip": pipOptions, "uv pip": pipOptions, "pipenv": pipOptions}

// insecureCall looks at one call: options that are there for it, and settings
// that a program keeps.
func (d *docket) insecureCall(st runStep, c call) {
	name, args := language(c)
	if name == "" {
		name = c.name
	}
	o := call{args: args}.parse(tlsSyntax[name])
	before := len(c.args) - len(args)
	for _, f := range o.flags {
		if !slices.Contains(insecureFlags[name], f.name) || off(f.value) && !strings.HasSuffix(f.name, "host") {
			continue
		}
		if name == "curl" || name == "wget" {
			urls := urlWords(c)
			if len(urls) > 0 && !slices.ContainsFunc(urls, func(i int) bool {
				h, _ := host(c.args[i])
				return h == "" || h != "localhost" && h != "127.0.0.1" && h != "::1"
			}) {
				continue // its own server, with a certificate of its own
			}
		}
		if strings.HasSuffix(f.name, "host") && loopbackOnly([]string{f.value}) {
			continue
		}
		f.word += before
		last := f.word
		if f.value != "" && !strings.Contains(c.args[f.word], "=") && strings.HasPrefix(f.name, "--") {
			last++
		}
		d.mend(st.body().Addr, d.arg(st, c, f.word), d.without(st, c, f, last), certificates,
			"%s calls %s with %s, so whoever is in between can answer. Leave it out, and give a private authority by `ca`.", st.local(), name, f.name)
	}
	if i := insecureSetting(c, name); i >= 0 {
		d.found(st.body().Addr, d.arg(st, c, i), certificates, "%s turns the check of certificates off in the configuration of %s, where it stays in the image. Leave it out, and give a private authority by `ca`.", st.local(), c.name)
	}
}

// insecureSetting is the index of the word that turns checks off for good, or
// -1.
func insecureSetting(c call, name string) int {
	pair := func(keys ...string) int { // key value, or key=value
		for i, w := range c.args {
			key, value, given := strings.Cut(w, "=")
			if !slices.ContainsFunc(keys, func(k string) bool { return strings.EqualFold(strings.TrimLeft(key, "-"), k) }) {
				continue
			}
			if !given && i+1 < len(c.args) {
				value = c.args[i+1]
			}
			if off(value) {
				return i
			}
		}
		return -1
	}
	switch name {
	case "npm", "yarn", "pnpm":
		return pair("strict-ssl", "enableStrictSsl")
	case "git":
		return pair("http.sslVerify")
	case "conda", "mamba":
		return pair("ssl_verify", "ssl-verify")
	case "bundle", "bundler":
		return pair("ssl_verify_mode")
	case "composer":
		i := slices.Index(c.args, "disable-tls")
		if i >= 0 && i+1 < len(c.args) && truth(c.args[i+1]) {
			return i
		}
	case "pip":
		i := slices.Index(c.args, "global.trusted-host")
		if i >= 0 && i+1 < len(c.args) && slices.Contains(c.args, "set") && !loopbackOnly(strings.Fields(c.args[i+1])) {
			return i
		}
	case "yum", "dnf", "dnf5", "microdnf", "tdnf", "yum-config-manager":
		for i, w := range c.args {
			w = strings.TrimPrefix(w, "--setopt=")
			if key, value, ok := strings.Cut(w, "="); ok && (key == "sslverify" || strings.HasSuffix(key, ".sslverify")) && off(value) {
				return i
			}
		}
	case "apt", "apt-get":
		for i, w := range c.args {
			if key, value, ok := strings.Cut(strings.TrimPrefix(w, "-o"), "="); ok && (strings.EqualFold(key, "Acquire::https::Verify-Peer") || strings.EqualFold(key, "Acquire::https::Verify-Host")) && off(value) {
				return i
			}
		}
	case "echo", "printf":
		text := puts(c)
		if i := strings.Index(text, "sslverify"); i >= 0 {
			_, value, ok := strings.Cut(text[i:], "=")
			if fields := strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == '\\' || r == '\n' }); ok && len(fields) > 0 && off(fields[0]) {
				return 0
			}
		}
		if strings.TrimSpace(text) == "check_certificate=off" || strings.TrimSpace(text) == "check_certificate = off" || strings.TrimSpace(text) == "strict-ssl=false" {
			return 0
		}
	}
	return -1
}
