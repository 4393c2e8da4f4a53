package main

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Who asks for help sees how a command is called, but where there is nothing
// to say beside its name.
func TestCommandsHaveAnExample(t *testing.T) {
	t.Parallel()
	plain := []string{"completion", "help", "lsp", "version", "doctor", "du"}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
		if cmd.HasSubCommands() && cmd.Name() != "import" && cmd.Name() != "lock" && cmd.Name() != "rules" || slices.Contains(plain, cmd.Name()) {
			return
		}
		if !strings.HasPrefix(cmd.Example, "  "+cmd.CommandPath()) {
			t.Errorf("%s has the example %q", cmd.CommandPath(), cmd.Example)
		}
	}
	walk((&cli{stdout: io.Discard, stderr: io.Discard}).root())
}
