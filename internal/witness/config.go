package witness

import (
	"fmt"
	"time"
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
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.Patience, 750 * time.Millisecond}, {&c.Judging, 5 * time.Second}, {&c.Again, time.Second}, {&c.Relayed, 5 * time.Second},
		{&c.Empty, 30 * time.Second}, {&c.Longest, 8 * time.Minute},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if c.Witnesses == 0 {
		c.Witnesses = 2
	}
	if c.Holes == 0 {
		c.Holes = 512
	}
	return c
}

// Validate names the field that makes no sense.
func (c Config) Validate() error {
	switch {
	case c.Patience <= 0 || c.Judging <= 0 || c.Again <= 0 || c.Relayed <= 0 || c.Empty <= 0 || c.Longest < c.Empty:
		return fmt.Errorf("witness: Patience %v, Judging %v, Again %v, Relayed %v, Empty %v, Longest %v: want positive, Longest at least Empty",
			c.Patience, c.Judging, c.Again, c.Relayed, c.Empty, c.Longest)
	case c.Witnesses < 1 || c.Holes < 1:
		return fmt.Errorf("witness: Witnesses %d, Holes %d: want at least 1", c.Witnesses, c.Holes)
	}
	return nil
}
