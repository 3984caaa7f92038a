package witness

import (
	"fmt"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/setting"
)

// Config bounds what an Asker asks and keeps.
type Config struct {
	// Patience is how long a witness may take, those included that it asks in turn. If
	// zero, 750 ms.
	Patience time.Duration
	// Witnesses is how many are asked, one after the other, before silence means that
	// nobody can tell. If zero, 2.
	Witnesses int
	// Judging is how long the gate may take with those who were named. If zero, 5 s.
	Judging time.Duration
	// Again is when a hole is asked about again if nobody could tell, or if somebody lives
	// there who cannot be a neighbor. If zero, 1 s.
	Again time.Duration
	// Relayed is for how long somebody is reached by way of another node before it is asked about
	// again: by then its neighbors know if it has died. If zero, 5 s.
	Relayed time.Duration
	// Empty is for how long a hole that was found empty is believed to be, twice as long
	// each time that it is found so again, until Longest, unless the map changes at its
	// level. If zero, 30 s and 8 min.
	Empty, Longest time.Duration
	// Holes is the most holes that are remembered. If zero, 512.
	Holes int
}

// WithDefaults returns c with zero fields filled in.
func (c Config) WithDefaults() Config {
	setting.Fill(c.settings())
	return c
}

// Validate names the field that makes no sense.
func (c Config) Validate() error {
	if err := setting.Check("witness", c.settings()); err != nil {
		return err
	}
	if c.Longest < c.Empty {
		return fmt.Errorf("witness: Longest is %v, want at least Empty, %v", c.Longest, c.Empty)
	}
	return nil
}

func (c *Config) settings() []setting.Setting {
	return []setting.Setting{
		setting.Of("Patience", &c.Patience, 750*time.Millisecond),
		setting.Of("Witnesses", &c.Witnesses, 2),
		setting.Of("Judging", &c.Judging, 5*time.Second),
		setting.Of("Again", &c.Again, time.Second),
		setting.Of("Relayed", &c.Relayed, 5*time.Second),
		setting.Of("Empty", &c.Empty, 30*time.Second),
		setting.Of("Longest", &c.Longest, 8*time.Minute),
		setting.Of("Holes", &c.Holes, 512),
	}
}
