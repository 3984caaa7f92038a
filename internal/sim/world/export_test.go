package world

import (
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// SendRaw sends a message of no machine's.
func SendRaw(from, to *Host, m wire.Message) {
	from.out = append(from.out, outgoing{from.conns.of(to.id), m})
	from.flush()
}

// Conns is a table of connections to peers named by a byte, many of which share a home.
type Conns struct{ t connTable }

// NewConns returns an empty one.
func NewConns() *Conns { return new(Conns) }

func peerOf(b byte) idspace.ID { return idspace.ID{0: b, 4: b % 5} }

// Set, Remove, Has and Len are those of the table.
func (c *Conns) Set(b byte)    { c.t.set(&conn{peer: &Host{id: peerOf(b)}}) }
func (c *Conns) Remove(b byte) { c.t.remove(peerOf(b)) }

// Has is described at Set.
func (c *Conns) Has(b byte) bool { return c.t.of(peerOf(b)) != nil }

// Len is described at Set.
func (c *Conns) Len() int { return c.t.count }
