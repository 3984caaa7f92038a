package chord

import (
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/sim/model"
)

// maxTries is how often a question is asked before its request fails.
const maxTries = 3

// call is a question of this node that was not answered yet.
type call struct {
	request model.Request
	foreign bool // begun by Begin: its end is an Outcome
	what    what
	key     idspace.ID
	finger  int
	tries   int
}

var questions = map[model.Op]what{
	model.Lookup: finding, model.Publish: storing, model.Unpublish: dropping,
	model.Locate: fetching, model.Deliver: fetching,
}

// Begin starts a request.
func (n *Node) Begin(w model.World, r model.Request) {
	if n.courier.Here(w, r) {
		return
	}
	switch r.Op {
	case model.Publish:
		if !n.has(r.Key) {
			n.mine = append(n.mine, r.Key)
		}
		if len(n.mine) == 1 {
			w.SetTimer(model.Timer{What: republishTimer}, model.Jitter(w, n.cfg.Republish))
		}
	case model.Unpublish:
		n.mine = slices.DeleteFunc(n.mine, func(k idspace.ID) bool { return k == r.Key })
	}
	n.call(w, r.Call, &call{request: r, foreign: true, what: questions[r.Op], key: r.Key})
}

// own numbers a call that no request began.
func (n *Node) own() uint64 {
	n.last++
	return 1<<63 | n.last
}

func (n *Node) call(w model.World, number uint64, c *call) {
	n.calls[number] = c
	n.try(w, number)
}

func (n *Node) try(w model.World, number uint64) {
	c := n.calls[number]
	c.tries++
	w.SetTimer(model.Timer{What: callTimer, N: number}, n.cfg.Patience)
	h := hop{call: number, what: c.what, key: c.key}
	switch {
	case n.member:
		n.route(w, h)
	case c.what == joining && len(n.seeds) > 0:
		h.origin, h.trail = n.self, []model.Addr{n.self.At}
		w.Send(n.seeds[(c.tries-1)%len(n.seeds)].At, h)
	}
}

func (n *Node) onCallTimer(w model.World, number uint64) {
	c := n.calls[number]
	switch {
	case c == nil:
	case c.tries < maxTries || c.what == joining:
		n.try(w, number)
	default:
		delete(n.calls, number)
		if c.foreign {
			w.Done(model.Outcome{Call: number})
		}
	}
}

func (n *Node) answered(w model.World, r reply) {
	c := n.calls[r.call]
	if c == nil {
		return
	}
	delete(n.calls, r.call)
	w.StopTimer(model.Timer{What: callTimer, N: r.call})
	switch {
	case c.what == joining:
		n.joined(w, r)
	case !c.foreign && c.what == finding:
		n.fixed(w, c.finger, r)
	case !c.foreign:
	case c.request.Op == model.Deliver:
		n.courier.Ship(w, c.request, r.servers)
	default:
		w.Done(model.Outcome{
			Call: r.call, Root: r.root.At, Hops: r.hops, Servers: r.servers,
			OK: c.what != fetching || len(r.servers) > 0, Absent: c.what == fetching && len(r.servers) == 0,
		})
	}
}

// onRepublishTimer lays the pointers of all objects again.
func (n *Node) onRepublishTimer(w model.World) {
	n.shelf.Sweep(w.Now())
	for _, key := range n.mine {
		n.call(w, n.own(), &call{what: storing, key: key})
	}
	if len(n.mine) > 0 {
		w.SetTimer(model.Timer{What: republishTimer}, model.Jitter(w, n.cfg.Republish))
	}
}
