package p2p

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ipfs/go-datastore"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/node"
	"github.com/tapestry-dolr/tapestry/internal/setting"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Config describes a node's world. The zero value of a field stands for its
// default; only Network has none.
type Config struct {
	// Network is the overlay's name, up to wire.MaxNetwork bytes without a slash. It
	// is in the protocol's ID and in every record, so that overlays never merge by
	// accident (design §1).
	Network string
	// Node configures the machines. Self, Network, Record, Generation and Forward
	// are this package's to fill.
	Node node.Config
	// Zone labels where the node runs, as a/b/c; it is part of its record.
	Zone string
	// Generation must grow at every start of the same key (design §6). If zero, it
	// is the Unix second of the start, but above those of former starts of which Store
	// or this process knows.
	Generation uint64
	// Seeds looks up nodes to join by, at every Join and whenever the node has lost
	// everybody. What it finds beside an error is used. If nil, there are only those
	// given to Join.
	Seeds func(context.Context) ([]peer.AddrInfo, error)
	// Store keeps the node's generation and some of its neighbors over restarts. It is
	// closed by the caller, after the node. If nil, they are forgotten.
	Store datastore.Datastore
	// Seed fixes the machines' random numbers, for tests. If zero, they are drawn
	// from the system.
	Seed uint64
	// Observe is called with every event, on the loop: it must not block, nor call
	// back into the node.
	Observe func(env.Event)

	// Timeout is how long a request may take whose context has no deadline. If zero,
	// it is 30 s.
	Timeout time.Duration
	// DialTimeout bounds opening one link. If zero, it is 5 s.
	DialTimeout time.Duration
	// Dials is how many links may be dialed at once. If zero, it is 64.
	Dials int
	// IdleGrace is how long a link stays open that neither end uses. If zero, it is 30 s.
	IdleGrace time.Duration

	// Mailbox is how many frames of all peers may wait for the loop. If zero, it is 4096.
	Mailbox int
	// Credit is how many frames of one peer may wait for the loop before its stream
	// is read no further; well below Mailbox. If zero, it is 128.
	Credit int
	// CreditBytes is the same in bytes. If zero, it is 1 MiB.
	CreditBytes int
	// FrameRate is how many frames per second a peer may send before it is cut off
	// as a flood. If zero, it is 20 000.
	FrameRate int
	// CheckRate is how many signatures of one peer are checked per second, and as many at
	// once after a while: of more its stream is read no further until their time comes. If zero,
	// it is 5000.
	CheckRate int
	// Backoff is how long a peer that was cut off is refused. If zero, it is 10 s.
	Backoff time.Duration
	// QueueFrames is how many frames may wait for one peer; from half of it on
	// maintenance is shed. If zero, it is 1024.
	QueueFrames int
	// QueueBytes is the same in bytes. If zero, it is 2 MiB.
	QueueBytes int

	// Handlers is how many application messages, and how many direct streams, are
	// handled at once. If zero, it is 256.
	Handlers int
	// Verified is how many checked records are remembered, so as not to be checked
	// again. If zero, it is 16 384.
	Verified int
	// Book is how many nodes' addresses are remembered. If zero, it is 16 384.
	Book int
}

// withDefaults returns c with its zero fields replaced.
func (c Config) withDefaults() Config {
	setting.Fill(c.settings())
	return c
}

func (c *Config) settings() []setting.Setting {
	return []setting.Setting{
		setting.Of("Timeout", &c.Timeout, 30*time.Second),
		setting.Of("DialTimeout", &c.DialTimeout, 5*time.Second),
		setting.Of("Dials", &c.Dials, 64),
		setting.Of("IdleGrace", &c.IdleGrace, 30*time.Second),
		setting.Of("Mailbox", &c.Mailbox, 4096),
		setting.Of("Credit", &c.Credit, 128),
		setting.Of("CreditBytes", &c.CreditBytes, 1<<20),
		setting.Of("FrameRate", &c.FrameRate, 20_000),
		setting.Of("CheckRate", &c.CheckRate, 5000),
		setting.Of("Backoff", &c.Backoff, 10*time.Second),
		setting.Of("QueueFrames", &c.QueueFrames, 1024),
		setting.Of("QueueBytes", &c.QueueBytes, 2<<20),
		setting.Of("Handlers", &c.Handlers, 256),
		setting.Of("Verified", &c.Verified, 16_384),
		setting.Of("Book", &c.Book, 16_384),
	}
}

// Validate says which field cannot be used, if one cannot.
func (c Config) Validate() error {
	if c.Network == "" || !utf8.ValidString(c.Network) || len(c.Network) > wire.MaxNetwork || strings.Contains(c.Network, "/") {
		return fmt.Errorf("p2p: Network is %q, want 1 to %d bytes without a slash", c.Network, wire.MaxNetwork)
	}
	if len(c.Zone) > wire.MaxZone || !utf8.ValidString(c.Zone) {
		return fmt.Errorf("p2p: Zone is %q, want UTF-8 of at most %d bytes", c.Zone, wire.MaxZone)
	}
	c = c.withDefaults()
	if err := setting.Check("p2p", c.settings()); err != nil {
		return err
	}
	if c.Credit > c.Mailbox {
		return fmt.Errorf("p2p: Credit is %d, must not be more than Mailbox, %d", c.Credit, c.Mailbox)
	}
	return nil
}
