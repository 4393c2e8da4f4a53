package image

import (
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/specbuild/specbuild/engine"
	"github.com/specbuild/specbuild/lower/dag"
)

// configFile is the OCI image configuration (image-spec v1.1, config.md).
func configFile(img engine.Image, created time.Time) *v1.ConfigFile {
	p, err := v1.ParsePlatform(img.Platform)
	if err != nil { // platforms are normalised long before
		p = &v1.Platform{}
	}
	f := &v1.ConfigFile{
		Architecture: p.Architecture,
		OS:           p.OS,
		Variant:      p.Variant,
		Created:      v1.Time{Time: created},
		Config:       config(img.Config),
		RootFS:       v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{}},
		History:      histories(img),
	}
	for _, l := range img.Layers {
		h, err := v1.NewHash(l.DiffID())
		if err == nil {
			f.RootFS.DiffIDs = append(f.RootFS.DiffIDs, h)
		}
	}
	return f
}

// histories are the lines as the engine gives them; ours carry the constant
// time, so that they do not differ between two builds.
func histories(img engine.Image) []v1.History {
	out := make([]v1.History, 0, len(img.History))
	for _, h := range img.History {
		when := Epoch
		if t, err := time.Parse(time.RFC3339Nano, h.Created); err == nil {
			when = t
		}
		out = append(out, v1.History{
			Author: h.Author, Comment: h.Comment, CreatedBy: h.CreatedBy,
			EmptyLayer: h.Empty, Created: v1.Time{Time: when},
		})
	}
	return out
}

func config(c dag.Config) v1.Config {
	out := v1.Config{
		User:        c.User,
		Env:         c.Env,
		Entrypoint:  c.Entrypoint,
		Cmd:         c.Cmd,
		WorkingDir:  c.Workdir,
		StopSignal:  c.StopSignal,
		Healthcheck: healthcheck(c.Healthcheck),
	}
	if len(c.Ports) > 0 {
		out.ExposedPorts = map[string]struct{}{}
		for _, p := range c.Ports {
			out.ExposedPorts[p] = struct{}{}
		}
	}
	if len(c.Volumes) > 0 {
		out.Volumes = map[string]struct{}{}
		for _, v := range c.Volumes {
			out.Volumes[v] = struct{}{}
		}
	}
	if len(c.Labels) > 0 {
		out.Labels = map[string]string{}
		for _, l := range c.Labels {
			out.Labels[l.Name] = l.Value
		}
	}
	return out
}

// healthcheck is Docker's extension of the OCI configuration, which podman
// and others read too.
func healthcheck(h *dag.Healthcheck) *v1.HealthConfig {
	switch {
	case h == nil:
		return nil
	case h.None:
		return &v1.HealthConfig{Test: []string{"NONE"}}
	default:
		test := append([]string{"CMD"}, h.Command...)
		if len(h.Command) > 0 && h.Command[0] == "CMD-SHELL" {
			test = h.Command // inherited from a base that has the shell form
		}
		return &v1.HealthConfig{
			Test:        test,
			Interval:    time.Duration(h.Interval),
			Timeout:     time.Duration(h.Timeout),
			StartPeriod: time.Duration(h.StartPeriod),
			Retries:     h.Retries,
		}
	}
}
