package locate

import (
	"fmt"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/setting"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Config says who asks, and how. Zero durations and counts mean the default.
type Config struct {
	Space   idspace.Space // required
	Self    idspace.ID    // required
	Network string        // required: records of other networks are not taken

	Roots int // salted roots of an object, as publish has it; default 4
	Acks  int // roots that a publish needs, as publish has it; default 3, at most Roots

	Gather  time.Duration // from the first answer to the end of gathering; default 70 ms (design §8)
	Measure int           // replicas whose distance is measured; default 3 (design §8)
	Silence time.Duration // of a neighbor, until what was measured before does not tell that it lives; default 6 s
	Probe   time.Duration // longest wait for a measurement; default 1 s
	Retry   time.Duration // wait for a root's answer before asking again; default 1.5 s (design §5)
	Tries   int           // how often a root is asked before the others need not wait for it; default 3
	GiveUp  time.Duration // deadline of a request that names none; default 10 s
	Asks    int           // most requests under way at once; default 1024

	Popular int           // requests that pass while a cached pointer lives, from which on the object's are cached; default 3
	Cached  time.Duration // life of a cached pointer; default 5 s (design §8)
	Known   int           // objects whose requests are counted; default 1024
	Fetches int           // most questions for cached pointers under way at once; default 16
}

// Validate names the first field that makes no sense.
func (c Config) Validate() error {
	d := c.withDefaults()
	switch {
	case c.Space == idspace.Space{}:
		return fmt.Errorf("locate: Space is not set")
	case c.Self.IsZero():
		return fmt.Errorf("locate: Self is not set")
	case c.Network == "":
		return fmt.Errorf("locate: Network is not set")
	case d.Roots < 1 || d.Roots > wire.MaxRoots:
		return fmt.Errorf("locate: Roots is %d, want 1 to %d", d.Roots, wire.MaxRoots)
	case d.Acks < 1 || d.Acks > d.Roots:
		return fmt.Errorf("locate: Acks is %d, want 1 to Roots = %d", d.Acks, d.Roots)
	}
	return setting.Check("locate", d.settings())
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
		setting.Of("Gather", &c.Gather, 70*time.Millisecond),
		setting.Of("Measure", &c.Measure, 3),
		setting.Of("Silence", &c.Silence, 6*time.Second),
		setting.Of("Probe", &c.Probe, time.Second),
		setting.Of("Retry", &c.Retry, 1500*time.Millisecond),
		setting.Of("Tries", &c.Tries, 3),
		setting.Of("GiveUp", &c.GiveUp, 10*time.Second),
		setting.Of("Asks", &c.Asks, 1024),
		setting.Of("Popular", &c.Popular, 3),
		setting.Of("Cached", &c.Cached, 5*time.Second),
		setting.Of("Known", &c.Known, 1024),
		setting.Of("Fetches", &c.Fetches, 16),
	}
}

// votes is how many roots must say that they hold no pointer before an object is
// absent (design §8): a majority, and more than can have missed a publish.
func (c Config) votes() int { return max(c.Roots/2+1, c.Roots-c.Acks+1) }
