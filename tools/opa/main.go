// Command opa judges documents by policies in Rego, with OPA's own packages:
// the tests of examples/rego are its only users. It is a module of its own, so
// that OPA is no dependency of specbuild's.
//
//	opa test DIR         runs the tests among the policies of a folder
//	opa deny DIR FILE    prints what data.specbuild.deny says of a JSON file, a line each
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/tester"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "opa:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 2 && args[0] == "test":
		return test(ctx, args[1])
	case len(args) == 3 && args[0] == "deny":
		return deny(ctx, args[1], args[2])
	}
	return errors.New("it is `opa test DIR` or `opa deny DIR FILE`")
}

// test prints each test with what came of it.
func test(ctx context.Context, dir string) error {
	modules, store, err := tester.Load([]string{dir}, nil)
	if err != nil {
		return fmt.Errorf("reading %s: %w", dir, err)
	}
	results, err := tester.NewRunner().SetModules(modules).SetStore(store).SetTimeout(time.Minute).Run(ctx, modules)
	if err != nil {
		return fmt.Errorf("running the tests of %s: %w", dir, err)
	}
	failed := false
	for r := range results {
		fmt.Print(r)
		failed = failed || !r.Pass()
	}
	if failed {
		return errors.New("a test failed")
	}
	return nil
}

// deny prints the messages of a document, sorted.
func deny(ctx context.Context, dir, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var input any
	if err := json.Unmarshal(text, &input); err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	results, err := rego.New(
		rego.Query("data.specbuild.deny"), rego.Load([]string{dir}, nil), rego.Input(input), rego.StrictBuiltinErrors(true),
	).Eval(ctx)
	if err != nil {
		return err
	}
	if len(results) != 1 || len(results[0].Expressions) != 1 {
		return fmt.Errorf("%s has no data.specbuild.deny", dir)
	}
	messages, ok := results[0].Expressions[0].Value.([]any)
	if !ok {
		return fmt.Errorf("data.specbuild.deny is %T, no set", results[0].Expressions[0].Value)
	}
	var lines []string
	for _, m := range messages {
		lines = append(lines, fmt.Sprint(m))
	}
	slices.Sort(lines)
	for _, line := range lines {
		fmt.Println(line)
	}
	return nil
}
