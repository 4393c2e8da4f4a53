// Package lsp is the language server: messages of an editor in, answers and
// diagnostics out, after the Language Server Protocol 3.17.
//
// Nothing here knows a name of the language. What may be written where is
// spec.Grammar's, what names there are (*spec.Spec).Symbols', what is wrong
// spec.Load's, with the editor's unsaved text laid over the files. What is
// being typed rarely parses, so places are found from the lexer's tokens (or
// YAML's indentation) in front of the cursor, and never from a syntax tree.
//
// One goroutine owns all state and writes all messages; another reads, and at
// most one loads. The few types of the protocol that are used stand in
// protocol.go: the libraries that have all of them are larger than this server.
package lsp
