package tree_test

import (
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/tree"
)

func TestConfigErrorsNameTheField(t *testing.T) {
	envtest.ValidateNamesFields(t, tree.Config{Space: idspace.Hex, Self: idspace.ID{1}, Network: envtest.Network}, "Record", "Lease", "NoDoors")
}
