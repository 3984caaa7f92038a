package witness_test

import (
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/witness"
)

func TestConfigErrorsNameTheField(t *testing.T) {
	envtest.ValidateNamesFields(t, witness.Config{}.WithDefaults())
}
