package node

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestEveryLocalMessageIsTaken: whatever a machine, the face or the world may post has an arm.
func TestEveryLocalMessageIsTaken(t *testing.T) {
	read := func(name string) string {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	dispatch := read("dispatch.go")
	all := regexp.MustCompile(`(?m)^func \(\*(\w+)\) local\(\)`).FindAllStringSubmatch(read("../env/local.go"), -1)
	for _, m := range all {
		if n := strings.Count(dispatch, "case *env."+m[1]+":"); n != 1 {
			t.Errorf("%s has %d arms", m[1], n)
		}
	}
	if len(all) < 40 {
		t.Errorf("only %d local messages were found", len(all))
	}
}
