package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rivo/uniseg"
	"github.com/spf13/cobra"

	"github.com/specbuild/specbuild/spec"
	"github.com/specbuild/specbuild/spec/diag"
)

// listFlags are those of list.
type listFlags struct{ stages, variables, json bool }

func (c *cli) list() *cobra.Command {
	var f specFlags
	var l listFlags
	cmd := &cobra.Command{
		Use:   "list [SPEC…]",
		Short: "List images with what they are",
		Long: `List the images that arguments mean, with the comment above each, platforms and
tags; list ./... those of the whole workspace. --stages lists stages as well, and
--variables what can be set.`,
		Example: "  specbuild list ./...\n  specbuild list --variables",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.runList(cmd.Context(), args, &f, l)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&l.stages, "stages", false, "list stages too")
	cmd.Flags().BoolVar(&l.variables, "variables", false, "list variables instead")
	cmd.Flags().BoolVar(&l.json, "json", false, "print JSON")
	return cmd
}

// listed is an image or a stage as list prints it.
type listed struct {
	Address     string   `json:"address"`
	Kind        string   `json:"kind"`
	Description string   `json:"description,omitempty"`
	Platforms   []string `json:"platforms,omitempty"` // of an image; what is not known is left out
	Tags        []string `json:"tags,omitempty"`
	Range       string   `json:"range"`
}

// listedVariable is a variable as list prints it.
type listedVariable struct {
	Module      string `json:"module"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Type        string `json:"type,omitempty"`    // as it is written
	Default     string `json:"default,omitempty"` // as it is written
	Required    bool   `json:"required"`
	Range       string `json:"range"`
}

func (c *cli) runList(ctx context.Context, args []string, f *specFlags, l listFlags) error {
	sp, ds, err := c.load(ctx, args, f, true)
	if err != nil {
		return err
	}
	if err := c.report(ds, sp); err != nil {
		return err
	}
	if l.variables {
		return c.printVariables(sp, l.json)
	}
	items := []listed{}
	for _, d := range sp.Images {
		if wanted(sp, d.Addr) {
			items = append(items, listImage(sp, d))
		}
	}
	if l.stages {
		for _, d := range sp.Stages {
			items = append(items, listed{
				Address: label(d.Addr.String()), Kind: "stage", Description: comment(sp, d.Range), Range: d.Range.String(),
			})
		}
	}
	if l.json {
		return c.printJSON(items)
	}
	var rows [][]string
	for _, i := range items {
		rows = append(rows, []string{i.Address, strings.Join(i.Platforms, " "), firstSentence(i.Description)})
		for _, t := range i.Tags {
			rows = append(rows, []string{"  " + t})
		}
	}
	c.printTable(rows)
	return nil
}

// printTable prints rows in columns. A row of one cell runs over all of them,
// and no line ends in blanks.
func (c *cli) printTable(rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if len(widths) == i {
				widths = append(widths, 0)
			}
			if len(row) > 1 {
				widths[i] = max(widths[i], uniseg.StringWidth(cell))
			}
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell + strings.Repeat(" ", max(widths[i]-uniseg.StringWidth(cell), 0)+2))
		}
		fmt.Fprintln(c.stdout, strings.TrimRight(line.String(), " "))
	}
}

// wanted reports whether the arguments mean an image.
func wanted(sp *spec.Spec, addr spec.Addr) bool {
	for _, a := range sp.Selected {
		if a == addr {
			return true
		}
	}
	return false
}

func listImage(sp *spec.Spec, d *spec.ImageDecl) listed {
	out := listed{Address: label(d.Addr.String()), Kind: "image", Description: comment(sp, d.Range), Tags: d.Tags.V, Range: d.Range.String()}
	for _, p := range d.Platforms.V {
		out.Platforms = append(out.Platforms, p.String())
	}
	if !d.Platforms.Set {
		out.Platforms = []string{sp.Build.String()}
	}
	return out
}

func (c *cli) printVariables(sp *spec.Spec, asJSON bool) error {
	vars := sp.Variables()
	items := make([]listedVariable, len(vars))
	for i, v := range vars {
		items[i] = listedVariable{
			Module: v.Module, Name: v.Name, Description: v.Description, Type: v.Type,
			Default: v.Default, Required: v.Required, Range: v.Range.String(),
		}
	}
	if asJSON {
		return c.printJSON(items)
	}
	var rows [][]string
	for _, v := range items {
		def := "= " + shortened(v.Default)
		if v.Required {
			def = "(must be set)"
		}
		rows = append(rows, []string{v.Module, v.Name, shortened(v.Type), def, firstSentence(v.Description)})
	}
	c.printTable(rows)
	return nil
}

// printJSON prints what programs read; a list that is empty is [].
func (c *cli) printJSON(items any) error {
	enc := json.NewEncoder(c.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(items)
}

// shortened keeps a line of a table readable.
func shortened(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// firstSentence is what fits into a table.
func firstSentence(s string) string {
	if i := strings.Index(s, ". "); i >= 0 {
		return s[:i+1]
	}
	return s
}

// comment is the text of the comment lines right above a block, in one line.
// A comment that a blank line parts from the block is about something else.
func comment(sp *spec.Spec, at diag.Range) string {
	lines := strings.Split(string(sp.Files[at.File]), "\n")
	var words []string
	for i := at.Start.Line - 2; i >= 0 && i < len(lines); i-- {
		text, ok := commentText(lines[i])
		if !ok {
			break
		}
		words = append(strings.Fields(text), words...)
	}
	return strings.Join(words, " ")
}

// commentText is what a line says that is a comment from its beginning, and
// nothing for one that only draws.
func commentText(line string) (string, bool) {
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "//") {
		return "", false
	}
	text := strings.TrimSpace(strings.TrimLeft(line, "#/"))
	if strings.Trim(text, "-=*# ") == "" {
		text = ""
	}
	return text, true
}
