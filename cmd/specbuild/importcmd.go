package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/specbuild/specbuild/spec/diag"
	"github.com/specbuild/specbuild/spec/dockerfile"
)

// importFlags are what every kind of import has: where the spec goes.
type importFlags struct {
	output string
	force  bool
}

func (f *importFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.output, "output", "o", "", "the spec's file, or - for standard output (default image.hcl beside what is imported)")
	cmd.Flags().BoolVar(&f.force, "force", false, "overwrite the spec's file if it is there")
}

// importCmd is `import Dockerfile`; other formats are subcommands of it.
func (c *cli) importCmd() *cobra.Command {
	var f importFlags
	var target, folder string
	cmd := &cobra.Command{
		Use:   "import DOCKERFILE",
		Short: "Write a spec from a Dockerfile",
		Long: `Write a spec from a Dockerfile.

What a spec cannot say, or not for sure, is marked in it by a comment that
begins with TODO(import), and listed with the Dockerfile's lines.`,
		Example: "  specbuild import Dockerfile\n  specbuild import --target build -o - docker/Dockerfile",
		Args:    checkArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.importDockerfile(cmd.Context(), args[0], folder, target, &f)
		},
	}
	f.add(cmd)
	cmd.AddCommand(c.importBakeCmd())
	cmd.Flags().StringVar(&target, "target", "", "the stage that becomes the image (default: the last)")
	cmd.Flags().StringVar(&folder, "context", "", "the folder that docker build would be given (default: the Dockerfile's)")
	return cmd
}

func (c *cli) importDockerfile(ctx context.Context, file, folder, target string, f *importFlags) error {
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		file = filepath.Join(file, "Dockerfile")
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the Dockerfile: %w", err)
	}
	if folder == "" {
		folder = filepath.Dir(file)
	}
	opts := dockerfile.Options{Target: target, Context: os.DirFS(folder), Today: time.Now()}
	if abs, err := filepath.Abs(folder); err == nil {
		opts.Image = filepath.Base(abs)
	}
	shown := filepath.ToSlash(file)
	result, ds := dockerfile.Import(shown, data, opts)
	if ds.HasErrors() {
		if err := diag.WriteText(c.stderr, ds, map[string][]byte{shown: data}, c.textOptions()); err != nil {
			return err
		}
		return errSpec
	}
	notes := make([]string, len(result.Notes))
	for i, n := range result.Notes {
		notes[i] = shown + ":" + n.String()
		if n.Line == 0 {
			notes[i] = shown + ": " + n.String()
		}
	}
	if err := c.writeImported(filepath.Dir(file), result.HCL, notes, f); err != nil || f.output == "-" {
		return err
	}
	return c.sayRefused(ctx, cmp.Or(f.output, filepath.Join(filepath.Dir(file), "image.hcl")))
}

// sayRefused counts what validate refuses in an imported spec: what a
// Dockerfile may do and a spec may not, beyond what waivers are written for.
func (c *cli) sayRefused(ctx context.Context, file string) error {
	_, ds, err := c.findings(ctx, []string{file}, &specFlags{})
	if err != nil {
		return err
	}
	n, rules := 0, map[string]bool{}
	for _, d := range ds {
		if d.Severity == diag.Error {
			n++
			rules[cmp.Or(d.Code, strings.ToLower(d.Summary))] = true
		}
	}
	if n > 0 {
		fmt.Fprintf(c.stdout, "`specbuild validate` finds %s in it: %s\n", plural(n, "mistake"), strings.Join(slices.Sorted(maps.Keys(rules)), ", "))
	}
	return nil
}

// writeImported writes a spec that an import made, and prints its notes. A
// spec that is there is somebody's work: it is kept unless --force is said.
func (c *cli) writeImported(dir string, hcl []byte, notes []string, f *importFlags) error {
	output := f.output
	if output == "" {
		output = filepath.Join(dir, "image.hcl")
	}
	if output == "-" {
		if _, err := c.stdout.Write(hcl); err != nil {
			return fmt.Errorf("write the spec: %w", err)
		}
	} else if err := writeNew(output, hcl, f.force); err != nil {
		return err
	}
	for _, n := range notes {
		fmt.Fprintln(c.stderr, n)
	}
	if output != "-" {
		fmt.Fprintf(c.stdout, "%s written%s\n", filepath.ToSlash(output), toDo(notes))
	}
	return nil
}

func toDo(notes []string) string {
	n := 0
	for _, s := range notes {
		if strings.Contains(s, ": "+string(dockerfile.Todo)+": ") {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; %s left to do, see above", plural(n, "thing"))
}

// writeNew writes a file that is not there yet.
func writeNew(name string, data []byte, force bool) error {
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	w, err := os.OpenFile(name, flags, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return usagef("%s is there already; name another file with -o, or overwrite it with --force", filepath.ToSlash(name))
	}
	if err != nil {
		return fmt.Errorf("write the spec: %w", err)
	}
	_, err = w.Write(data)
	return errors.Join(err, w.Close())
}
