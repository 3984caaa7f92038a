package publish

import (
	"fmt"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/setting"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Config says who publishes, and how. Zero durations and counts mean the default.
type Config struct {
	Space      idspace.Space // required
	Self       idspace.ID    // required
	Network    string        // required: records of other networks are refused
	Generation uint64        // this node's generation, the high part of its sequences
	// Record is this node's own signed node record, which goes with every pointer;
	// required before anything can be published; env.SelfChanged replaces it.
	Record *wire.SignedRecord

	// Kept are the objects that an earlier life of this node has published: they are served from
	// the start, and laid when they are published again.
	Kept []pointers.Key

	Roots int // salted roots of an object; default 4
	Acks  int // roots that must acknowledge; default 3, at most Roots

	Period  time.Duration // mean time between two signatures of an object; default 30 min
	Life    time.Duration // life of a record, whole seconds; default 1 h
	Retry   time.Duration // wait for an acknowledgement before asking again; default 1.5 s
	GiveUp  time.Duration // how long a lay nobody waits for is retried; default 10 s
	Leave   time.Duration // longest wait for the roots when this node leaves; default 2 s
	Portion int           // objects laid again, or withdrawn, in one step; default 256
	Window  int           // most records under way before another object is laid again; default 256
}

// Validate names the first field that makes no sense.
func (c Config) Validate() error {
	d := c.withDefaults()
	switch {
	case c.Space == idspace.Space{}:
		return fmt.Errorf("publish: Space is not set")
	case c.Self.IsZero():
		return fmt.Errorf("publish: Self is not set")
	case c.Network == "" || len(c.Network) > wire.MaxNetwork:
		return fmt.Errorf("publish: Network has %d bytes, want 1 to %d", len(c.Network), wire.MaxNetwork)
	case d.Roots < 1 || d.Roots > wire.MaxRoots:
		return fmt.Errorf("publish: Roots is %d, want 1 to %d", d.Roots, wire.MaxRoots)
	case d.Acks < 1 || d.Acks > d.Roots:
		return fmt.Errorf("publish: Acks is %d, want 1 to Roots = %d", d.Acks, d.Roots)
	case d.Life < d.Period || d.Life%time.Second != 0:
		return fmt.Errorf("publish: Life is %v, want whole seconds, at least Period = %v", d.Life, d.Period)
	}
	return setting.Check("publish", d.settings())
}

func (c Config) withDefaults() Config {
	if c.Roots == 0 {
		c.Roots = 4
	}
	if c.Acks == 0 {
		c.Acks = min(3, c.Roots)
	}
	setting.Fill(c.settings())
	return c
}

func (c *Config) settings() []setting.Setting {
	return []setting.Setting{
		setting.Of("Period", &c.Period, 30*time.Minute),
		setting.Of("Life", &c.Life, time.Hour),
		setting.Of("Retry", &c.Retry, 1500*time.Millisecond),
		setting.Of("GiveUp", &c.GiveUp, 10*time.Second),
		setting.Of("Leave", &c.Leave, 2*time.Second),
		setting.Of("Portion", &c.Portion, 256),
		setting.Of("Window", &c.Window, 256),
	}
}
