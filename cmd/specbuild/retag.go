package main

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/specbuild/specbuild/planner/pin"
	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// movingTag is the rule whose findings only a registry can mend.
const movingTag = "base-no-floating-tag"

// Bounds of what a registry is asked: a repository may have thousands of tags,
// and public registries count requests. The tags are sorted, newest first, so
// that what a moving tag stands for is among the first.
const (
	mostTags  = 10_000
	mostHeads = 40
	headsOnce = 8
)

// retagger finds tags of versions in the place of tags that move on.
type retagger struct {
	world *world
	lock  pin.Lock
	known map[string]versionOf // by the moving name: rounds do not ask again
	keep  bool                 // --locked: names that the lock has stay
}

// versionOf is what a registry has answered.
type versionOf struct {
	tag string // "" where there is none
	why string // then, as a sentence
}

// mend gives findings about moving tags the tag of a version that is the same
// image, so that nothing but the name changes; of those that have none it says
// why. renamed are the names that the lock has, by the new ones.
func (r *retagger) mend(ctx context.Context, sp *spec.Spec, ds diag.List, renamed map[string]string) {
	for i, d := range ds {
		if d.Code != movingTag || d.Fix != nil {
			continue
		}
		for _, b := range sp.Bases {
			if b.Addr.String() != d.Address || b.Image.Range != d.Range {
				continue
			}
			ref, err := pin.ParseReference(b.Image.V)
			fix := tagFix(sp, b.Image)
			if err != nil || fix == nil {
				ds[i].Detail += " The name is computed: --fix changes only what is written out."
				break
			}
			if _, has := r.lock.Bases[ref.String()]; has && r.keep {
				ds[i].Detail += " The lock has it under this name, and --locked keeps the lock: so --fix keeps the name."
				break
			}
			v := r.version(ctx, ref)
			if v.tag == "" {
				ds[i].Detail += " --fix has asked for the tag of its version: " + v.why
				break
			}
			fix.Replacement += ":" + v.tag
			ds[i].Fix = fix
			now := ref
			now.Tag = v.tag
			renamed[now.String()] = ref.String()
		}
	}
}

// tagFix replaces the text of an image's name, where it is written out, by
// the same without its tag.
func tagFix(sp *spec.Spec, image spec.Attr[string]) *diag.Fix {
	at, src := image.Range, sp.Files[image.Range.File]
	if at.Start.Byte < 0 || at.Start.Byte > at.End.Byte || at.End.Byte > len(src) {
		return nil
	}
	text := string(src[at.Start.Byte:at.End.Byte])
	written := strings.Index(text, image.V)
	if quote := strings.Trim(text, `"'`); quote != image.V || written < 0 {
		return nil
	}
	at.Start.Byte, at.Start.Column = at.Start.Byte+written, at.Start.Column+written
	at.End = at.Start
	at.End.Byte, at.End.Column = at.Start.Byte+len(image.V), at.Start.Column+len(image.V)
	return &diag.Fix{Range: at, Replacement: image.V[:strings.LastIndexByte(image.V, ':')]}
}

func (r *retagger) version(ctx context.Context, ref pin.Reference) versionOf {
	name := ref.String()
	v, asked := r.known[name]
	if !asked {
		v = r.ask(ctx, ref)
		r.known[name] = v
	}
	return v
}

// ask looks for the image that the lock has, else for the one that the moving
// tag stands for: another one would be an upgrade that nobody asked for.
func (r *retagger) ask(ctx context.Context, ref pin.Reference) versionOf {
	name := ref.String()
	failed := func(err error) versionOf { return versionOf{why: strings.TrimRight(err.Error(), ".") + "."} }
	locked, ok := r.lock.Bases[name]
	want := locked.Digest
	if !ok {
		now, err := r.world.registry.Resolve(ctx, name)
		if err != nil {
			return failed(err)
		}
		want = now.Digest
	}
	said, err := r.world.registry.Versions(ctx, name, want)
	if err != nil {
		return failed(err)
	}
	var likely []string
	for _, v := range said {
		likely = append(likely, rules.TagsOfVersion(ref.Tag, v)...)
	}
	left := mostHeads
	tag, err := r.among(ctx, ref, want, rules.VersionTags(ref.Tag, likely), &left)
	if tag == "" && err == nil {
		var all []string
		if all, err = r.world.registry.Tags(ctx, name, mostTags); err == nil {
			tag, err = r.among(ctx, ref, want, rules.VersionTags(ref.Tag, all), &left)
		}
	}
	switch {
	case err != nil:
		return failed(err)
	case tag != "":
		return versionOf{tag: tag}
	case ok:
		return versionOf{why: fmt.Sprintf("of %d that were tried, none is the image that %s has, %s. `specbuild lock --upgrade` takes what %q is now.", mostHeads-left, pin.FileName, want, ref.Tag)}
	}
	return versionOf{why: fmt.Sprintf("of %d that were tried, none is the image that %q is now, %s.", mostHeads-left, ref.Tag, want)}
}

// among is the first of some tags that stands for a digest. left is how many
// may still be asked for.
func (r *retagger) among(ctx context.Context, ref pin.Reference, digest string, tags []string, left *int) (string, error) {
	for len(tags) > 0 && *left > 0 {
		n := min(headsOnce, len(tags), *left)
		found := make([]string, n)
		g, ctx := errgroup.WithContext(ctx)
		for i, tag := range tags[:n] {
			g.Go(func() error {
				at := ref
				at.Tag = tag
				var err error
				found[i], err = r.world.registry.Head(ctx, at.String())
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return "", err
		}
		for i, d := range found {
			if d == digest {
				return tags[i], nil
			}
		}
		tags, *left = tags[n:], *left-n
	}
	return "", nil
}
