// Package dag is the intermediate representation between the planner and the
// engines: a closed, static, hash-consed graph of steps that a person can
// print and read.
//
// A [Node] is an operation and the nodes it takes from. Its [ID] covers
// meaning only: names, places in the spec and limits are [Meta]. Equal IDs
// are one node, and that is how stages are shared within an image and over a
// monorepo.
package dag
