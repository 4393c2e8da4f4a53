// Package eval gives expressions their worth: the functions of the language,
// references as values, what an expression mentions, the order that follows
// from it, and the forms of text (durations, sizes, modes, platforms) that
// attributes ask for.
//
// It is pure. The one thing that touches the world is [Files], through which
// file() and its like read, and which keeps what was read as inputs.
package eval
