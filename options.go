package tapestry

import (
	"errors"
	"fmt"

	"github.com/ipfs/go-datastore"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// MaxPayload is the size limit of a message's payload and of its reply, in bytes.
// Larger bodies go over OpenStream.
const MaxPayload = wire.MaxPayload

// Defaults of the options.
const (
	DefaultNetwork  = "default"
	DefaultMaxLinks = 160 // links per node, counting those that others use (design §6)
	DefaultRoots    = 4   // salted roots per object (design §8)
	DefaultAcks     = 3   // roots that must acknowledge a publish
)

// minLinks leaves room for a leaf set and the primaries of two levels in the
// smallest overlays; with fewer a node could not keep its place.
const minLinks = 16

// settings are what the options say.
type settings struct {
	network  string
	zone     string
	maxLinks int
	roots    int
	acks     int
	signed   bool
	tracer   *Tracer
	seeds    []SeedSource
	store    datastore.Batching
	limits   pointers.Limits
}

// Option changes one setting of a Node. An option with an impossible value makes
// New fail with an error that names the option.
type Option func(*settings) error

func collect(opts []Option) (settings, error) {
	s := settings{network: DefaultNetwork, maxLinks: DefaultMaxLinks, roots: DefaultRoots, acks: DefaultAcks}
	var errs []error
	for _, o := range opts {
		errs = append(errs, o(&s))
	}
	if err := errors.Join(errs...); err != nil {
		return s, fmt.Errorf("%w: %w", ErrOption, err)
	}
	return s, nil
}

// WithNetwork names the overlay. Nodes of different names never exchange a record,
// even on the same hosts: the name is part of the protocol's ID and of every signed
// record. 1 to 64 characters from a–z, A–Z, 0–9, '.', '_' and '-'. The default is
// DefaultNetwork.
func WithNetwork(name string) Option {
	return func(s *settings) error {
		if err := checkName(name, wire.MaxNetwork); err != nil {
			return fmt.Errorf("WithNetwork(%q): %w", name, err)
		}
		s.network = name
		return nil
	}
}

// WithZone labels this node with its place, from the widest part to the narrowest,
// for example "eu/frankfurt/rack7". The label travels in the node's signed record.
// The default is no label.
func WithZone(label string) Option {
	return func(s *settings) error {
		if len(label) > wire.MaxZone {
			return fmt.Errorf("WithZone: label of %d bytes, at most %d allowed", len(label), wire.MaxZone)
		}
		s.zone = label
		return nil
	}
}

// WithMaxLinks caps how many other nodes this one is linked to, whoever wanted the
// link. At least 16; the default is DefaultMaxLinks. Give HostOptions the same number.
func WithMaxLinks(links int) Option {
	return func(s *settings) error {
		if links < minLinks {
			return fmt.Errorf("WithMaxLinks(%d): want at least %d", links, minLinks)
		}
		s.maxLinks = links
		return nil
	}
}

// WithRoots sets under how many salted roots an object is published and looked up,
// and how many of them must acknowledge a publish. All nodes of an overlay must use
// the same number of roots. 1 to 16 roots, 1 to roots acknowledgements; the default
// is DefaultRoots and DefaultAcks.
func WithRoots(roots, acks int) Option {
	return func(s *settings) error {
		if roots < 1 || roots > wire.MaxRoots {
			return fmt.Errorf("WithRoots(%d, %d): want 1 to %d roots", roots, acks, wire.MaxRoots)
		}
		if acks < 1 || acks > roots {
			return fmt.Errorf("WithRoots(%d, %d): want 1 to %d acknowledgements", roots, acks, roots)
		}
		s.roots, s.acks = roots, acks
		return nil
	}
}

// WithSignedMessages has this node sign every message that it sends, so that
// Message.From is proven at the other end. It costs a signature per message, and a
// check at the receiver.
func WithSignedMessages() Option {
	return func(s *settings) error {
		s.signed = true
		return nil
	}
}

// WithDatastore has the node remember over a restart, in a small part of store under
// /tapestry, which generation it was, some of its neighbors, and what it publishes.
// Started again with the same key it comes back by those neighbors, even without seeds,
// and once it is a member publishes again what was published and not taken back, at a
// measured pace (Status.Resume); Leave and Close take nothing back in that sense. An
// object is written down before the overlay is told of it, and a withdrawal too; if that
// cannot be done the verb ends with ErrDatastore and nothing is sent. Set handlers before
// Join: what is published again is asked for at once.
//
// The store stays the caller's, to be closed after the node. Without one nothing is kept,
// and a node that is started again within a second by another process may be taken for its
// former self.
func WithDatastore(store datastore.Batching) Option {
	return func(s *settings) error {
		if store == nil {
			return errors.New("WithDatastore: nil")
		}
		s.store = store
		return nil
	}
}

// WithTracer has t told of everything that the node does.
func WithTracer(t Tracer) Option {
	return func(s *settings) error {
		s.tracer = &t
		return nil
	}
}

func checkName(name string, most int) error {
	if name == "" || len(name) > most {
		return fmt.Errorf("name of %d bytes: want 1 to %d", len(name), most)
	}
	for _, c := range []byte(name) {
		if !nameByte(c) {
			return fmt.Errorf("character %q: want letters, digits, '.', '_' and '-' only", c)
		}
	}
	return nil
}

func nameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-'
}
