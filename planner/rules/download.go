package rules

import (
	"net"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

func downloadRules() []Rule {
	return []Rule{
		{
			ID: "fetch-https", By: ByJudge, Title: "What is fetched is fetched by https, or git over ssh",
			Why: "Over http whoever is in between reads what is asked for, and answers with what they like.",
			Bad: `run {
  script  = "curl -fsSO http://downloads.example.com/tool-1.4.2.tar.gz"
  network = "outbound"
}`,
			Good: `run {
  script  = "curl -fsSO https://downloads.example.com/tool-1.4.2.tar.gz"
  network = "outbound"
}`,
			Mend:    "Write https; `validate --fix` does it where the URL has no port.",
			Sources: []string{"bn:curlUseHttpsUrl", "bn:wgetUseHttpsUrl", "bx:http.schema", "Blubber:httpurl"},
			check:   plainHTTP,
		},
		{
			ID: "fetch-host-allowed", By: ByJudge, Title: "What is fetched comes from a host that the policy allows",
			Why:    "An organisation that mirrors what it uses wants to know of what comes from elsewhere.",
			Params: []Param{{Name: "allow", Kind: List, Needed: true, Doc: "hosts, \"*.example.com\" for those below one, or a host with the beginning of a path: github.com/acme/"}},
			Bad: `run {
  script  = "curl -fsSO https://downloads.example.com/tool-1.4.2.tar.gz"
  network = "outbound"
}`,
			Good: `run {
  script  = "curl -fsSO https://mirror.example.com/tool-1.4.2.tar.gz"
  network = "outbound"
}`,
			Mend:    "Fetch from one of those hosts, or ask the owners of the policy.",
			Sources: []string{"bx:http.host", "bx:git.host"},
			check:   foreignHosts,
		},
		tlsRule(),
		{
			ID: "no-pipe-to-shell", Severity: diag.Warning, Release: diag.Warning, By: ByJudge, Title: "No download is piped into an interpreter",
			Why: "What runs is whatever the server says at that moment, or the half of it that arrived.",
			Bad: `shell = ["/bin/bash", "-euo", "pipefail", "-c"]
run {
  script  = "curl -fsSL https://get.example.com/install.sh | sh"
  network = "outbound"
}`,
			Good: `context "installer" {
  http {
    url    = "https://get.example.com/install-1.4.2.sh"
    sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
  }
}
image "web" {
  from   = scratch
  run_as = "10001"
  run {
    command = ["/bin/sh", "/installer/install-1.4.2.sh"]
    mount "bind" {
      from   = context.installer
      target = "/installer"
    }
  }
}`,
			Mend:    "Fetch the file as a context with its sha256, and run that.",
			Sources: []string{"CIS-4.11", "CIS-4.12"},
			check:   pipedToShell,
		},
		{
			ID: "downloader-fails-on-error", Severity: diag.Info, Release: diag.Info, By: ByJudge, Title: "curl fails on an error of the server, and a stage has one downloader that says little",
			Why: "Without -f curl saves the server's error page and is content. Two downloaders are one more than is needed, and wget's bar of dots is most of a log.",
			Bad: `run {
  script  = "curl -sSLO https://example.com/tool-1.4.2.tar.gz"
  network = "outbound"
}`,
			Good: `run {
  script  = "curl -fsSLO https://example.com/tool-1.4.2.tar.gz"
  network = "outbound"
}`,
			Mend:    "Add -f to curl, which `validate --fix` does; -q or -nv to wget.",
			Sources: []string{"DL4001", "DL3047", "DS-0014", "KICS:run_using_wget_and_curl", "sg:use-either-wget-or-curl", "bn:curlUseFlagF"},
			check:   carelessDownloads,
		},
	}
}

var (
	curlOptions = syntaxOf{"AbcCdDeEFHKmoPQrtTuUwxXyYz", []string{
		"--user-agent", "--cookie", "--cookie-jar", "--continue-at", "--data", "--data-raw", "--data-binary", "--data-urlencode", "--data-ascii", "--dump-header",
		"--referer", "--cert", "--key", "--cacert", "--capath", "--form", "--form-string", "--header", "--config", "--max-time", "--connect-timeout", "--output",
		"--output-dir", "--ftp-port", "--quote", "--range", "--telnet-option", "--upload-file", "--user", "--proxy-user", "--write-out", "--proxy", "--preproxy",
		"--request", "--speed-limit", "--speed-time", "--time-cond", "--retry", "--retry-delay", "--retry-max-time", "--resolve", "--connect-to", "--interface",
		"--socks5", "--socks5-hostname", "--socks4", "--socks4a", "--noproxy", "--proto", "--proto-redir", "--proto-default", "--tls-max", "--ciphers",
		"--tls13-ciphers", "--limit-rate", "--max-redirs", "--max-filesize", "--url-query", "--json", "--oauth2-bearer", "--netrc-file", "--stderr", "--trace",
		"--trace-ascii", "--unix-socket", "--doh-url", "--dns-servers", "--cert-type", "--pinnedpubkey", "--aws-sigv4", "--variable", "--rate", "--happy-eyeballs-timeout-ms",
		"--parallel-max", "--create-file-mode", "--proxy-header", "--proxy-cacert", "--crlfile", "--engine", "--keepalive-time", "--local-port", "--etag-save", "--etag-compare",
	}}
	wgetOptions = syntaxOf{"aeoiBtOTwQPUlARDIX", []string{
		"--append-output", "--execute", "--output-file", "--input-file", "--base", "--tries", "--output-document", "--timeout", "--wait", "--quota",
		"--directory-prefix", "--user-agent", "--level", "--accept", "--reject", "--domains", "--header", "--referer", "--post-data", "--post-file", "--user",
		"--password", "--ca-certificate", "--ca-directory", "--certificate", "--private-key", "--progress", "--secure-protocol", "--method", "--body-data",
		"--load-cookies", "--save-cookies", "--waitretry", "--limit-rate", "--cut-dirs", "--default-page", "--dns-timeout", "--connect-timeout", "--read-timeout",
		"--bind-address", "--restrict-file-names", "--http-user", "--http-password", "--proxy-user", "--proxy-password", "--hsts-file", "--max-redirect", "--retry-on-http-error",
	}}
	gitOptions = syntaxOf{"bcoCj", []string{
		"--branch", "--config", "--origin", "--depth", "--reference", "--template", "--jobs", "--filter", "--separate-git-dir", "--shallow-since",
		"--shallow-exclude", "--upload-pack", "--git-dir", "--work-tree", "--server-option", "--namespace",
	}}
)

// fetch is a URL that a step or a context reaches.
type fetch struct {
	url  string
	by   string
	addr spec.Addr
	at   diag.Range
	fix  func(url string) *diag.Fix
}

// fetches are all URLs that are reached: of contexts, of other archives, and
// in scripts what is known to be one, and not a header or a proxy.
func (d *docket) fetches() []fetch {
	var out []fetch
	for _, c := range d.Spec.Contexts {
		switch {
		case c.HTTP != nil && !c.HTTP.URL.Unknown:
			out = append(out, d.written(c.Addr, "url of "+c.Addr.Local(), c.HTTP.URL))
		case c.Git != nil && !c.Git.URL.Unknown:
			out = append(out, d.written(c.Addr, "url of "+c.Addr.Local(), c.Git.URL))
		}
	}
	d.eachStep(d.all(), func(st runStep) {
		for _, c := range st.script.calls {
			for _, i := range urlWords(c) {
				out = append(out, fetch{url: c.args[i], by: c.name, addr: st.body().Addr, at: d.arg(st, c, i), fix: func(url string) *diag.Fix {
					if c.places == nil {
						return d.reword(st, c, i, url)
					}
					old := st.text.V[c.places[i].start:c.places[i].end]
					return d.reword(st, c, i, strings.Replace(old, c.args[i], url, 1))
				}})
			}
		}
	})
	return out
}

// written is the fetch of an attribute.
func (d *docket) written(addr spec.Addr, by string, attr spec.Attr[string]) fetch {
	return fetch{url: attr.V, by: by, addr: addr, at: attr.Range, fix: func(url string) *diag.Fix {
		if d.source(attr.Range) != `"`+attr.V+`"` {
			return nil
		}
		return &diag.Fix{Range: attr.Range, Replacement: `"` + url + `"`}
	}}
}

// urlWords are the indexes of a call's words that are what it fetches.
func urlWords(c call) []int {
	var o options
	switch c.name {
	case "curl":
		o = c.parse(curlOptions)
		for _, f := range o.flags {
			if f.name == "--url" && f.word+1 < len(c.args) && f.value == "" {
				o.operands = append(o.operands, f.word+1)
			}
		}
	case "wget", "aria2c", "axel":
		o = c.parse(wgetOptions)
	case "git":
		o = c.parse(gitOptions)
		if !slices.Contains([]string{"clone", "fetch", "pull", "ls-remote", "submodule", "remote"}, o.verb(c.args)) {
			return nil
		}
	case "npm", "yarn", "pnpm", "pip", "pip3":
		return registryWords(c)
	default:
		return nil
	}
	var out []int
	for _, i := range o.operands {
		if i > 0 && strings.HasPrefix(c.args[i-1], "--") && !strings.Contains(c.args[i-1], "=") && c.args[i-1] != "--url" && !slices.Contains(plainLong, c.args[i-1]) {
			continue // an option that is not known here may take it as its value
		}
		if w := c.args[i]; !strings.HasPrefix(w, dynamic) && (strings.Contains(w, "://") || c.name == "git" && strings.Contains(w, "@")) {
			out = append(out, i)
		}
	}
	return out
}

// registryWords is urlWords for installers of a language's packages.
func registryWords(c call) []int {
	var out []int
	for i, w := range c.args {
		if i > 0 && slices.Contains([]string{"--registry", "-i", "--index-url", "--extra-index-url"}, c.args[i-1]) && strings.Contains(w, "://") {
			out = append(out, i)
		}
	}
	return out
}

// plainLong are options of downloaders that take no value.
var plainLong = []string{
	"--fail", "--fail-with-body", "--silent", "--show-error", "--location", "--insecure", "--compressed", "--remote-name", "--remote-header-name", "--verbose",
	"--ipv4", "--ipv6", "--http1.1", "--http2", "--head", "--include", "--create-dirs", "--progress-bar", "--globoff", "--retry-all-errors", "--retry-connrefused",
	"--quiet", "--no-verbose", "--no-check-certificate", "--https-only", "--continue", "--no-clobber", "--timestamping", "--content-disposition", "--recursive",
	"--show-progress", "--no-parent", "--recurse-submodules", "--single-branch", "--no-tags", "--bare", "--mirror", "--no-checkout", "--sparse", "--tags", "--prune",
	"--tlsv1.2", "--tlsv1.3", "--no-progress-meter", "--no-buffer", "--path-as-is", "--remote-time", "--netrc", "--anyauth", "--basic", "--",
}

// host is that of a URL or of git's user@host:path, with the rest behind it;
// empty where it is not known.
func host(url string) (name, rest string) {
	_, after, ok := strings.Cut(url, "://")
	if !ok {
		_, after, _ = strings.Cut(url, "@")
		after = strings.Replace(after, ":", "/", 1)
	}
	authority, rest, _ := strings.Cut(after, "/")
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = authority[i+1:]
	}
	if h, _, err := net.SplitHostPort(authority); err == nil {
		authority = h
	}
	if strings.ContainsAny(authority, dynamic+"$?#") {
		return "", ""
	}
	return strings.ToLower(strings.Trim(authority, "[]")), rest
}

