package rules

import "strings"

// Notice is a warning that is not about a spec's quality, but about what a
// command does with it. There is nothing to grade or to set aside.
type Notice struct {
	Code  string // of the diagnostic
	Title string // what is so, without a full stop
	Why   string // what follows, and what to do
}

// Notices is the table of warnings that are no rules, by code.
func Notices() []Notice {
	return []Notice{
		{
			Code: "fix-not-pinned", Title: "`validate --fix` pins nothing of what the lock lacks",
			Why: "A server does not answer, a value is not known, or --locked keeps the lock. The other mendings are done. Run `specbuild lock` when what is said is mended.",
		},
		{
			Code: "layout-in-part", Title: "A layout is pushed, and a policy asks for what only its spec would show",
			Why: "Rules over specs and plans are not judged of a layout. `specbuild apply --push` judges them.",
		},
		{
			Code: "locked-elsewhere", Title: "Packages could not be resolved for a machine that nobody named",
			Why: "The lock holds what amd64 and arm64 machines need, so that a laptop and CI agree; an archive that lacks one of them is no reason to stop. Say `build_platforms` in the workspace to decide it.",
		},
		{
			Code: "output-copied", Title: "An output of `apply`, or the cache, lies in a folder that a step copies",
			Why: "The next build would have it in itself: the image grows, and is never done. Choose another folder, or leave it out by `exclude` or .dockerignore.",
		},
		{
			Code: "publish-platforms-said", Title: "An image without `platforms` is pushed for the machine that pushes it",
			Why: "Pushed from another machine, the same tag would be of another platform. Say `platforms`.",
		},
		{
			Code: "workspace-member", Title: "A spec lies in the workspace, and no pattern of `members` matches it",
			Why: "`./...` passes over it. Add it to `members`.",
		},
	}
}

// Find gives the rule of an id, or those that could have been meant.
func Find(id string) (r Rule, ok bool, similar string) {
	var ids []string
	for _, r := range All() {
		if r.ID == id {
			return r, true, ""
		}
		ids = append(ids, r.ID)
	}
	for _, n := range Notices() {
		ids = append(ids, n.Code)
	}
	return Rule{}, false, didYouMean(id, ids)
}

// Matches reports whether a rule is meant by a word: one of its id or title,
// or what another tool calls it.
func (r Rule) Matches(word string) bool {
	word = strings.ToLower(word)
	for _, text := range append([]string{r.ID, r.Title, string(r.By)}, r.Sources...) {
		if strings.Contains(strings.ToLower(text), word) {
			return true
		}
	}
	return false
}

// Keeps is who keeps the rule, as a column of a table says it.
func (k Keeper) Keeps() string {
	switch k {
	case ByJudge:
		return "judged"
	case ByImage:
		return "judged in the image"
	case ByPolicy:
		return "a policy"
	}
	return "the " + string(k)
}

// Finding is what follows where the rule is broken, in words.
func (r Rule) Finding() string {
	switch {
	case r.NeedsPolicy():
		return "off; " + r.Severity.String() + " by a policy"
	case r.Release != r.Severity:
		return r.Severity.String() + "; with --locked " + r.Release.String()
	}
	return r.Severity.String()
}

// NeedsPolicy reports whether the rule is off until a policy grades it, or
// gives it what to judge by.
func (r Rule) NeedsPolicy() bool {
	for _, p := range r.Params {
		if p.Needed {
			return true
		}
	}
	return r.Off
}
