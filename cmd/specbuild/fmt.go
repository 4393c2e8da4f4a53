package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/format"
)

// fmtFlags are those of fmt.
type fmtFlags struct{ check, diff bool }

func (c *cli) fmt() *cobra.Command {
	var f fmtFlags
	cmd := &cobra.Command{
		Use:   "fmt [PATH…]",
		Short: "Write specs in the one style",
		Long: `Write specs in the one style, and print the names of those that changed.

A folder means the specs, specbuild.hcl and policies in it, folder/... those of all
folders below, a file itself; nothing means this folder, and - standard input.
What a spec means never changes, comments and blank lines stay. A file that
does not parse is left alone.

With --check or --diff nothing is written; the exit code of --check is 1 if a
file is not in the style. A file that does not parse makes it 3.`,
		Example: "  specbuild fmt ./...\n  specbuild fmt --check ./...",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.runFmt(cmd.Context(), cmd.InOrStdin(), args, f)
		},
	}
	cmd.Flags().BoolVar(&f.check, "check", false, "write nothing; exit with 1 if a file would change")
	cmd.Flags().BoolVar(&f.diff, "diff", false, "write nothing; print what would change")
	return cmd
}

func (c *cli) runFmt(ctx context.Context, stdin io.Reader, args []string, f fmtFlags) error {
	if slices.Contains(args, "-") {
		if len(args) > 1 {
			return usagef("fmt -: standard input is formatted alone")
		}
		return c.fmtStdin(stdin, f)
	}
	if len(args) == 0 {
		args = []string{"."}
	}
	var all diag.List
	sources := map[string][]byte{}
	changed := false
	for _, arg := range args {
		files, err := specFiles(arg)
		if err != nil {
			return err
		}
		for _, file := range files {
			if err := ctx.Err(); err != nil {
				return err
			}
			did, problems, err := c.fmtFile(file, f, sources)
			if err != nil {
				return err
			}
			changed = changed || did
			all = append(all, problems...)
		}
	}
	if err := c.reportIn(all, sources); err != nil {
		return err
	}
	return f.outcome(changed)
}

// outcome is what --check ends with: all has been said by then.
func (f fmtFlags) outcome(changed bool) error {
	if f.check && changed {
		return exitCode(exitFailed)
	}
	return nil
}

// fmtFile formats one file. The bytes of one that does not parse are put into
// sources, to be shown.
func (c *cli) fmtFile(file string, f fmtFlags, sources map[string][]byte) (changed bool, _ diag.List, _ error) {
	src, err := os.ReadFile(file)
	if err != nil {
		return false, nil, err
	}
	name := filepath.ToSlash(file)
	out, problems := format.Format(name, src)
	if len(problems) > 0 {
		sources[name] = src
	}
	if bytes.Equal(src, out) {
		return false, problems, nil
	}
	switch {
	case f.diff:
		c.printDiff(name, src, out)
	default:
		fmt.Fprintln(c.stdout, name)
	}
	if f.check || f.diff {
		return true, problems, nil
	}
	return true, problems, rewrite(file, out)
}

// fmtStdin is what editors call: the text comes out as it went in where it
// does not parse, and the exit code says so.
func (c *cli) fmtStdin(stdin io.Reader, f fmtFlags) error {
	src, err := io.ReadAll(stdin)
	if err != nil {
		return fmt.Errorf("reading standard input: %w", err)
	}
	name := "stdin.hcl"
	if looksLikeYAML(src) {
		name = "stdin.yaml"
	}
	out, problems := format.Format(name, src)
	if err := c.reportIn(problems, map[string][]byte{name: src}); err != nil {
		return err
	}
	switch {
	case f.diff:
		c.printDiff(name, src, out)
	case !f.check:
		if _, err := c.stdout.Write(out); err != nil {
			return err
		}
	}
	return f.outcome(!bytes.Equal(src, out))
}

// looksLikeYAML tells the two syntaxes apart where there is no name: only in
// YAML does a line end in a colon or begin with "key: ".
func looksLikeYAML(src []byte) bool {
	for line := range strings.Lines(string(src)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "---"):
			return true
		default:
			word, rest, ok := strings.Cut(line, ":")
			return ok && !strings.ContainsAny(word, " \t=\"{") && (rest == "" || rest[0] == ' ')
		}
	}
	return false
}

func (c *cli) printDiff(name string, src, out []byte) {
	_, _ = c.stdout.Write(diff.Diff("a/"+name, src, "b/"+name, out))
}

// specFiles are the files that an argument of fmt means, in order.
func specFiles(arg string) ([]string, error) {
	if dir, ok := strings.CutSuffix(filepath.ToSlash(arg), "..."); ok && (dir == "" || strings.HasSuffix(dir, "/")) {
		return specFilesBelow(filepath.FromSlash(filepath.Clean("./" + dir)))
	}
	info, err := os.Stat(arg)
	if err != nil {
		return nil, usageError{fmt.Errorf("fmt %s: %w", arg, pathReason(err))}
	}
	if !info.IsDir() {
		switch filepath.Ext(arg) {
		case ".hcl", ".yaml", ".yml":
			return []string{arg}, nil
		}
		return nil, usagef("fmt %s: a spec ends in .hcl or .yaml", arg)
	}
	entries, err := os.ReadDir(arg)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if format.Knows(e.Name()) && e.Type().IsRegular() {
			out = append(out, filepath.Join(arg, e.Name()))
		}
	}
	return out, nil
}

// specFilesBelow passes over what the loader passes over: hidden folders and
// node_modules. Links are not followed, or a file would be formatted twice.
func specFilesBelow(dir string) ([]string, error) {
	var out []string
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && p != dir && (strings.HasPrefix(e.Name(), ".") || e.Name() == "node_modules"):
			return fs.SkipDir
		case e.Type().IsRegular() && format.Knows(e.Name()):
			out = append(out, p)
		}
		return nil
	})
	return out, err
}

// pathReason is an error of the file system without the path, which the
// message says already.
func pathReason(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// rewrite replaces a file whole or not at all, and keeps its mode. Where the
// name is a link, what it leads to is replaced.
func rewrite(file string, data []byte) error {
	real, err := filepath.EvalSymlinks(file)
	if err != nil {
		return err
	}
	info, err := os.Stat(real)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(real), ".specbuild-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	defer os.Remove(f.Name()) // nothing is there after the rename
	_, err = f.Write(data)
	if err := errors.Join(err, f.Chmod(info.Mode().Perm()), f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	return os.Rename(f.Name(), real)
}

// reportIn prints diagnostics with the texts they stand in, and is errSpec if
// one is an error.
func (c *cli) reportIn(ds diag.List, sources map[string][]byte) error {
	if len(ds) == 0 {
		return nil
	}
	if err := diag.WriteText(c.stderr, ds.Sorted(), sources, c.textOptions()); err != nil {
		return err
	}
	if ds.HasErrors() {
		return errSpec
	}
	return nil
}
