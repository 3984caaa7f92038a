package model

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// Courier carries the payloads of a node to servers that its protocol has found,
// and answers those of others: the part of Deliver that is the same for all.
type Courier struct {
	// Self is the node.
	Self Addr
	// Patience is how long a server may take to answer.
	Patience time.Duration
	// What is the Timer.What that the node passes on to OnTimer.
	What uint8
	// Has reports whether this node has an object.
	Has  func(idspace.ID) bool
	open map[uint64]*parcel
}

type parcel struct {
	key   idspace.ID
	left  []Addr
	tried []Addr
}

type payload struct {
	call uint64
	key  idspace.ID
}

type payloadReply struct {
	call uint64
	took bool
}

// payloadSize is a small request: a call number, an object and 32 bytes of content.
const payloadSize = 8 + idspace.Size + 32

func (payload) Kind() string      { return "payload" }
func (payload) Size() int         { return payloadSize }
func (payloadReply) Kind() string { return "payload-reply" }
func (payloadReply) Size() int    { return 8 + 32 }

// Here ends a request at once for which the node's own object will do.
func (c *Courier) Here(w World, r Request) bool {
	deliver := r.Op == Deliver
	if !c.Has(r.Key) || !deliver && (r.Op != Locate || r.Want != First) {
		return false
	}
	if deliver {
		w.Delivered(r.Call)
	}
	w.Done(Outcome{Call: r.Call, OK: true, Servers: []Addr{c.Self}})
	return true
}

// Ship sends the payload of r to the first of servers, and if it does not answer or
// has the object no more, to the next. No servers: the object is absent.
func (c *Courier) Ship(w World, r Request, servers []Addr) {
	// An old answer may name this node, which Here has found to have nothing.
	servers = slices.DeleteFunc(slices.Clone(servers), func(s Addr) bool { return s == c.Self })
	if c.open == nil {
		c.open = map[uint64]*parcel{}
	}
	if len(servers) == 0 {
		w.Done(Outcome{Call: r.Call, Absent: true})
		return
	}
	c.open[r.Call] = &parcel{key: r.Key, left: servers}
	c.next(w, r.Call)
}

func (c *Courier) next(w World, call uint64) {
	p := c.open[call]
	if len(p.left) == 0 {
		c.end(w, Outcome{Call: call, Servers: p.tried})
		return
	}
	to := p.left[0]
	p.left, p.tried = p.left[1:], append(p.tried, to)
	w.SetTimer(Timer{What: c.What, N: call}, c.Patience)
	w.Send(to, payload{call: call, key: p.key})
}

func (c *Courier) end(w World, o Outcome) {
	delete(c.open, o.Call)
	w.StopTimer(Timer{What: c.What, N: o.Call})
	w.Done(o)
}

// Step takes a message if it is a payload or its reply.
func (c *Courier) Step(w World, from Addr, m Message) (took bool) {
	switch m := m.(type) {
	case payload:
		had := c.Has(m.key)
		if had {
			w.Delivered(m.call)
		}
		w.Send(from, payloadReply{call: m.call, took: had})
	case payloadReply:
		switch p := c.open[m.call]; {
		case p == nil || p.tried[len(p.tried)-1] != from:
		case m.took:
			c.end(w, Outcome{Call: m.call, OK: true, Servers: []Addr{from}})
		default:
			c.next(w, m.call)
		}
	default:
		return false
	}
	return true
}

// OnTimer gives up the server tried last.
func (c *Courier) OnTimer(w World, k Timer) {
	if c.open[k.N] != nil {
		c.next(w, k.N)
	}
}
