package links_test

import (
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/links"
)

func TestConfigErrorsNameTheField(t *testing.T) {
	envtest.ValidateNamesFields(t, links.Config{}.WithDefaults())
}
