package main

import (
	"github.com/spf13/cobra"

	"github.com/specbuild/specbuild/schemas"
)

func (c *cli) schema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema [image|workspace]",
		Short: "Print the JSON Schema of specs in YAML",
		Long: `Print the JSON Schema (draft 2020-12) of image.yaml, or of specbuild.hcl in the
same form, as this version of specbuild reads them. Editors that know the schema
complete names and show mistakes while one types.`,
		Args:      checkArgs(cobra.MaximumNArgs(1)),
		ValidArgs: []string{"image", "workspace"},
		RunE: func(_ *cobra.Command, args []string) error {
			make := schemas.Image
			if len(args) == 1 && args[0] != "image" {
				if args[0] != "workspace" {
					return usagef("schema %s: it must be image or workspace", args[0])
				}
				make = schemas.Workspace
			}
			text, err := make()
			if err != nil {
				return err
			}
			_, err = c.stdout.Write(text)
			return err
		},
	}
}
