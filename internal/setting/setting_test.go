package setting_test

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/setting"
)

type config struct {
	count int
	span  time.Duration
}

func (c *config) settings() []setting.Setting {
	return []setting.Setting{setting.Of("Count", &c.count, 3), setting.Of("Span", &c.span, time.Second)}
}

// TestZeroBecomesTheDefault, and nothing else changes.
func TestZeroBecomesTheDefault(t *testing.T) {
	for given, want := range map[config]config{
		{}:                      {3, time.Second},
		{count: 5}:              {5, time.Second},
		{span: time.Minute}:     {3, time.Minute},
		{-1, -time.Millisecond}: {-1, -time.Millisecond},
	} {
		c := given
		if setting.Fill(c.settings()); c != want {
			t.Errorf("%+v becomes %+v, want %+v", given, c, want)
		}
	}
}

// TestTheFirstThatMakesNoSenseIsNamed with its value.
func TestTheFirstThatMakesNoSenseIsNamed(t *testing.T) {
	for c, want := range map[config]string{
		{1, 1}:                "",
		{0, -1}:               "room: Count is 0, must be positive",
		{-2, 1}:               "room: Count is -2, must be positive",
		{1, -2 * time.Second}: "room: Span is -2s, must be positive",
		{1, 0}:                "room: Span is 0s, must be positive",
	} {
		got := ""
		if err := setting.Check("room", c.settings()); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%+v: %q, want %q", c, got, want)
		}
	}
}