// nearby reports whether a host is this machine, one of its own network, or a
// name that is reserved and reaches nobody.
func nearby(name string) bool {
	if ip := net.ParseIP(name); ip != nil {
		return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsUnspecified()
	}
	if !strings.Contains(name, ".") {
		return true
	}
	return slices.ContainsFunc([]string{".localhost", ".test", ".invalid", ".local", ".internal"}, func(end string) bool { return strings.HasSuffix(name, end) })
}

func plainHTTP(d *docket) {
	for _, f := range d.fetches() {
		rest, plain := strings.CutPrefix(f.url, "http://")
		if rest2, git := strings.CutPrefix(f.url, "git://"); git {
			rest, plain = rest2, true
		}
		name, _ := host(f.url)
		if !plain || name == "" || nearby(name) {
			continue
		}
		var fix *diag.Fix
		authority, _, _ := strings.Cut(rest, "/")
		if !strings.Contains(authority, ":") && !strings.Contains(rest, dynamic) {
			fix = f.fix("https://" + rest)
		}
		d.mend(f.addr, f.at, fix, "A download is not by https", "The %s reaches %s without encryption: anyone on the way can answer in its place. Write https.", subject(f), name)
	}
}

// subject names who fetches, at the beginning of a sentence.
func subject(f fetch) string {
	if strings.HasPrefix(f.by, "url of") {
		return f.by
	}
	return f.by + " of " + f.addr.Local()
}

