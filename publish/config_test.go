package publish_test

import (
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/publish"
)

func TestConfigErrorsNameTheField(t *testing.T) {
	envtest.ValidateNamesFields(t, publish.Config{
		Space: idspace.Hex, Self: idspace.ID{1}, Network: envtest.Network,
	}, "Generation", "Record", "Kept")
}
