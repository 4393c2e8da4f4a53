// Package lsp is the language server: messages of an editor in, answers and
// diagnostics out, after the Language Server Protocol 3.17.
//
// What may be written where is spec.Grammar's, what is wrong spec.Load's, with
// the editor's unsaved text laid over the files, and what a name of a module or
// the workspace leads to (*spec.Spec).Symbols'. Only what no table holds is
// said here: what the language itself gives (target, each …), the forms of
// YAML, and a sentence for each function.
//
// What is being typed rarely parses. So places are found from the tokens or
// the indentation in front of the cursor (cursor.go), and names from outlines
// (outline.go) that pass over what they cannot read; never from a syntax tree.
//
// One goroutine owns all state and writes all messages; another reads, and at
// most one loads. The few types of the protocol that are used stand in
// protocol.go: the libraries that have all of them are larger than this server.
package lsp
