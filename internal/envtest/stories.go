package envtest

import (
	"testing"

	"github.com/cockroachdb/datadriven"
)

// Tell runs the text stories under dir. The command "new" begins one; every other one is run,
// and what it says is what it has put into its Env.
func Tell[S interface{ Drain() string }](t *testing.T, dir string,
	begin func(*testing.T, *datadriven.TestData) S, run func(S, *testing.T, *datadriven.TestData),
) {
	datadriven.Walk(t, dir, func(t *testing.T, path string) {
		var s S
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "new" {
				s = begin(t, d)
				return ""
			}
			run(s, t, d)
			return s.Drain()
		})
	})
}
