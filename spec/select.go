package spec

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/specbuild/specbuild/spec/diag"
)

// request is one argument: what of the workspace is to be built.
type request struct {
	text    string
	dir     string   // absolute: the folder, or where a pattern starts
	file    string   // as diagnostics show it; empty for a whole folder
	pattern bool     // the folders are found, not named
	glob    string   // of folders, from the workspace's root; empty is dir and all below
	address string   // pattern of addresses within the folders; empty is every image
	folders []string // below the root, once they are known
}

// sortArguments makes requests of the arguments and of the targets that name
// a folder.
func (ld *loader) sortArguments() {
	args := ld.opts.Args
	for _, t := range ld.opts.Targets {
		if strings.HasPrefix(t, "//") {
			ld.addressRequest(t)
		}
	}
	if len(args) == 0 && len(ld.requests) == 0 {
		args = []string{"."}
	}
	for _, arg := range args {
		ld.argument(arg)
	}
}

// argument sorts one argument of the command.
func (ld *loader) argument(arg string) {
	shown := filepath.ToSlash(arg)
	if strings.HasPrefix(shown, "//") {
		ld.addressRequest(shown)
		return
	}
	full := inDir(ld.opts.Dir, arg)
	at := diag.Range{File: shown}
	if base, ok := strings.CutSuffix(shown, "..."); ok && (base == "" || strings.HasSuffix(base, "/")) {
		dir := inDir(ld.opts.Dir, filepath.FromSlash(base))
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			ld.diags.Errorf(at, "Spec not found", "There is no folder %q.", strings.TrimSuffix(base, "/"))
			return
		}
		ld.requests = append(ld.requests, request{text: shown, dir: dir, pattern: true})
		return
	}
	info, err := os.Stat(full)
	switch {
	case err != nil && strings.Contains(shown, ":"):
		folder, address, _ := strings.Cut(shown, ":")
		ld.folderAddress(arg, folder, address)
	case err != nil:
		ld.diags.Errorf(at, "Spec not found", "There is no file or folder %q: %s.", shown, reason(err))
	case info.IsDir():
		ld.requests = append(ld.requests, request{text: shown, dir: full})
	case isSpec(filepath.Base(full)) || isYAML(filepath.Base(full)):
		ld.requests = append(ld.requests, request{text: shown, dir: filepath.Dir(full), file: ld.shown(full)})
	default:
		ld.diags.Errorf(at, "Not a spec", "A spec is called image.hcl or NAME.image.hcl, or in YAML image.yaml or NAME.image.yaml; %q is not. Name such a file, or its folder.", shown)
	}
}

// folderAddress is services/web:image.web, for those who name a folder as the
// shell completes it.
func (ld *loader) folderAddress(arg, folder, address string) {
	dir := inDir(ld.opts.Dir, folder)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		ld.diags.Errorf(diag.Range{File: arg}, "Spec not found", "There is no folder %q.", folder)
		return
	}
	ld.requests = append(ld.requests, request{text: arg, dir: dir, address: address})
}

// addressRequest is //services/*:image.web: a pattern of folders from the
// workspace's root, and one of addresses in them.
func (ld *loader) addressRequest(text string) {
	folder, address, _ := strings.Cut(strings.TrimPrefix(text, "//"), ":")
	r := request{text: text, dir: inDir(ld.opts.Dir, "."), glob: path.Clean("./" + folder), address: address}
	if base, ok := strings.CutSuffix(folder, "..."); ok {
		r.glob = path.Join("./"+base, "**")
	}
	if !doublestar.ValidatePattern(r.glob) || r.glob == ".." || strings.HasPrefix(r.glob, "../") {
		ld.diags.Errorf(diag.Range{File: text}, "Invalid address", "%q is no pattern of folders from the workspace's root; write it like //services/*:image.web.", text)
		return
	}
	r.pattern = strings.ContainsAny(r.glob, "*?[{")
	ld.requests = append(ld.requests, r)
}

