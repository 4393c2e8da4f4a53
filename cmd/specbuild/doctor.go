package main

import "github.com/spf13/cobra"

func (c *cli) doctor() *cobra.Command {
	return &cobra.Command{Use: "doctor"}
}
