package rules

func secretRules() []Rule {
	return []Rule{
		{
			ID: "secret-typed", By: ByLanguage, Title: "A secret reaches a step by a mount, and nothing else",
			Why: "It is a reference, which no function turns into a string, so it cannot get into a variable, a label or a file of the image.",
		},
	}
}
