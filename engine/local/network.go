package local

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/engine/fetch"
	"github.com/specbuild/specbuild/engine/sandbox"
)

// caTarget is where a step with network finds whom to trust, where the machine
// trusts certificates of its own.
const caTarget = "/run/specbuild/ca.pem"

// caVariables are how programs are told of one file of certificates: OpenSSL
// and Go, curl, Python's requests, pip, git, Node, AWS's programs.
func caVariables() []string {
	return []string{
		"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS", "AWS_CA_BUNDLE",
	}
}

// network gives a step with network the proxy and the certificates. They are
// in no key: which way bytes come says nothing of what they are. What the step
// or its image says itself stays.
func (m *mounter) network(ctx context.Context, env []string) error {
	n := m.b.o.Network
	m.env = append(m.env, unlessSet(env, n.Env())...)
	for _, p := range n.Passwords() {
		m.secrets = append(m.secrets, []byte(p))
	}
	if len(n.CA) == 0 {
		return nil
	}
	bundle, err := m.bundle(ctx)
	if err != nil {
		return err
	}
	dir, err := m.b.o.Store.TempDir()
	if err != nil {
		return err
	}
	m.releases = append(m.releases, func() { os.RemoveAll(dir) })
	file := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(file, bundle, 0o600); err != nil {
		return err
	}
	// It is nobody's secret, and package managers fetch as users of their own.
	if err := os.Chmod(file, 0o444); err != nil {
		return err
	}
	m.mounts = append(m.mounts, sandbox.Mount{Kind: sandbox.MountBind, Source: file, Target: caTarget, ReadOnly: true})
	var vars []string
	for _, name := range caVariables() {
		vars = append(vars, name+"="+caTarget)
	}
	m.env = append(m.env, unlessSet(env, vars)...)
	return nil
}

// bundle is what the step's own root trusts and the configured certificates.
// Most programs take one file for all, so without the first they would refuse
// everything else. A root that trusts nobody is given what the machine trusts.
func (m *mounter) bundle(ctx context.Context) ([]byte, error) {
	n := m.b.o.Network
	for _, p := range fetch.BundlePaths() {
		own, err := m.b.readIn(ctx, m.p.tree, func() ([]*layerRef, error) { return m.p.chain, nil }, strings.TrimPrefix(p, "/"))
		if err != nil {
			return nil, err
		}
		if len(own) > 0 {
			return fetch.Join(own, n.CA), nil
		}
	}
	return n.Bundle(), nil
}

// unlessSet leaves out variables that an environment has already.
func unlessSet(env, add []string) []string {
	var out []string
	for _, kv := range add {
		name, _, _ := strings.Cut(kv, "=")
		if !slices.ContainsFunc(env, func(have string) bool { return strings.HasPrefix(have, name+"=") }) {
			out = append(out, kv)
		}
	}
	return out
}
