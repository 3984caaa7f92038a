package messages_test

import (
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/messages"
)

func TestConfigErrorsNameTheField(t *testing.T) {
	envtest.ValidateNamesFields(t, messages.Config{Space: idspace.Hex, Self: idspace.ID{1}, Network: envtest.Network}, "Forward")
}
