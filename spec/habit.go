package spec

import (
	"maps"
	"slices"
)

// Habit is a name that another tool has taught people and that means nothing
// here, with a sentence that says what to write instead.
type Habit struct{ Name, Answer string }

// Habits are all that unknown names are answered with, sorted by name.
func Habits() []Habit {
	out := make([]Habit, 0, len(habits))
	for _, name := range slices.Sorted(maps.Keys(habits)) {
		out = append(out, Habit{name, habits[name]})
	}
	return out
}
