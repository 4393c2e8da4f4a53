package main

import (
	"github.com/spf13/cobra"

	"github.com/specbuild/specbuild/schemas"
)

func (c *cli) schema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema [image|workspace|plan]",
		Short: "Print the JSON Schema of specs in YAML, or of plans",
		Long: `Print the JSON Schema (draft 2020-12) of image.yaml, or of specbuild.hcl in the
same form, as this version of specbuild reads them. Editors that know the schema
complete names and show mistakes while one types. That of plan is of what
plan --json prints, for programs that read it (docs/plan.md).`,
		Example:   "  specbuild schema > image.schema.json",
		Args:      checkArgs(cobra.MaximumNArgs(1)),
		ValidArgs: []string{"image", "workspace", "plan"},
		RunE: func(_ *cobra.Command, args []string) error {
			which := "image"
			if len(args) == 1 {
				which = args[0]
			}
			var text []byte
			var err error
			switch which {
			case "image":
				text, err = schemas.Image()
			case "workspace":
				text, err = schemas.Workspace()
			case "plan":
				text = schemas.Plan()
			default:
				return usagef("schema %s: it must be image, workspace or plan", which)
			}
			if err != nil {
				return err
			}
			_, err = c.stdout.Write(text)
			return err
		},
	}
}
