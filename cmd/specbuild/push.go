package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/specbuild/specbuild/engine/image"
)

func (c *cli) push() *cobra.Command {
	return &cobra.Command{
		Use:   "push oci:DIR[:NAME] TAG…",
		Short: "Push an image of an OCI layout to tags",
		Long: `Push an image that apply wrote with -o oci:DIR, as it is, to one or more tags:
for pipelines that build in one place and publish in another. Credentials are
those of Docker's configuration and its helpers.`,
		Example: "  specbuild push oci:web registry.example.com/shop/web:1.4.2",
		Args:    checkArgs(cobra.MinimumNArgs(2)),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.runPush(cmd.Context(), args[0], args[1:]) },
	}
}

func (c *cli) runPush(ctx context.Context, from string, tags []string) error {
	dir, ok := strings.CutPrefix(from, "oci:")
	if !ok {
		return usagef("%s: what is pushed is an OCI layout, oci:DIR or oci:DIR:NAME", from)
	}
	a, err := image.OpenLayout(dir)
	if err != nil {
		return err
	}
	r := image.NewRegistry("specbuild/" + versionString())
	for _, tag := range tags {
		there, err := r.Head(ctx, tag)
		if err != nil {
			return err
		}
		state := "up to date"
		if there != a.Digest {
			if err := r.Push(ctx, tag, a); err != nil {
				return err
			}
			state = "pushed"
		}
		fmt.Fprintf(c.stdout, "%s  %s  %s\n", tag, a.Digest, state)
	}
	return nil
}