func foreignHosts(d *docket) {
	allow := d.list("allow")
	all := d.fetches()
	for _, r := range d.Spec.Repositories {
		for _, s := range r.Sources {
			if !s.URL.Unknown && s.URL.Set {
				all = append(all, d.written(r.Addr, "url of "+r.Addr.Local(), s.URL))
			}
		}
	}
	for _, f := range all {
		name, rest := host(f.url)
		loopback := name == "localhost" || net.ParseIP(name).IsLoopback()
		if name == "" || loopback || slices.ContainsFunc(allow, func(p string) bool { return allowedHost(p, name, rest) }) {
			continue
		}
		d.found(f.addr, f.at, "A host is not allowed", "The %s reaches %s. What is fetched comes from %s: take it from there, or ask the owners of the policy.", subject(f), name, few(allow))
	}
}

// allowedHost reports whether a host is what a pattern of the policy allows.
func allowedHost(pattern, name, rest string) bool {
	h, path, deeper := strings.Cut(strings.ToLower(pattern), "/")
	if below, ok := strings.CutPrefix(h, "*."); ok {
		return strings.HasSuffix(name, "."+below)
	}
	if name != h {
		return false
	}
	return !deeper || strings.HasPrefix(strings.ToLower(rest)+"/", strings.TrimSuffix(path, "/")+"/")
}

