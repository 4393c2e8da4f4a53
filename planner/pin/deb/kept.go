package deb

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/specbuild/specbuild/engine/fetch"
)

// kept is the folder where releases and tables stay between runs; none where
// it is empty. What is read from it is what was written, or nothing: a file
// begins with a digest of the rest and of what it is kept for, so that one
// that is damaged, cut or has changed places is not there.
type kept string

// keptForm is the first line of each file; its number is the form's version.
const keptForm = "specbuild-index 2\n"

func (k kept) path(name string) string { return filepath.Join(string(k), name) }

func keptSum(name string, data []byte) []byte {
	h := sha256.New()
	fmt.Fprintf(h, "%s%q\n", keptForm, name)
	h.Write(data)
	return h.Sum(nil)
}

// read is a file's content, or nil.
func (k kept) read(name string) []byte {
	if k == "" {
		return nil
	}
	raw, err := os.ReadFile(k.path(name))
	rest, ok := bytes.CutPrefix(raw, []byte(keptForm))
	if err != nil || !ok || len(rest) < sha256.Size {
		return nil
	}
	data := rest[sha256.Size:]
	if !bytes.Equal(rest[:sha256.Size], keptSum(name, data)) {
		return nil
	}
	return data
}

// write writes beside the name and renames, so that others see all or nothing.
func (k kept) write(name string, data []byte) error {
	if k == "" {
		return nil
	}
	if err := os.MkdirAll(string(k), 0o755); err != nil {
		return fmt.Errorf("keep an archive's index: %w", err)
	}
	tmp, err := os.CreateTemp(string(k), ".index-*")
	if err != nil {
		return fmt.Errorf("keep an archive's index: %w", err)
	}
	defer os.Remove(tmp.Name()) // gone already when all went well
	for _, part := range [][]byte{[]byte(keptForm), keptSum(name, data), data} {
		if err == nil {
			_, err = tmp.Write(part)
		}
	}
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), k.path(name))
	}
	if err != nil {
		return fmt.Errorf("keep an archive's index: %w", err)
	}
	return nil
}

// document is a release as a server sent it.
type document struct {
	fetch.Validators
	Text      []byte
	Signature []byte `json:",omitempty"` // of a Release; an InRelease has its own
}

func documentName(url string) string {
	sum := sha256.Sum256([]byte(url))
	return hex.EncodeToString(sum[:]) + ".release"
}

func (k kept) document(url string) (d document) {
	if raw := k.read(documentName(url)); raw != nil && json.Unmarshal(raw, &d) != nil {
		return document{}
	}
	return d
}

func (k kept) putDocument(url string, d document) error {
	raw, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return k.write(documentName(url), raw)
}
