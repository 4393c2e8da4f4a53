package bake

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/dockerfile"
	"github.com/specbuild/specbuild/spec/format"
)

// otherNotes says how specbuild does what a target says and no spec does.
func (im *importer) otherNotes(p *piece) {
	t := p.first()
	if t.module == nil {
		return
	}
	im.formNote(p)
	for _, o := range outputsOf(t) {
		im.outputNote(t, o)
	}
	im.fixedNotes(p)
	for _, name := range slices.Sorted(keysOf(unsaid())) {
		text := unsaid()[name]
		if f, ok := t.one[name]; ok {
			im.note(f.at, dockerfile.Dropped, "%s: %s", name, text)
		}
		for _, f := range t.lists[name] {
			im.note(f.at, dockerfile.Dropped, "%s: %s", name, text)
		}
		for _, f := range t.maps[name] {
			im.note(f.at, dockerfile.Dropped, "%s: %s", name, text)
		}
	}
	if f, ok := t.one["network"]; ok {
		switch now, _ := text(f.val); now {
		case "none":
			im.note(f.at, dockerfile.Changed, "network: steps have none unless they say so; take network = \"outbound\" away from those that do.")
		case "host":
			im.note(f.at, dockerfile.Changed, "network: a step that needs the machine's own network says network = \"host\", and apply needs --allow network.host.")
		}
	}
	for _, f := range t.lists["ssh"] {
		if s, _ := text(f.val); s != "" && s != "default" {
			im.note(f.at, dockerfile.Changed, "ssh %s: the running SSH agent is what mount \"ssh\" gives; add the key to it.", s)
		}
	}
	for _, f := range t.lists["secret"] {
		id, _, _ := secretOf(f.val)
		if id != "" && !slices.ContainsFunc(t.module.chunks, func(c chunk) bool { return c.kind == "secret" && c.label == nameOf(path.Base(id), "-") }) {
			im.note(f.at, dockerfile.Dropped, "secret %s: no step of the Dockerfile mounts it.", id)
		}
	}
}

// formNote says what became of a target that is no image of its own name.
func (im *importer) formNote(p *piece) {
	t := p.first()
	switch {
	case t.stage && t.linked:
		im.note(t.block.at, dockerfile.Changed, "%s is stage.%s: only others are built on it.", t, t.label)
	case t.stage:
		im.note(t.block.at, dockerfile.Changed, "%s is stage.%s: it gives files, and no image.", t, t.label)
	case t.key != "" && t.key != t.name:
		im.note(t.block.at, dockerfile.Changed, "%s is %s here, and so on.", t, strings.Trim(im.address(t), "'"))
	}
}

// fixedNotes says what bake decides by variables and a spec cannot: where
// things are.
func (im *importer) fixedNotes(p *piece) {
	for _, name := range []string{"context", "dockerfile", "dockerfile-inline", "target"} {
		f, ok := p.first().one[name]
		if !ok {
			continue
		}
		for _, u := range im.values.uses(&f.expr, map[string]bool{}) {
			if ref, isVar := im.print.names[u.Name]; isVar && strings.HasPrefix(ref, "var.") {
				im.note(f.at, dockerfile.Changed, "%s: it is what it is with %s as it is now; a variable does not decide that here.", name, u.Name)
			}
		}
	}
}

// unsaid are attributes that are no business of a spec, and what is instead.
func unsaid() map[string]string {
	return map[string]string{
		"attest":          "what is pushed carries a bill of materials and its provenance; `--attest=false` leaves them out.",
		"cache-from":      "steps are cached by what they are made of, with nothing to say; a cache from elsewhere is the machine's setting.",
		"cache-to":        "steps are cached by what they are made of, with nothing to say; a cache elsewhere is the machine's setting.",
		"call":            "`specbuild validate` checks, `specbuild show` describes.",
		"entitlements":    "a step says network = \"host\", and apply needs --allow network.host; there is no insecure mode.",
		"extra-hosts":     "a step says `hosts`.",
		"no-cache":        "`specbuild apply --no-cache` runs every step.",
		"no-cache-filter": "`specbuild apply --no-cache` runs every step; a single one has no such switch.",
		"policy":          "policies of specbuild are files of their own, NAME.policy.hcl.",
		"pull":            "bases are pinned in the lock; `specbuild lock --upgrade` looks for newer ones.",
		"shm-size":        "a step says resources { shm = … }.",
		"ulimits":         "a step says `resources`; it has no ulimits.",
	}
}

