package pin

import (
	"encoding/json"
	"fmt"

	"github.com/specbuild/specbuild/engine/layer"
)

// Facts is what plans need of a base on one platform without pulling it.
type Facts struct {
	Config string   // the image's configuration but rootfs and history, as compact JSON
	UID    int      // the user as numbers; names are looked up in the image's passwd
	GID    int      //
	Shape  []string // lines of layer.Shape: links to directories, directories that are not plain
	Passwd string   // digest of /etc/passwd, or "" where there is none
	Group  string   // digest of /etc/group, or ""
	Layers []Layer  // lowest first
}

// Layer is one layer of a base.
type Layer struct {
	Digest, DiffID, MediaType string
	Size                      int64 // compressed bytes
}

// ImageConfig is a base's configuration, in the words of the OCI image-spec
// v1.1, config.md, with Docker's OnBuild and Healthcheck.
type ImageConfig struct {
	User         string              `json:"User,omitempty"`
	ExposedPorts map[string]struct{} `json:"ExposedPorts,omitempty"`
	Env          []string            `json:"Env,omitempty"`
	Entrypoint   []string            `json:"Entrypoint,omitempty"`
	Cmd          []string            `json:"Cmd,omitempty"`
	Volumes      map[string]struct{} `json:"Volumes,omitempty"`
	WorkingDir   string              `json:"WorkingDir,omitempty"`
	Labels       map[string]string   `json:"Labels,omitempty"`
	StopSignal   string              `json:"StopSignal,omitempty"`
	OnBuild      []string            `json:"OnBuild,omitempty"`
	Healthcheck  *struct {
		Test          []string `json:",omitempty"`
		Interval      int64    `json:",omitempty"` // nanoseconds, as the others
		Timeout       int64    `json:",omitempty"`
		StartPeriod   int64    `json:",omitempty"`
		StartInterval int64    `json:",omitempty"`
		Retries       int      `json:",omitempty"`
	} `json:"Healthcheck,omitempty"`
}

// ImageConfig reads the configuration.
func (f Facts) ImageConfig() (ImageConfig, error) {
	var doc struct {
		Config ImageConfig `json:"config"`
	}
	if f.Config == "" {
		return ImageConfig{}, nil
	}
	if err := json.Unmarshal([]byte(f.Config), &doc); err != nil {
		return ImageConfig{}, fmt.Errorf("read the configuration of a base: %w", err)
	}
	return doc.Config, nil
}

// TrimConfig is a configuration file as the lock holds it: without rootfs
// and history, compact, and with sorted keys.
func TrimConfig(raw []byte) (string, error) {
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		return "", fmt.Errorf("read the configuration of a base: %w", err)
	}
	delete(doc, "rootfs")
	delete(doc, "history")
	out, err := json.Marshal(doc) // sorts the keys of maps
	if err != nil {
		return "", fmt.Errorf("write the configuration of a base: %w", err)
	}
	return string(out), nil
}

// NewFacts gathers what the lock keeps of a base. tree is its merged table
// of contents; passwd and group are the contents of its files, nil where
// there are none.
func NewFacts(config []byte, layers []Layer, tree *layer.Tree, passwd, group []byte) (Facts, error) {
	trimmed, err := TrimConfig(config)
	if err != nil {
		return Facts{}, err
	}
	f := Facts{Config: trimmed, Layers: layers, Shape: tree.Shape().Lines()}
	f.Passwd, f.Group = fileDigest(tree, "etc/passwd"), fileDigest(tree, "etc/group")
	c, err := f.ImageConfig()
	if err != nil {
		return Facts{}, err
	}
	f.UID, f.GID, err = lookupUser(c.User, passwd, group)
	return f, err
}

func fileDigest(tree *layer.Tree, path string) string {
	at, err := tree.Resolve(path)
	if err != nil {
		return ""
	}
	e, ok := tree.Lookup(at)
	if !ok || e.Type == layer.Dir {
		return ""
	}
	return e.Digest
}
