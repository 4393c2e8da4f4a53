package fetch

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// Network says how servers are reached: through which proxy, and whom to
// trust. It is about the way that bytes come, so it is in no key, layer,
// configuration or log. The zero value goes straight and trusts whom the
// machine trusts.
type Network struct {
	HTTPProxy  string // a URL, or "host:port"; may hold a user and a password
	HTTPSProxy string
	NoProxy    string // names, suffixes, addresses and networks, separated by commas
	CA         []byte // PEM: certificates trusted beside the machine's own
}

// Environment is the proxy that the machine's usual variables name; lower case
// beats upper case, as in curl.
func Environment() Network {
	c := httpproxy.FromEnvironment()
	return Network{HTTPProxy: c.HTTPProxy, HTTPSProxy: c.HTTPSProxy, NoProxy: c.NoProxy}
}

// Over is the network with what it leaves open taken from another; a proxy is
// taken whole, since half of one is nobody's wish.
func (n Network) Over(other Network) Network {
	if n.HTTPProxy == "" && n.HTTPSProxy == "" && n.NoProxy == "" {
		n.HTTPProxy, n.HTTPSProxy, n.NoProxy = other.HTTPProxy, other.HTTPSProxy, other.NoProxy
	}
	if len(n.CA) == 0 {
		n.CA = other.CA
	}
	return n
}

// Check refuses what cannot be a proxy or a list of certificates. It says
// nothing of a proxy's password.
func (n Network) Check() error {
	for _, p := range []string{n.HTTPProxy, n.HTTPSProxy} {
		if _, err := proxyURL(p); err != nil {
			return err
		}
	}
	if _, err := n.TLS(); err != nil {
		return err
	}
	return nil
}

func proxyURL(p string) (*url.URL, error) {
	if p == "" {
		return nil, nil //nolint:nilnil // no proxy is neither
	}
	if !strings.Contains(p, "://") {
		p = "http://" + p
	}
	u, err := url.Parse(p)
	if err != nil || u.Host == "" {
		return nil, errors.New("a proxy is a URL such as http://proxy.example.com:3128") // err would print it, password and all
	}
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
		return u, nil
	}
	return nil, fmt.Errorf("a proxy cannot be reached by %q; write http://, https:// or socks5://", u.Scheme)
}

// Proxy chooses the proxy of a request, for a transport. Loopback is always
// reached straight.
func (n Network) Proxy() func(*http.Request) (*url.URL, error) {
	choose := (&httpproxy.Config{HTTPProxy: n.HTTPProxy, HTTPSProxy: n.HTTPSProxy, NoProxy: n.NoProxy}).ProxyFunc()
	return func(r *http.Request) (*url.URL, error) { return choose(r.URL) }
}

// TLS is whom a transport trusts; nil is the machine's own choice.
func (n Network) TLS() (*tls.Config, error) {
	if len(n.CA) == 0 {
		return nil, nil //nolint:nilnil // the default of a transport
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a machine without any
	}
	if !pool.AppendCertsFromPEM(n.CA) {
		return nil, errors.New("it holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// Env are the variables by which programs learn of the proxy, in both
// spellings, since some read only one. A variable is there for each that is
// set.
func (n Network) Env() []string {
	var out []string
	for _, kv := range [][2]string{{"http_proxy", n.HTTPProxy}, {"https_proxy", n.HTTPSProxy}, {"no_proxy", n.NoProxy}} {
		if kv[1] != "" {
			out = append(out, kv[0]+"="+kv[1], strings.ToUpper(kv[0])+"="+kv[1])
		}
	}
	return out
}

// Passwords are what no log may show of the proxies.
func (n Network) Passwords() []string {
	var out []string
	for _, p := range []string{n.HTTPProxy, n.HTTPSProxy} {
		u, err := proxyURL(p)
		if err != nil || u == nil || u.User == nil {
			continue
		}
		plain, has := u.User.Password()
		if !has || plain == "" {
			continue
		}
		out = append(out, plain)
		if _, raw, ok := strings.Cut(u.User.String(), ":"); ok && raw != plain {
			out = append(out, raw) // as it stands in the URL
		}
	}
	return out
}

// Bundle is whom a program is to trust that takes one file for all: the
// machine's own certificates and CA behind them; nil where CA is empty.
func (n Network) Bundle() []byte {
	if len(n.CA) == 0 {
		return nil
	}
	return Join(machineBundle(), n.CA)
}

// Join puts lists of certificates in PEM form behind each other.
func Join(lists ...[]byte) []byte {
	var out []byte
	for _, l := range lists {
		if out = append(out, l...); len(out) > 0 && out[len(out)-1] != '\n' {
			out = append(out, '\n')
		}
	}
	return out
}

// BundlePaths are where distributions keep the certificates that they trust,
// as one file (those of crypto/x509, roots_linux.go).
func BundlePaths() []string {
	return []string{
		"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem",
	}
}

func machineBundle() []byte {
	for _, p := range BundlePaths() {
		if b, err := os.ReadFile(p); err == nil {
			return b
		}
	}
	return nil
}
