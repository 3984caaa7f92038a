// Package archtest holds the house rules that a machine can check, as a test:
// which room may import which, what the sans-I/O core must not touch, how long a
// function may grow, that every folder says what it is and every citation leads
// somewhere (design §4, CONTRIBUTING.md).
//
// Every Rule looks at one Tree and returns Findings. TestModule runs all of them
// over this module; TestRulesBite runs each over the small module of a story in
// testdata/ that breaks it, so that the checks themselves are proven to bite.
//
// Two kinds of comment lift a rule for the line they stand on, or the line below
// them, and each must give its reason:
//
//	// unordered: why the order of this map cannot be seen
//	// bubble: why this sleep passes on virtual time
//
// No layer: nobody imports it.
package archtest
