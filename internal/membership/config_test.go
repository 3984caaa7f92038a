package membership_test

import (
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/membership"
)

func TestConfigErrorsNameTheField(t *testing.T) {
	envtest.ValidateNamesFields(t, membership.Config{}.WithDefaults(), "Recovery")
}
