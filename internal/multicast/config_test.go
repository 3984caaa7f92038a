package multicast_test

import (
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/multicast"
)

func TestConfigErrorsNameTheField(t *testing.T) {
	envtest.ValidateNamesFields(t, multicast.Config{Self: idspace.ID{1}, Network: envtest.Network}.WithDefaults())
}
