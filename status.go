package tapestry

import (
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/node"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Status is a snapshot of a node: plain data that prints as JSON.
type Status struct {
	ID        ID         `json:"id"`
	Network   string     `json:"network"`
	State     string     `json:"state"`      // idle, joining, active, leaving or closed
	Ready     bool       `json:"ready"`      // an active member, that answers for its part
	Links     int        `json:"links"`      // links to other nodes, whoever wanted them
	MaxLinks  int        `json:"max_links"`  // their cap
	MostLinks int        `json:"most_links"` // the most there have been at once
	Levels    int        `json:"levels"`     // levels of the neighbor map that have any neighbor
	LeafSet   []ID       `json:"leaf_set"`   // the nearest nodes on the ring
	Place     Place      `json:"place"`      // where this node is by its round trips
	Neighbors []Neighbor `json:"neighbors"`
	Pointers  int        `json:"pointers"`  // kept for others
	Store     Store      `json:"store"`     // the same in numbers
	Published int        `json:"published"` // objects that this node serves
	LateS     float64    `json:"late_s"`    // the first of them is published again so much later than it should be
	Resume    Resume     `json:"resume"`    // of what was published before this start
	Pending   int        `json:"pending"`   // messages that wait for an acknowledgement

	Peer       peer.ID  `json:"peer"`
	Addrs      []string `json:"addrs"`
	Generation uint64   `json:"generation"` // grows at every start of the same host
	Known      int      `json:"known"`      // nodes whose addresses are remembered
	Calls      int      `json:"calls"`      // verbs under way
	Handlers   int      `json:"handlers"`   // messages being handled here
	Streams    int      `json:"streams"`    // streams being served here

	Dials       uint64 `json:"dials"`        // connections opened for links
	DialsFailed uint64 `json:"dials_failed"` // of them
	StreamDials uint64 `json:"stream_dials"` // connections opened for OpenStream
	FramesIn    uint64 `json:"frames_in"`
	FramesOut   uint64 `json:"frames_out"`
	BytesIn     uint64 `json:"bytes_in"`
	BytesOut    uint64 `json:"bytes_out"`
	EventsLost  uint64 `json:"events_lost"` // they came too fast for the Tracer
	Slowed      uint64 `json:"slowed"`      // signatures that waited to be checked because one node had sent too many

	// DialsFor splits Dials by the message that was to be sent. Nobody is dialed to publish,
	// nor to look up but for measuring servers that are offered.
	DialsFor map[string]uint64 `json:"dials_for"`
	Dropped  map[string]uint64 `json:"dropped"`    // messages given up, by reason
	Faults   map[string]uint64 `json:"faults"`     // what other nodes did wrong
	Limits   map[string]uint64 `json:"limits_hit"` // limits of the host that stood in the way
	// LowHighWater is the high mark of the host's connection manager if it is so low
	// that links will be trimmed; otherwise 0.
	LowHighWater int64 `json:"low_high_water"`
}

// Store is what a node keeps for others, and what its Limits made of it.
type Store struct {
	Servers int    `json:"servers"` // whose pointers are kept
	Bytes   int    `json:"bytes"`   // of their signed records, and of their servers'
	Refused uint64 `json:"refused"` // for want of room, since the start
	Evicted uint64 `json:"evicted"` // for a nearer server of the same object
	Expired uint64 `json:"expired"`
	// RefusedFor splits Refused by the limit, in the words of LimitRefusal.Limit.
	RefusedFor map[string]uint64 `json:"refused_for"`
}

func storeOf(s pointers.Stats) Store {
	to := Store{s.Servers, s.Bytes, s.Refused, s.Evicted, s.Expired, map[string]uint64{}}
	for limit, times := range s.Because {
		if times > 0 {
			to.RefusedFor[env.LimitOf(wire.Limit(limit)).String()] = times
		}
	}
	return to
}

// Place is a network coordinate (Vivaldi): two nodes are about as far apart, in
// milliseconds of round trip, as their components are, and both heights.
type Place struct {
	Ms       []float64 `json:"ms"`
	HeightMs float64   `json:"height_ms"`
	Error    float64   `json:"error"` // as a share of the distance; 1.5 before anything was measured
}

// Neighbor is one link of a node.
type Neighbor struct {
	ID      ID      `json:"id"`
	RTTMs   float64 `json:"rtt_ms"`  // 0 if it was never measured
	Mine    string  `json:"mine"`    // what this node uses it for: leaf, sole, spare or none
	Theirs  string  `json:"theirs"`  // what it uses this node for
	Level   int     `json:"level"`   // of the neighbor map; -1 if it is not in there
	Primary bool    `json:"primary"` // the nearest of its slot
	Leaf    bool    `json:"leaf"`    // in the leaf set
	Suspect bool    `json:"suspect"` // did not answer lately
}

// Status takes a snapshot. It works after Close too, for the last words.
func (n *Node) Status() Status {
	w := n.world.Status()
	s := coreStatus(w.Node)
	s.Peer, s.Addrs, s.Generation = w.Peer, w.Addrs, w.Generation
	s.Known, s.Calls, s.Handlers, s.Streams = w.Known, w.Calls, w.Handlers, w.Bodies
	s.Dials, s.DialsFailed, s.StreamDials, s.DialsFor = w.Dials, w.DialsFailed, w.BodyDials, w.DialsFor
	s.FramesIn, s.FramesOut, s.BytesIn, s.BytesOut = w.FramesIn, w.FramesOut, w.BytesIn, w.BytesOut
	s.EventsLost, s.Slowed, s.LowHighWater = w.EventsLost, w.Slowed, w.HighWater
	s.Dropped, s.Faults, s.Limits = w.Dropped, w.Faults, w.Limits
	s.Resume = n.kept.status()
	select {
	case <-n.closed:
		s.State, s.Ready = "closed", false
	default:
	}
	return s
}

// coreStatus is the part of a Status that the core knows.
func coreStatus(s node.Status) Status {
	to := Status{
		ID: s.ID, Network: s.Network, State: s.Phase, Ready: s.Ready,
		Links: s.Links, MaxLinks: s.LinksCap, MostLinks: s.LinksMost,
		Levels: s.Levels, LeafSet: append([]ID{}, s.LeafSet...), Neighbors: []Neighbor{},
		Pointers: s.Pointers, Store: storeOf(s.Store),
		Published: s.Served, LateS: s.Late.Seconds(), Pending: s.Pending,
		Place: Place{HeightMs: 1e3 * s.Place.Height, Error: s.Place.Error},
	}
	for _, x := range s.Place.Vec {
		to.Place.Ms = append(to.Place.Ms, 1e3*x)
	}
	for _, nb := range s.Neighbors {
		to.Neighbors = append(to.Neighbors, Neighbor{
			ID: nb.ID, RTTMs: float64(nb.RTT) / float64(time.Millisecond), Mine: useName(nb.Mine), Theirs: useName(nb.Theirs),
			Level: nb.Level, Primary: nb.Primary, Leaf: nb.Leaf, Suspect: nb.Suspect,
		})
	}
	return to
}

// useName is none, spare, sole or leaf.
func useName(u wire.Use) string { return strings.ToLower(strings.TrimPrefix(u.String(), "USE_")) }