// foldersOf are the folders that a request means, below the root.
func (ld *loader) foldersOf(r *request) []string {
	rel, err := filepath.Rel(ld.spec.Root, r.dir)
	if err != nil {
		return nil
	}
	rel = filepath.ToSlash(rel)
	at := diag.Range{File: r.text}
	switch {
	case r.glob != "" && !r.pattern:
		if err := checkFolder(ld.spec.Root, r.glob, "//"+r.glob); err != nil {
			ld.diags.Errorf(at, "Spec not found", "%s.", sentence(err.Error()))
			return nil
		}
		ld.checkMember(r, r.glob)
		return []string{r.glob}
	case !r.pattern:
		ld.checkMember(r, rel)
		return []string{rel}
	}
	var out []string
	for _, dir := range ld.specFolders() {
		below := rel == "." || dir == rel || strings.HasPrefix(dir, rel+"/")
		if r.glob != "" {
			below, _ = doublestar.Match(r.glob, dir)
			below = below || r.glob == "**"
		}
		if below {
			out = append(out, dir)
		}
	}
	if len(out) == 0 {
		ld.diags.Errorf(at, "Spec not found", "No folder that %s means holds a spec%s.", r.text, ld.ofMembers())
	}
	ld.spec.Whole = ld.spec.Whole || r.address == "" && (r.glob == "**" || r.glob == "" && rel == ".")
	return out
}

func (ld *loader) ofMembers() string {
	if len(ld.members) == 0 {
		return ""
	}
	return " and is one of the workspace's members, " + list(ld.members, "and")
}

// specFolders are the folders of the workspace that hold a spec: those that
// members says, or all but hidden ones.
func (ld *loader) specFolders() []string {
	var out []string
	walk := func(start string) {
		_ = fs.WalkDir(os.DirFS(ld.spec.Root), start, func(p string, e fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return nil // what cannot be read holds nothing that can be built
			case e.IsDir() && p != start && (strings.HasPrefix(e.Name(), ".") || e.Name() == "node_modules"):
				return fs.SkipDir
			case !e.IsDir() && (isSpec(e.Name()) || isYAML(e.Name())):
				if dir := path.Dir(p); len(out) == 0 || out[len(out)-1] != dir {
					out = append(out, dir)
				}
			}
			return nil
		})
	}
	if len(ld.members) == 0 {
		walk(".")
		slices.Sort(out)
		return slices.Compact(out)
	}
	root := os.DirFS(ld.spec.Root)
	for _, pattern := range ld.members {
		dirs, _ := doublestar.Glob(root, pattern) // the pattern was judged when it was read
		for _, dir := range dirs {
			entries, err := fs.ReadDir(root, dir)
			if err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return isSpec(e.Name()) || isYAML(e.Name()) }) {
				out = append(out, dir)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// checkMember warns of a folder that `./...` would pass over, and CI with it.
func (ld *loader) checkMember(r *request, rel string) {
	if f := ld.folder(ld.spec.Root, "", rel); f == nil || len(f.files) == 0 {
		return // which is what is wrong, and said
	}
	if len(ld.members) == 0 || slices.ContainsFunc(ld.members, func(pattern string) bool {
		ok, _ := doublestar.Match(pattern, rel)
		return ok
	}) {
		return
	}
	ld.diags.Warnf("workspace-member", diag.Range{File: r.text}, "Not a member", "//%s is matched by none of the workspace's members, %s: `./...` passes over it. Add it there.", rel, list(ld.members, "and"))
}

// selectAll finds what the requests mean. What two of them mean is built once.
func (ld *loader) selectAll() {
	picked := map[Addr]bool{}
	pick := func(a Addr) {
		if !picked[a] {
			picked[a] = true
			ld.spec.Selected = append(ld.spec.Selected, a)
		}
	}
	var local []string
	for _, t := range ld.opts.Targets {
		if !strings.HasPrefix(t, "//") {
			local = append(local, t)
		}
	}
	matched := map[string]bool{}
	for _, r := range ld.requests {
		for _, rel := range r.folders {
			e := ld.shared.modules[(&folder{dir: rel}).address()]
			switch {
			case e == nil: // a template, which others call
			case r.address != "":
				matched[r.text] = ld.pickAddress(e, r.address, pick) || matched[r.text]
			case len(local) > 0:
				for _, t := range local {
					matched[t] = ld.pickAddress(e, t, pick) || matched[t]
				}
			default:
				ld.pickImages(e, r.file, pick)
			}
		}
		if r.address != "" && !matched[r.text] {
			ld.noAddress(r.text, r.address)
		}
	}
	for _, t := range local {
		if !matched[t] {
			ld.noAddress(t, t)
		}
	}
}

// pickImages takes the images of a folder or one of its files, and those that
// its calls list as targets.
func (ld *loader) pickImages(e *evaluated, file string, pick func(Addr)) {
	for _, img := range ld.spec.Images {
		if img.Addr.Module == e.mod.addr && (file == "" || img.Range.File == file) {
			pick(img.Addr)
		}
	}
	for _, name := range e.mod.callNames() {
		c := e.mod.children[name]
		if c == nil || file != "" && e.mod.calls[name].header.File != file {
			continue
		}
		for _, child := range c.sorted() {
			ld.pickTargets(child, c.target, pick)
		}
	}
}

// pickTargets takes the images that a call lists, and those that the module's
// own calls do: a template that wraps another brings its images along.
func (ld *loader) pickTargets(e *evaluated, names []string, pick func(Addr)) {
	for _, img := range ld.spec.Images {
		if img.Addr.Module == e.mod.addr && slices.Contains(names, img.Addr.Name) {
			pick(img.Addr)
		}
	}
	for _, name := range e.mod.callNames() {
		if c := e.mod.children[name]; c != nil {
			for _, child := range c.sorted() {
				ld.pickTargets(child, c.target, pick)
			}
		}
	}
}

func (c *children) sorted() []*evaluated {
	out := make([]*evaluated, 0, len(c.byKey))
	for _, e := range c.byKey {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b *evaluated) int { return a.number - b.number })
	return out
}

