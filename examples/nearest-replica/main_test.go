package main

import (
	"strings"
	"testing"
)

func TestEveryClientHearsFromAServerThatIsThere(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatalf("%v after\n%s", err, &out)
	}
	before, after, ok := strings.Cut(out.String(), " leaves\n")
	gone := before[strings.LastIndexByte(before, '\n')+1:]
	if !ok || strings.Count(before, "sunny") != 5 || strings.Count(after, "sunny") != 5 || strings.Contains(after, "says "+gone) {
		t.Errorf("got\n%s", &out)
	}
}
