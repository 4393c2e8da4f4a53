package spec

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/syntax"
)

// Network is how servers are reached, as a workspace or a user says.
type Network struct {
	Proxy Attr[[]EnvVar] // "http", "https" and "no_proxy"; an empty value is none
	CA    Attr[string]   // a file of certificates: absolute, or as written with "~/"
}

// Config is the user's own configuration, beside every workspace's.
type Config struct {
	Network

	Files map[string][]byte // what was read, by the name in diagnostics
}

// proxyMap is how servers are reached. What it says of a value must not hold
// the value: proxies have passwords.
var proxyMap = mapOf("a map of http, https and no_proxy", func(key, value string) error {
	known := []string{"http", "https", "no_proxy"}
	switch key {
	case "no_proxy":
		return nil
	case "http", "https":
		if u, err := url.Parse(value); value != "" && (err != nil || u.Host == "" || !strings.HasPrefix(u.Scheme, "http") && !strings.HasPrefix(u.Scheme, "socks5")) {
			return errors.New(`a proxy is a URL, such as "http://proxy.example.com:3128"`)
		}
		return nil
	default:
		return fmt.Errorf("%q is not known%s; write http, https or no_proxy", key, didYouMean(key, known))
	}
})

// The rows that the user's configuration and a workspace have in common.
const (
	proxyDoc = "how networked steps and specbuild itself reach servers: http, https and no_proxy; default: the machine's usual variables. It is in no key, layer or log."
	caDoc    = "a file of certificates in PEM form that are trusted beside the machine's own; networked steps trust them too."
)

var configBlock = &block[Config]{
	name: "config", doc: "The user's own configuration, $XDG_CONFIG_HOME/specbuild/config.hcl.",
	fixed: "it is the same for all platforms",
	attrs: []attribute[Config]{
		attr("proxy", proxyMap, func(c *Config) *Attr[[]EnvVar] { return &c.Proxy }, proxyDoc),
		attr("ca", secretFile, func(c *Config) *Attr[string] { return &c.CA }, caDoc),
	},
}

// LoadConfig reads the user's configuration. A file that is not there is an
// empty one.
func LoadConfig(path string) (Config, diag.List) {
	var ds diag.List
	data, err := readRegular(path)
	if errors.Is(err, os.ErrNotExist) {
		return Config{}, nil
	}
	if err != nil {
		ds.Errorf(diag.Range{File: path}, "File not read", "%s cannot be read: %s.", path, reason(err))
		return Config{}, ds
	}
	f, ds := syntax.Parse(path, data)
	files := map[string][]byte{path: f.Bytes}
	if ds.HasErrors() || f.Body == nil {
		return Config{Files: files}, ds
	}
	// It is read before any workspace is known, so there is nothing to name or call.
	d := &decoder{mod: &module{folder: newFolder(filepath.Dir(path), ".")}, diags: &ds, ctx: &hcl.EvalContext{}}
	c, _ := configBlock.decode(d, source{body: bodyOf(f), header: diag.Range{File: path, Start: diag.Pos{Line: 1, Column: 1}, End: diag.Pos{Line: 1, Column: 1}}})
	c.Files = files
	return *c, ds
}
