package deb

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the keyring
	"encoding/hex"
	"errors"
	"fmt"
	"net/textproto"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// debianKeys is /usr/share/keyrings/debian-archive-keyring.gpg of Debian's
// package debian-archive-keyring 2023.3+deb12u2: archive, security and stable
// keys of Debian 11, 12 and 13.
//
//go:embed debian-archive-keyring.gpg
var debianKeys []byte

// Release is what a suite's InRelease states, after its signature was checked.
type Release struct {
	Source     string    // the archive: "debian", "debian-security" or a URL
	Suite      string    // as requested
	Date       time.Time // of the suite, which is the time to ask a snapshot for
	ValidUntil time.Time // zero where the suite states none
	SHA256     string    // of the InRelease file, hexadecimal

	files     map[string]file // by path below the suite's folder
	byHash    bool
	allInEach bool // packages of "all" are in each architecture's index
}

// file is a line of the SHA256 field.
type file struct {
	sha256 string
	size   int64
}

// ErrSignature is wrapped by every error that says that a release cannot be
// trusted.
var ErrSignature = errors.New("signature of the release")

// keyring reads keys, binary or armoured, and drops those that ended by now.
func keyring(raw []byte, now time.Time) (openpgp.EntityList, error) {
	var all openpgp.EntityList
	var err error
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("-----BEGIN")) {
		all, err = openpgp.ReadArmoredKeyRing(bytes.NewReader(raw))
	} else {
		all, err = openpgp.ReadKeyRing(bytes.NewReader(raw))
	}
	if err != nil {
		return nil, fmt.Errorf("read archive keys: %w", err)
	}
	var live openpgp.EntityList
	for _, e := range all {
		if id := e.PrimaryIdentity(); id != nil && id.SelfSignature != nil && !e.PrimaryKey.KeyExpired(id.SelfSignature, now) && len(e.Revocations) == 0 {
			live = append(live, e)
		}
	}
	if len(live) == 0 {
		return nil, fmt.Errorf("%w: all %d keys have ended", ErrSignature, len(all))
	}
	return live, nil
}

// verify checks a release's signature and reads what was signed, and nothing
// else of the file. stale lets a Valid-Until pass that is over: a snapshot is
// old by intent.
func verify(doc document, keys []byte, suite string, now time.Time, stale bool) (Release, error) {
	ring, err := keyring(keys, now)
	if err != nil {
		return Release{}, err
	}
	config := &packet.Config{Time: func() time.Time { return now }}
	text := doc.Text
	if len(doc.Signature) > 0 {
		_, err = openpgp.CheckArmoredDetachedSignature(ring, bytes.NewReader(text), bytes.NewReader(doc.Signature), config)
		if !bytes.HasPrefix(doc.Signature, []byte("-----BEGIN")) {
			_, err = openpgp.CheckDetachedSignature(ring, bytes.NewReader(text), bytes.NewReader(doc.Signature), config)
		}
		if err != nil {
			err = fmt.Errorf("%w: %w", ErrSignature, err)
		}
	} else {
		text, err = clearText(text, ring, config)
	}
	if err != nil {
		return Release{}, err
	}
	sum := sha256.Sum256(doc.Text)
	r := Release{Suite: suite, SHA256: hex.EncodeToString(sum[:])}
	if err := r.parse(string(text)); err != nil {
		return Release{}, err
	}
	return r, r.timely(now, stale)
}

// clearText is what a clearsigned file signs.
func clearText(raw []byte, ring openpgp.EntityList, config *packet.Config) ([]byte, error) {
	if !bytes.HasPrefix(raw, []byte("-----BEGIN PGP SIGNED MESSAGE-----")) {
		return nil, fmt.Errorf("%w: the file does not begin with a signed message", ErrSignature)
	}
	block, rest := clearsign.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("%w: the signed message is malformed", ErrSignature)
	}
	if len(bytes.TrimSpace(rest)) != 0 {
		return nil, fmt.Errorf("%w: %d bytes follow the signed message", ErrSignature, len(rest))
	}
	if _, err := block.VerifySignature(ring, config); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return block.Plaintext, nil
}

// parse reads the signed text. A mirror that answers with another suite,
// rightly signed too, is found here.
func (r *Release) parse(text string) error {
	fields := stanza(text)
	if fields["Codename"] != r.Suite && fields["Suite"] != r.Suite {
		return fmt.Errorf("InRelease is of suite %q (%q), not of %q", fields["Suite"], fields["Codename"], r.Suite)
	}
	var err error
	if r.Date, err = releaseTime(fields["Date"]); err != nil {
		return fmt.Errorf("InRelease of %s: Date: %w", r.Suite, err)
	}
	if v := fields["Valid-Until"]; v != "" {
		if r.ValidUntil, err = releaseTime(v); err != nil {
			return fmt.Errorf("InRelease of %s: Valid-Until: %w", r.Suite, err)
		}
	}
	r.byHash = fields["Acquire-By-Hash"] == "yes"
	// apt's rule: security's release names no "all", but files of it that are not to be read.
	r.allInEach = !slices.Contains(strings.Fields(fields["Architectures"]), "all") ||
		slices.Contains(strings.Fields(fields["No-Support-For-Architecture-All"]), "Packages")
	r.files = map[string]file{}
	for line := range strings.Lines(fields["Sha256"]) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if len(f) != 3 || len(f[0]) != 64 {
			return fmt.Errorf("InRelease of %s: malformed line %q", r.Suite, line)
		}
		size, err := strconv.ParseInt(f[1], 10, 64)
		if _, herr := hex.DecodeString(f[0]); err != nil || herr != nil || size < 0 || path.Clean("/"+f[2]) != "/"+f[2] {
			return fmt.Errorf("InRelease of %s: malformed line %q", r.Suite, line)
		}
		r.files[f[2]] = file{strings.ToLower(f[0]), size}
	}
	return nil
}

// clockSlack is how far clocks of archive and machine may differ.
const clockSlack = 24 * time.Hour

func (r *Release) timely(now time.Time, stale bool) error {
	if r.Date.After(now.Add(clockSlack)) {
		return fmt.Errorf("InRelease of %s is of %s, in the future: is this machine's clock right?", r.Suite, r.Date.Format(time.RFC3339))
	}
	if !stale && !r.ValidUntil.IsZero() && now.After(r.ValidUntil) {
		return fmt.Errorf("InRelease of %s was valid until %s: the mirror is stale", r.Suite, r.ValidUntil.Format(time.RFC3339))
	}
	return nil
}

func releaseTime(s string) (time.Time, error) {
	t, err := time.Parse("Mon, _2 Jan 2006 15:04:05 MST", s)
	if err == nil && t.Location() != time.UTC && t.Location().String() != "UTC" {
		err = fmt.Errorf("%q is not in UTC", s)
	}
	return t.UTC(), err
}

// stanza reads one paragraph of deb822(5): names as MIME headers are spelt,
// continuation lines joined with newlines.
func stanza(text string) map[string]string {
	out := map[string]string{}
	last := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == ' ' || line[0] == '\t':
			if last != "" {
				out[last] += "\n" + strings.TrimSpace(line)
			}
		default:
			name, value, _ := strings.Cut(line, ":")
			last = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))
			out[last] = strings.TrimSpace(value)
		}
	}
	return out
}
