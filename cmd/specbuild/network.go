package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/specbuild/specbuild/engine/fetch"
	vcs "github.com/specbuild/specbuild/engine/git"
	"github.com/specbuild/specbuild/engine/image"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// connect makes everything that talks to servers go the ways that are
// configured: what the workspace says, else the user's configuration, else the
// machine's usual variables. It is called before a spec is read, with the zero
// Network, and again where the spec's workspace says something.
func (w *world) connect(workspace fetch.Network) error {
	n := workspace.Over(w.own).Over(fetch.Environment())
	if err := n.Check(); err != nil {
		return err
	}
	tls, err := n.TLS()
	if err != nil {
		return err
	}
	env := w.gitEnv(n)
	if len(n.CA) > 0 {
		dir, err := w.store.TempDir()
		if err != nil {
			return err
		}
		file := filepath.Join(dir, "ca.pem")
		if err := os.WriteFile(file, n.Bundle(), 0o600); err != nil {
			return fmt.Errorf("write the certificates for git: %w", err)
		}
		env = append(env, "GIT_SSL_CAINFO="+file)
	}
	if w.fetch != nil {
		w.fetch.Close()
	}
	agent := "specbuild/" + versionString()
	w.network = n
	w.registry = image.OpenRegistry(image.RegistryOptions{UserAgent: agent, Proxy: n.Proxy(), TLS: tls})
	w.fetch = fetch.New(fetch.Options{UserAgent: agent, Proxy: n.Proxy(), TLS: tls})
	w.git = vcs.New(vcs.Options{Env: env})
	return nil
}

// gitEnv is the proxy for git. What is configured replaces the machine's
// variables whole, as it does for everything else.
func (w *world) gitEnv(n fetch.Network) []string {
	machine := fetch.Environment()
	if n.HTTPProxy == machine.HTTPProxy && n.HTTPSProxy == machine.HTTPSProxy && n.NoProxy == machine.NoProxy {
		return nil
	}
	var env []string
	for _, name := range []string{"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "all_proxy", "ALL_PROXY"} {
		env = append(env, name+"=")
	}
	return append(env, n.Env()...)
}

// ownNetwork is the user's configuration. A mistake in it is shown at its
// line.
func (c *cli) ownNetwork() (fetch.Network, error) {
	dir := os.Getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(dir) {
		home, err := os.UserHomeDir()
		if err != nil {
			return fetch.Network{}, nil //nolint:nilerr // somebody without a home has configured nothing
		}
		dir = filepath.Join(home, ".config")
	}
	config, ds := spec.LoadConfig(filepath.Join(dir, "specbuild", "config.hcl"))
	n, more := network(config.Network)
	ds = append(ds, more...)
	return n, c.report(ds, &spec.Spec{Files: config.Files})
}

// connect is [spec.Options.Network]: what the workspace says holds for the
// worlds that are open, and for those that will be.
func (c *cli) connect(says spec.Network) diag.List {
	n, ds := network(says)
	if ds.HasErrors() {
		return ds
	}
	c.network = n
	for _, w := range c.worlds {
		if err := w.connect(n); err != nil {
			ds.Errorf(says.Proxy.Range, "The network cannot be used as the workspace says", "%v.", err)
		}
	}
	return ds
}

// network is what the user's configuration or a workspace says.
func network(says spec.Network) (fetch.Network, diag.List) {
	proxy, ca := says.Proxy, says.CA
	var n fetch.Network
	var ds diag.List
	for _, v := range proxy.V {
		switch {
		case v.Unset:
		case v.Name == "http":
			n.HTTPProxy = v.Value
		case v.Name == "https":
			n.HTTPSProxy = v.Value
		case v.Name == "no_proxy":
			n.NoProxy = v.Value
		}
	}
	if ca.V == "" {
		return n, nil
	}
	path := ca.V
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		home, err := os.UserHomeDir()
		if err != nil {
			ds.Errorf(ca.Range, "The certificates cannot be read", "%q: this user has no home.", ca.V)
			return n, ds
		}
		path = filepath.Join(home, rest)
	}
	pem, err := os.ReadFile(path)
	if err == nil && len(pem) == 0 {
		err = errors.New("the file is empty")
	}
	n.CA = pem
	if err == nil {
		_, err = n.TLS()
	}
	if err != nil {
		ds.Errorf(ca.Range, "The certificates cannot be read", "%q: %v.", ca.V, err)
	}
	return n, ds
}