// pickAddress takes the images and stages of a module, and of those that it
// calls, whose address within it matches.
func (ld *loader) pickAddress(e *evaluated, pattern string, pick func(Addr)) bool {
	found := false
	for addr := range ld.buildable() {
		local, ok := strings.CutPrefix(addr.String(), e.mod.addr+":")
		if ok && matchesAddress(pattern, local) {
			found = true
			pick(addr)
		}
	}
	return found
}

// buildable goes over all that has a body.
func (ld *loader) buildable() func(func(Addr) bool) {
	return func(yield func(Addr) bool) {
		for _, img := range ld.spec.Images {
			if !yield(img.Addr) {
				return
			}
		}
		for _, st := range ld.spec.Stages {
			if !yield(st.Addr) {
				return
			}
		}
	}
}

// matchesAddress compares an address with a pattern in which * stands for any
// text. One without a key means all keys.
func matchesAddress(pattern, addr string) bool {
	parts := strings.Split(pattern, "*")
	for i, part := range parts {
		parts[i] = regexp.QuoteMeta(part)
	}
	re, err := regexp.Compile(`^` + strings.Join(parts, ".*") + `(\[.*\])?$`)
	return err == nil && re.MatchString(addr)
}

// noAddress reports a pattern that means nothing, but not where a mistake may
// have taken away what it means.
func (ld *loader) noAddress(text, pattern string) {
	if ld.diags.HasErrors() {
		return
	}
	var names []string
	for addr := range ld.buildable() {
		names = append(names, addr.Local())
	}
	ld.diags.Errorf(diag.Range{File: text}, "Unknown address", "Nothing that can be built matches %s%s.", pattern, didYouMean(pattern, names))
}
