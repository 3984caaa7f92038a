package archtest

// Rule is one house rule.
type Rule struct {
	Name  string
	check func(*Tree) []Finding
}

// Rules lists every rule that fails the build.
func Rules() []Rule {
	return []Rule{
		{"imports", imports},
		{"purity", purity},
		{"map-order", mapOrder},
		{"package-doc", packageDocs},
		{"exported-doc", exportedDocs},
		{"size", sizes},
		{"naming", naming},
		{"errors", errorTexts},
		{"tests", tests},
		{"fuzz", fuzzed},
		{"unfinished", unfinished},
		{"citations", citations},
		{"go.mod", goMod},
	}
}

// Check runs the rule over t.
func (r Rule) Check(t *Tree) []Finding {
	found := r.check(t)
	for i := range found {
		found[i].Rule = r.Name
	}
	return sorted(found)
}
