package schemas

import (
	"slices"

	"github.com/specbuild/specbuild/spec/grammar"
)

// attribute is what may be written for an attribute. One that is not required
// may be null, which is as if it were not written.
func attribute(a grammar.Attribute) *schema {
	s := value(a.Value)
	if !a.Required {
		s.orNull()
	}
	s.Description = phrase(a)
	switch {
	case a.Value.Type == grammar.Bool && (a.Default == "true" || a.Default == "false"):
		s.Default = a.Default == "true"
	case slices.Contains(a.Value.Words, a.Default):
		s.Default = a.Default
	}
	return s
}

// orNull takes null as well. What says no type takes it already.
func (s *schema) orNull() {
	if len(s.Type) > 0 {
		s.Type = append(s.Type, "null")
	}
	if len(s.AnyOf) > 0 {
		s.AnyOf = append(s.AnyOf, &schema{Type: []string{"null"}})
	}
}

// value is a value, or a string with an expression in it. Where a string is
// asked, numbers and booleans are taken if they print as they were written.
func value(v grammar.Value) *schema {
	switch v.Type {
	case grammar.Bool:
		return &schema{Type: []string{"boolean", "string"}, Pattern: expression}
	case grammar.Number:
		return &schema{Type: []string{"number", "string"}, Pattern: expression + `|^[0-9.]+$`}
	case grammar.Port:
		return &schema{Type: []string{"integer", "string"}, Pattern: expression + `|^[0-9]+(/[a-z]+)?$`}
	case grammar.List:
		return &schema{Type: []string{"array", "string"}, Items: value(*v.Elem), Pattern: expression}
	case grammar.OneOrList:
		s := value(*v.Elem)
		s.Type, s.Items = append(s.Type, "array"), value(*v.Elem)
		return s
	case grammar.Map:
		elem := value(*v.Elem)
		elem.orNull()
		return &schema{Type: []string{"object", "string"}, Additional: elem, Pattern: expression}
	case grammar.Reference:
		return &schema{Type: []string{"string"}, Pattern: expression + `|^[a-z][A-Za-z0-9_.\[\]" -]*$`}
	case grammar.TypeExpr, grammar.Keyword:
		return &schema{Type: []string{"string"}}
	case grammar.String:
		if len(v.Words) > 0 {
			return &schema{AnyOf: []*schema{{Enum: v.Words}, {Type: []string{"string"}, Pattern: expression}}}
		}
		return &schema{Type: []string{"string", "number", "boolean"}}
	}
	return &schema{}
}
