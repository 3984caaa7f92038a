package tree

import (
	"fmt"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/lease"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Config says whose the trees are, and how they are kept. Zero durations and counts mean the default.
type Config struct {
	Space   idspace.Space      // required
	Self    idspace.ID         // required
	Network string             // required: records of other networks are refused
	Record  *wire.SignedRecord // this node's own; env.SelfChanged replaces it
	Lease   *lease.Chain       // of which Record names the anchor, likewise; nil: nobody believes what this node publishes

	Heirs   int           // of a root; default 2 (design §8)
	Backups int           // of each first hop; default 1 (design §8)
	Near    time.Duration // how near is next to a server; default 10 ms (design §8)
	MaxLife time.Duration // longest life granted to a record; default 2 h

	Silence time.Duration // of a server that is asked for, until a first hop asks it whether it lives; default 6 s
	Linger  time.Duration // a pointer stays where it need not lie any more; default 10 s, the deadline of a request
	Settle  time.Duration // from a change of the tables to looking for new next hops; default 20 ms
	Gather  time.Duration // from news to telling it on, so that it comes together; default 1 s
	Retry   time.Duration // wait for the answer to a deposit; default 1.5 s
	Tries   int           // how often a deposit is confirmed before the next period's digest has to do; default 4
	GiveUp  time.Duration // longest that a hand-over takes; default 10 s
	Portion int           // pointers looked at in one step; default 256
	Window  int           // pointers on their way to one neighbor; default 256
}

// Validate names the first field that makes no sense.
func (c Config) Validate() error {
	d := c.withDefaults()
	switch {
	case c.Space == idspace.Space{}:
		return fmt.Errorf("tree: Space is not set")
	case c.Self.IsZero():
		return fmt.Errorf("tree: Self is not set")
	case c.Network == "" || len(c.Network) > wire.MaxNetwork:
		return fmt.Errorf("tree: Network has %d bytes, want 1 to %d", len(c.Network), wire.MaxNetwork)
	}
	for _, f := range d.fields() {
		if f.count != nil && *f.count <= 0 || f.span != nil && *f.span <= 0 {
			return fmt.Errorf("tree: %s must be positive", f.name)
		}
	}
	return nil
}

func (c Config) withDefaults() Config {
	for _, f := range c.fields() {
		switch {
		case f.count != nil && *f.count == 0:
			*f.count = int(f.def)
		case f.span != nil && *f.span == 0:
			*f.span = time.Duration(f.def)
		}
	}
	return c
}

type field struct {
	name  string
	count *int
	span  *time.Duration
	def   int64
}

func (c *Config) fields() []field {
	return []field{
		{"Heirs", &c.Heirs, nil, 2},
		{"Backups", &c.Backups, nil, 1},
		{"Near", nil, &c.Near, int64(10 * time.Millisecond)},
		{"MaxLife", nil, &c.MaxLife, int64(2 * time.Hour)},
		{"Silence", nil, &c.Silence, int64(6 * time.Second)},
		{"Linger", nil, &c.Linger, int64(10 * time.Second)},
		{"Settle", nil, &c.Settle, int64(20 * time.Millisecond)},
		{"Gather", nil, &c.Gather, int64(time.Second)},
		{"Retry", nil, &c.Retry, int64(1500 * time.Millisecond)},
		{"Tries", &c.Tries, nil, 4},
		{"GiveUp", nil, &c.GiveUp, int64(10 * time.Second)},
		{"Portion", &c.Portion, nil, 256},
		{"Window", &c.Window, nil, 256},
	}
}
