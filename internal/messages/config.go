package messages

import (
	"fmt"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/setting"
)

// Config says who carries messages, and how many. Zero counts mean the default.
type Config struct {
	Space   idspace.Space // required
	Self    idspace.ID    // required
	Network string        // required: it is in the signature of messages
	Roots   int           // salted roots of an object, as publish has it; default 4

	Sends    int           // most sends of this node under way at once; default 1024
	Inbound  int           // most messages with the application at once; default 1024
	PerPeer  int           // most of them that came by the same neighbor; default a quarter of Inbound
	Replicas int           // servers asked for by the first locate; default 4
	Rounds   int           // locates for one message to an object; default 3
	Taken    int           // raced messages that are remembered, so that none is handled twice; default 8192
	GiveUp   time.Duration // deadline of a send or message that names none; default 10 s
	MaxLife  time.Duration // longest time that a message may be with the application; default 2 min

	// Forward sees messages that pass this node on their way; false stops one, which
	// is then refused. It runs within the step and must not block. Default: none.
	Forward func(*env.Upcall) bool
}

// Validate names the first field that makes no sense.
func (c Config) Validate() error {
	d := c.withDefaults()
	switch {
	case c.Space == idspace.Space{}:
		return fmt.Errorf("messages: Space is not set")
	case c.Self.IsZero():
		return fmt.Errorf("messages: Self is not set")
	case c.Network == "":
		return fmt.Errorf("messages: Network is not set")
	}
	return setting.Check("messages", d.settings())
}

func (c Config) withDefaults() Config {
	setting.Fill(c.settings())
	if c.PerPeer == 0 {
		c.PerPeer = max(1, c.Inbound/4)
	}
	return c
}

func (c *Config) settings() []setting.Setting {
	return []setting.Setting{
		setting.Of("Sends", &c.Sends, 1024),
		setting.Of("Inbound", &c.Inbound, 1024),
		setting.Of("PerPeer", &c.PerPeer, 0), // depends on Inbound
		setting.Of("Replicas", &c.Replicas, 4),
		setting.Of("Rounds", &c.Rounds, 3),
		setting.Of("Roots", &c.Roots, 4),
		setting.Of("Taken", &c.Taken, 8192),
		setting.Of("GiveUp", &c.GiveUp, 10*time.Second),
		setting.Of("MaxLife", &c.MaxLife, 2*time.Minute),
	}
}
