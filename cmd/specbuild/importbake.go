package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/specbuild/specbuild/spec/bake"
	"github.com/specbuild/specbuild/spec/diag"
)

// importBakeCmd is `import bake`.
func (c *cli) importBakeCmd() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "bake FILE",
		Short: "Write specs from a bake file",
		Long: `Write specs from a bake file of docker buildx, in HCL or JSON.

An image.hcl is written into the folder of each target's context, and, where
that makes several, a specbuild.hcl with what they share above them. Contexts
are relative to the bake file's folder. Nothing is written if one of the files
is there already.

What a spec cannot say, or not for sure, is marked in it by a comment that
begins with TODO(import), and listed with the lines of the bake file and of the
Dockerfiles.`,
		Example: "  specbuild import bake docker-bake.hcl",
		Args:    checkArgs(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			return c.importBake(args[0], &f)
		},
	}
	f.add(cmd)
	cmd.Flags().Lookup("output").Usage = "the spec's file if it is only one, or - for standard output"
	return cmd
}

func (c *cli) importBake(file string, f *importFlags) error {
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		file = filepath.Join(file, "docker-bake.hcl")
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the bake file: %w", err)
	}
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return fmt.Errorf("find the bake file's folder: %w", err)
	}
	root, workspace := importRoot(dir)
	below, err := filepath.Rel(root, dir)
	if err != nil {
		return fmt.Errorf("find the bake file's folder: %w", err)
	}
	result, ds := bake.Import(filepath.ToSlash(file), data, bake.Options{
		Root: os.DirFS(root), Dir: filepath.ToSlash(below), Workspace: workspace, Today: time.Now(),
	})
	if ds.HasErrors() {
		if err := diag.WriteText(c.stderr, ds, result.Sources, c.textOptions()); err != nil {
			return err
		}
		return errSpec
	}
	return c.writeBaked(root, result, f)
}

// importRoot is the folder that a bake file's contexts may lie in: the
// workspace's, else that of the outermost work tree, else its own.
func importRoot(dir string) (root string, workspace bool) {
	tree, marked := "", ""
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Lstat(filepath.Join(d, ".git")); err == nil {
			tree = d
		}
		if _, err := os.Lstat(filepath.Join(d, "specbuild.hcl")); err == nil {
			marked = d
		}
		if d == filepath.Dir(d) {
			break
		}
	}
	switch {
	case marked != "" && (tree == "" || strings.HasPrefix(marked+string(filepath.Separator), tree+string(filepath.Separator))):
		return marked, true
	case tree != "":
		return tree, false
	}
	return dir, false
}

// writeBaked writes all files or none.
func (c *cli) writeBaked(root string, result bake.Result, f *importFlags) error {
	names := make([]string, len(result.Files))
	for i, x := range result.Files {
		names[i] = fromHere(filepath.Join(root, filepath.FromSlash(x.Path)))
	}
	switch {
	case len(names) == 0:
		// Only its notes are told.
	case f.output == "-":
		for i, x := range result.Files {
			if len(names) > 1 {
				fmt.Fprintf(c.stdout, "# %s\n", filepath.ToSlash(names[i]))
			}
			if _, err := c.stdout.Write(x.HCL); err != nil {
				return fmt.Errorf("write the spec: %w", err)
			}
		}
	case f.output != "" && len(names) != 1:
		return usagef("%d files come of this, one a folder: %s. Leave -o out, or print them with -o -", len(names), filepath.ToSlash(strings.Join(names, ", ")))
	case f.output != "":
		names = []string{f.output}
		fallthrough
	default:
		if err := writeAllNew(names, result.Files, f.force); err != nil {
			return err
		}
	}
	notes := make([]string, len(result.Notes))
	for i, n := range result.Notes {
		notes[i] = n.String()
		fmt.Fprintln(c.stderr, notes[i])
	}
	switch {
	case len(names) == 0:
		fmt.Fprintln(c.stdout, "nothing written: no target of the file builds anything")
	case f.output != "-":
		fmt.Fprintf(c.stdout, "%s written%s\n", filepath.ToSlash(strings.Join(names, ", ")), toDo(notes))
	}
	return nil
}

// writeAllNew writes files none of which is there yet: it looks before it
// writes the first.
func writeAllNew(names []string, files []bake.File, force bool) error {
	there := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		_, err := os.Lstat(name)
		return errors.Is(err, fs.ErrNotExist)
	})
	if len(there) > 0 && !force {
		verb := "is"
		if len(there) > 1 {
			verb = "are"
		}
		return usagef("%s %s there already, so nothing is written; look at it with -o -, or overwrite with --force", filepath.ToSlash(strings.Join(there, ", ")), verb)
	}
	for i, name := range names {
		if err := writeNew(name, files[i].HCL, force); err != nil {
			return err
		}
	}
	return nil
}

// fromHere is a path from the folder that the command runs in, where that is
// shorter.
func fromHere(full string) string {
	here, err := os.Getwd()
	if err != nil {
		return full
	}
	rel, err := filepath.Rel(here, full)
	if err != nil || len(rel) > len(full) {
		return full
	}
	return rel
}
