package tapestry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Explanation says, hop by hop, how a search for an object went: one path for each
// of its salted roots.
type Explanation struct {
	GUID     GUID
	App      AppID
	Answer   string // found, absent or unknown
	Replicas []Replica
	Paths    []Path // how each root was asked
	// Laid is how this node laid its own pointers to each root just now, if it
	// publishes the object itself.
	Laid []Path
}

// Path is the way of one request.
type Path struct{ Hops []Hop }

// Hop is one node on a path.
type Hop struct {
	Node     ID
	Rule     string        // why the request went on as it did: slot, backup, closer; root or pointer where it ended
	Level    int           // the level of the neighbor map that decided
	Digit    int           // the digit that was looked for there
	Pointers int           // pointers to the object that the node held
	RTT      time.Duration // of the link to the next hop
	Held     time.Duration // how long the node held the request
}

// Explain looks for g as LocateObject does and tells what happened at every hop:
// why this one, what it held, how long it took. That the object is absent, or that
// its roots could not be asked, is an answer here and not an error.
func (n *Node) Explain(ctx context.Context, g GUID, app AppID) (Explanation, error) {
	key := pointers.Key{GUID: g, App: string(app)}
	if err := checkApp("explain", key); err != nil {
		return Explanation{}, err
	}
	out, err := n.do(ctx, "explain", g, func(c env.Call, until mono.Time) env.Local {
		return &env.LocateRequest{Call: c, GUID: g, App: string(app), Limit: wire.MaxFound, Explain: true, Deadline: until}
	})
	x := Explanation{GUID: g, App: app, Answer: "found"}
	switch {
	case errors.Is(err, ErrNotFound):
		x.Answer = "absent"
	case errors.Is(err, ErrUnknown):
		x.Answer = "unknown"
	case err != nil:
		return x, err
	}
	for _, r := range out.Replicas {
		at, err := replicaOf(r)
		if err != nil {
			return x, err
		}
		x.Replicas = append(x.Replicas, at)
	}
	x.Paths = pathsOf(out.Notes)
	x.Laid, err = n.laid(ctx, key)
	return x, err
}

// laid lays the pointers of key anew and returns their paths, if this node serves it.
func (n *Node) laid(ctx context.Context, key pointers.Key) ([]Path, error) {
	if !n.serves(key) {
		return nil, nil
	}
	out, err := n.do(ctx, "publish", key.GUID, publishRequest(key, env.PublishRequest{Explain: true}))
	if err != nil {
		return nil, err
	}
	return pathsOf(out.Notes), nil
}

func pathsOf(all [][]*wire.HopNote) []Path {
	var paths []Path
	for _, notes := range all {
		paths = append(paths, pathOf(notes))
	}
	return paths
}

func pathOf(notes []*wire.HopNote) Path {
	var p Path
	for _, h := range notes {
		p.Hops = append(p.Hops, Hop{
			Node: wire.ID(h.Node), Rule: h.Rule.Name(), Level: int(h.Level), Digit: int(h.Digit),
			Pointers: int(h.Pointers), RTT: micros(h.RttUs), Held: micros(h.HeldUs),
		})
	}
	return p
}

func micros(us uint64) time.Duration { return time.Duration(us) * time.Microsecond }

// String is the explanation as a table, one block for each path.
func (x Explanation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is %s\n", x.GUID, x.Answer)
	for _, r := range x.Replicas {
		fmt.Fprintf(&b, "  server %s  %v\n", r.ID, r.RTT.Round(time.Microsecond))
	}
	describePaths(&b, "asked", x.Paths)
	describePaths(&b, "laid to", x.Laid)
	return b.String()
}

func describePaths(b *strings.Builder, what string, paths []Path) {
	for i, p := range paths {
		fmt.Fprintf(b, "\n%s root %d\n", what, i+1)
		w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "  HOP\tNODE\tRULE\tLEVEL\tDIGIT\tPOINTERS\tLINK\tHELD")
		for j, h := range p.Hops {
			fmt.Fprintf(w, "  %d\t%s\t%s\t%d\t%x\t%d\t%v\t%v\n", j, h.Node, h.Rule, h.Level, h.Digit, h.Pointers, h.RTT, h.Held)
		}
		w.Flush()
	}
}