// downloaders write what they fetch to their output, or can.
var downloaders = []string{"curl", "wget", "fetch", "aria2c", "lwp-download"}

func pipedToShell(d *docket) {
	d.eachStep(d.all(), func(st runStep) {
		for _, c := range st.script.calls {
			from := ""
			switch {
			case slices.ContainsFunc(c.fed, func(n string) bool { return slices.Contains(downloaders, n) }) && runsWords(c):
				i := slices.IndexFunc(c.fed, func(n string) bool { return slices.Contains(downloaders, n) })
				from = c.fed[i]
			case c.pipe > 0 && runsInput(c):
				for _, up := range st.script.calls {
					if up.pipe == c.pipe && up.element < c.element && slices.Contains(downloaders, up.name) {
						from = up.name
					}
				}
			}
			if from != "" {
				d.found(st.body().Addr, d.arg(st, c, -1), "A download goes to an interpreter",
					"%s runs what %s gets, whatever that is at the moment, and half of it when the connection breaks. Fetch the file as a context with its sha256, and run that.", st.local(), from)
			}
		}
	})
}

// interpreter reports whether a program runs what it reads.
func interpreter(name string) bool {
	return slices.Contains([]string{"sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "perl", "ruby", "node", "php", "lua"}, name) || python.MatchString(name)
}

// runsInput reports whether an interpreter takes its program from its input,
// and not from a file or an option.
func runsInput(c call) bool {
	if !interpreter(c.name) {
		return false
	}
	shell := slices.Contains([]string{"sh", "bash", "dash", "ash", "zsh", "ksh", "mksh"}, c.name)
	for _, a := range c.args {
		switch {
		case a == "-" || a == "-s" || a == "/dev/stdin" || a == "--":
			return true
		case strings.HasPrefix(a, dynamic):
			return false
		case shell && strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") && strings.Contains(a, "c"):
			return false
		case shell && strings.HasPrefix(a, "-") && strings.HasSuffix(a, "s"):
			return true
		case !shell && strings.HasPrefix(a, "-") && a != "-u" && a != "-w":
			return false // -c, -m, -e, -n: the program is elsewhere
		case !strings.HasPrefix(a, "-") && a != "pipefail":
			return false
		}
	}
	return true
}

// runsWords reports whether words made of a download are run: sh -c "$(…)",
// eval "$(…)", bash <(…).
func runsWords(c call) bool {
	switch {
	case c.name == "eval" || c.name == "source" || c.name == ".":
		return true
	case interpreter(c.name):
		first := slices.IndexFunc(c.args, func(a string) bool { return !strings.HasPrefix(a, "-") })
		return first >= 0 && strings.HasPrefix(c.args[first], dynamic)
	}
	return false
}

func carelessDownloads(d *docket) {
	for _, inst := range d.all() {
		other := "" // the downloader that was first
		d.eachStep([]*Instance{inst}, func(st runStep) {
			for _, c := range st.script.calls {
				if c.name != "curl" && c.name != "wget" {
					continue
				}
				d.careless(st, c)
				switch {
				case other == "":
					other = c.name
				case other != c.name && other != "both":
					d.found(st.body().Addr, d.arg(st, c, -1), "Two downloaders in one stage",
						"%s uses %s here and %s before: one of them is enough, and less to install.", st.local(), c.name, other)
					other = "both"
				}
			}
		})
	}
}

// careless is about one call. A script that looks at the status itself, or at
// a server of its own, is left alone.
func (d *docket) careless(st runStep, c call) {
	if c.tested {
		return
	}
	urls := urlWords(c)
	remote := slices.ContainsFunc(urls, func(i int) bool {
		h, _ := host(c.args[i])
		return h == "" || !nearby(h) && strings.HasPrefix(c.args[i], "http")
	})
	if len(urls) == 0 || !remote {
		return
	}
	switch c.name {
	case "curl":
		o := c.parse(curlOptions)
		if o.open || o.has("-f", "--fail", "--fail-with-body", "--fail-early", "-w", "--write-out", "-K", "--config", "-I", "--head", "-D", "--dump-header", "--version", "-V", "-i", "--include") {
			return
		}
		d.mend(st.body().Addr, d.arg(st, c, -1), d.behind(st, c, -1, "-f"), "curl takes an error page",
			"%s calls curl without -f: an error page of the server is saved as if it were the file. Add -f.", st.local())
	case "wget":
		o := c.parse(wgetOptions)
		quiet := o.has("-q", "--quiet", "-n", "--no-verbose", "--progress", "-o", "--output-file", "-a", "--append-output", "--spider", "--show-progress")
		if o.open || quiet {
			return
		}
		d.found(st.body().Addr, d.arg(st, c, -1), "wget fills the log",
			"%s calls wget without -q, -nv or --progress=dot:giga: its progress is a line for every 50 kB.", st.local())
	}
}
