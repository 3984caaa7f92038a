package tree

import (
	"fmt"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/lease"
	"github.com/tapestry-dolr/tapestry/internal/setting"
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
	MaxLife time.Duration // longest life granted to a record; default 2 h

	Silence  time.Duration // of a server that is asked for, until a first hop asks it whether it lives; default 6 s
	Linger   time.Duration // a pointer stays where it need not lie any more; default 10 s, the deadline of a request
	Settle   time.Duration // from a change of the tables to looking for new next hops; default 20 ms
	Gather   time.Duration // from news to telling it on, so that it comes together; default 1 s
	Retry    time.Duration // wait for the answer to a deposit; default 1.5 s
	Tries    int           // how often a deposit is confirmed before the next period's digest has to do; default 4
	GiveUp   time.Duration // longest that a hand-over takes; default 10 s
	Heed     time.Duration // longest that a withdrawal waits for those who hold copies, if this node is not slow itself; default 300 ms
	Patience time.Duration // wait for the word on what this node has laid itself, until it is laid again; default 4 s
	Portion  int           // pointers looked at in one step; default 256
	Window   int           // pointers on their way to one neighbor; default 256
	NoDoors  bool          // name no neighbors by whom this node is reached, to see what that is worth
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
	return setting.Check("tree", d.settings())
}

func (c Config) withDefaults() Config {
	setting.Fill(c.settings())
	return c
}

func (c *Config) settings() []setting.Setting {
	return []setting.Setting{
		setting.Of("Heirs", &c.Heirs, 2),
		setting.Of("Backups", &c.Backups, 1),
		setting.Of("MaxLife", &c.MaxLife, 2*time.Hour),
		setting.Of("Silence", &c.Silence, 6*time.Second),
		setting.Of("Linger", &c.Linger, 10*time.Second),
		setting.Of("Settle", &c.Settle, 20*time.Millisecond),
		setting.Of("Gather", &c.Gather, time.Second),
		setting.Of("Retry", &c.Retry, 1500*time.Millisecond),
		setting.Of("Tries", &c.Tries, 4),
		setting.Of("GiveUp", &c.GiveUp, 10*time.Second),
		setting.Of("Heed", &c.Heed, 300*time.Millisecond),
		setting.Of("Patience", &c.Patience, 4*time.Second),
		setting.Of("Portion", &c.Portion, 256),
		setting.Of("Window", &c.Window, 256),
	}
}