func keysOf(m map[string]string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// outputNote says where an output is asked for.
func (im *importer) outputNote(t *target, o output) {
	dest := o.dest
	if dest == "" {
		dest = "DEST"
	}
	addr := im.address(t)
	switch o.kind {
	case "registry":
		im.note(o.at, dockerfile.Changed, "output: `specbuild apply --target %s --push` pushes to the tags.", addr)
	case "image":
		im.note(o.at, dockerfile.Changed, "output: `specbuild apply --target %s` builds it; --push pushes to the tags.", addr)
	case "docker":
		im.note(o.at, dockerfile.Changed, "output: `specbuild apply --target %s -o docker-tar:FILE`, then `docker load -i FILE`.", addr)
	case "oci":
		im.note(o.at, dockerfile.Changed, "output: `specbuild apply --target %s -o oci:%s`.", addr, dest)
	case "local", "tar":
		im.note(o.at, dockerfile.Changed, "output: `specbuild apply --target %s -o dir:%s`.", addr, dest)
	case "cacheonly":
		im.note(o.at, dockerfile.Changed, "output: `specbuild apply --target %s` runs its steps and writes nothing.", addr)
	default:
		im.note(o.at, dockerfile.Dropped, "output: what is written is said at the command line, -o or --push.")
	}
}

// address is how --target names what a target became.
func (im *importer) address(t *target) string {
	kind := "image."
	if t.stage {
		kind = "stage."
	}
	s := kind + t.label
	if t.key != "" {
		s += "[" + format.Quote(t.key) + "]"
	}
	if root := im.root(); len(im.order) > 1 && t.module != nil {
		dir := relative(root, t.module.dir)
		if dir == "." {
			dir = ""
		}
		s = "//" + dir + ":" + s
	}
	if strings.ContainsAny(s, `["`) {
		return "'" + s + "'"
	}
	return s
}

// besideNotes names the files that bake would read together with this one.
func (im *importer) besideNotes() {
	if !strings.HasPrefix(path.Base(im.name), "docker-bake.") {
		return
	}
	for _, name := range []string{"compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml", "docker-bake.json", "docker-bake.hcl", "docker-bake.override.json", "docker-bake.override.hcl"} {
		if _, err := fs.Stat(im.opts.Root, path.Join(im.opts.Dir, name)); err == nil && name != path.Base(im.name) {
			im.note(diag.Range{}, dockerfile.Dropped, "%s lies beside it, which bake reads as well where no file is named; this import does not.", name)
		}
	}
}

// groups says how what groups name is built.
func (im *importer) groups(all []*target) {
	images := map[*target]bool{}
	for _, t := range im.targets {
		if t.module != nil && !t.stage {
			images[t] = true
		}
	}
	for _, g := range im.file.groups {
		var words []string
		missing := len(images)
		for _, t := range im.members(g.name, all, nil) {
			if t.module == nil {
				continue
			}
			if images[t] {
				missing--
			}
			if w := "--target " + im.address(t); !slices.Contains(words, w) {
				words = append(words, w)
			}
		}
		what := "."
		if len(im.order) == 1 && im.order[0].dir != im.opts.Dir {
			what = relative(im.opts.Dir, im.order[0].dir)
		} else if len(im.order) > 1 {
			what = "./..."
		}
		switch {
		case len(words) == 0:
			im.note(g.at, dockerfile.Dropped, "group %q names nothing that was imported.", g.name)
		case missing == 0 && len(words) == len(images):
			if g.name != "default" || what != "." {
				im.note(g.at, dockerfile.Changed, "group %q is all images: `specbuild apply%s`.", g.name, strings.TrimSuffix(" "+what, " ."))
			}
		default:
			im.note(g.at, dockerfile.Changed, "group %q: `specbuild apply %s`.", g.name, strings.Join(words, " "))
		}
	}
}
