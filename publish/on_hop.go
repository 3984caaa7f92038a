package publish

import (
	"errors"
	"fmt"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/routing"
)

// OnHop deposits a pointer that passes, or that stays because this is its root
// (JSAC Fig. 2).
func (p *Publisher) OnHop(e env.Env, r *wire.Routed, at routing.At) routing.Verdict {
	m, d, err := p.read(r, at)
	if err != nil {
		e.Emit(&env.Dropped{Why: "publish: bad record", Peer: at.From})
		p.Router.Answer(e, r, nil, wire.Refusal_REFUSAL_LIMIT)
		return routing.Consumed
	}
	result := p.Store.Put(d, e.Now())
	p.report(e, d, result)
	p.armExpiry(e, 0)
	if at.Note != nil {
		key := pointers.Key{GUID: wire.ID(d.Record.Guid), App: d.Record.App}
		at.Note.Pointers = uint32(len(p.Store.Live(key, e.Now(), wire.MaxFound)))
	}
	switch {
	case result.Kind == pointers.Older:
		// Its server must know, or the older record would be taken for placed.
		p.acknowledge(e, r, result.Held)
	case !at.Root && !(at.Soon && m.HandOver):
		return routing.Continue // a hop that is full does not stand in the way
	case result.Kind == pointers.Full || result.Kind == pointers.Ignored:
		p.Router.Answer(e, r, nil, wire.Refusal_REFUSAL_LIMIT)
	default:
		p.acknowledge(e, r, result.Held)
	}
	return routing.Consumed
}

func (p *Publisher) acknowledge(e env.Env, r *wire.Routed, held pointers.Sequence) {
	p.Router.Answer(e, r, wire.Pack(&wire.PublishReply{
		HeldGeneration: held.Generation, HeldCounter: held.Counter,
	}), wire.Refusal_REFUSAL_NONE)
}

// read checks a publish request and puts it as a deposit. The world has checked
// that both records are signed, the pointer by the server that it names.
func (p *Publisher) read(r *wire.Routed, at routing.At) (m *wire.Publish, d pointers.Deposit, err error) {
	if m, err = wire.Unpack(r.Body, new(wire.Publish)); err != nil {
		return m, d, err
	}
	d.Signed, d.Server = m.Pointer, m.Server
	if d.Record, err = m.Pointer.Pointer(); err != nil {
		return m, d, err
	}
	if d.Node, err = m.Server.Node(); err != nil {
		return m, d, err
	}
	server := wire.ID(d.Record.Server)
	switch {
	case d.Record.Network != p.cfg.Network || d.Node.Network != p.cfg.Network:
		return m, d, fmt.Errorf("records of networks %q and %q", d.Record.Network, d.Node.Network)
	case p.nodeID(d.Node) != server:
		return m, d, fmt.Errorf("pointer to %s with the node record of %s", server.Short(), p.nodeID(d.Node).Short())
	case p.cfg.Space.Salted(wire.ID(d.Record.Guid), int(m.Salt), int(m.Roots)) != wire.ID(r.Key):
		return m, d, errors.New("the key is not the salted key of the object")
	}
	d.Hearsay = server != p.origin(r)
	d.From, d.Latency = at.From, p.latency(r, server)
	if at.From == p.cfg.Self && server != p.cfg.Self {
		d.From, d.Latency = idspace.ID{}, -1 // a push that begins here says nothing of the way
	}
	d.Left = min(seconds(m.LeftS), seconds(d.Record.LifeS), p.cfg.MaxLife)
	d.Path = pointers.Path{Salt: int(m.Salt), Roots: int(m.Roots), Next: at.Next.To}
	if at.Root {
		d.Path.Next = p.cfg.Self
	}
	return m, d, nil
}

func seconds(s uint32) time.Duration { return time.Duration(s) * time.Second }

func (p *Publisher) nodeID(n *wire.NodeRecord) idspace.ID { return p.cfg.Space.Truncate(n.ID()) }

// origin is the node that the request began at.
func (p *Publisher) origin(r *wire.Routed) idspace.ID {
	if len(r.Path) < idspace.Size {
		return p.cfg.Self
	}
	return idspace.ID(r.Path[:idspace.Size])
}

// latency is how far away the server is: as measured, else as long as the way that
// the request came.
func (p *Publisher) latency(r *wire.Routed, server idspace.ID) time.Duration {
	if server == p.cfg.Self {
		return 0
	}
	if rtt, ok := p.Links.RTT(server); ok {
		return rtt
	}
	return time.Duration(min(r.SpentUs, maxSpent)) * time.Microsecond
}

// maxSpent bounds what a request may claim to have spent, in microseconds.
const maxSpent = uint64(time.Hour / time.Microsecond)

// report tells the observers what became of a deposit.
func (p *Publisher) report(e env.Env, d pointers.Deposit, result pointers.Result) {
	guid, server := wire.ID(d.Record.Guid), wire.ID(d.Record.Server)
	if gone := result.Evicted; gone != nil {
		e.Emit(&env.Removed{GUID: gone.GUID, Server: gone.Server.ID, Why: "evicted"})
	}
	switch {
	case result.Kind == pointers.Full:
		e.Emit(&env.Dropped{Why: "publish: limit", Peer: server})
	case result.Kind == pointers.Renewed && result.Was == pointers.Live:
		if result.State == pointers.Withdrawn {
			e.Emit(&env.Removed{GUID: guid, Server: server, Why: "withdrawn"})
		}
	case result.Kind <= pointers.Renewed && result.State == pointers.Live:
		e.Emit(&env.Stored{GUID: guid, Server: server})
	}
}
