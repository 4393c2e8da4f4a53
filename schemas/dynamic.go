package schemas

import "github.com/specbuild/specbuild/spec/grammar"

const dynamicDoc = "Writes a block once for each element of for_each."

// dynamic adds the key `dynamic`: among the steps and in lists as an element,
// else as a key of the block.
func (g *generator) dynamic(s *schema, b *grammar.Block, parent string) {
	others := map[string]*schema{}
	steps := map[string]*schema{}
	for _, name := range blockNames(b) {
		all := supported(b, name)
		one := g.repeated(all, parent)
		switch {
		case all[0].Step:
			steps[name] = one
		case listed(all[0]):
			list := s.Properties[name+"s"]
			list.Items = &schema{AnyOf: []*schema{list.Items, g.oneKey(map[string]*schema{"dynamic": g.oneKey(map[string]*schema{name: one})})}}
			others[name] = one
		default:
			others[name] = one
		}
	}
	if len(steps) > 0 {
		d := g.oneKey(steps)
		d.Description = dynamicDoc
		g.steps(s).Items.Properties["dynamic"] = d
	}
	if len(others) > 0 {
		s.Properties["dynamic"] = &schema{
			Description: dynamicDoc, Type: []string{"object", "array", "null"}, Properties: others, Additional: false,
			Items: &schema{Type: []string{"object"}, Properties: others, Additional: false},
		}
	}
}

// repeated is what stands below dynamic and the name of a block.
func (g *generator) repeated(all []*grammar.Block, parent string) *schema {
	content := g.define(all[0], parent)
	if len(all) > 1 {
		content = &schema{}
		for _, b := range all {
			content.AnyOf = append(content.AnyOf, g.define(b, parent))
		}
	}
	s := &schema{
		Type: []string{"object"}, Additional: false, Required: []string{"for_each", "content"},
		Properties: map[string]*schema{
			"for_each": {Description: "A map, object or set; one block is written for each element."},
			"iterator": {Description: "What an element is called inside; default: the name of the block.", Type: []string{"string"}},
			"content":  content,
		},
	}
	if all[0].Label != grammar.LabelNone {
		s.Properties["labels"] = &schema{Description: "The labels of the block, a list.", Type: []string{"array", "string"}, Pattern: expression}
		s.Required = append(s.Required, "labels")
	}
	return s
}
