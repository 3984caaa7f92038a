package tapestry

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// DefaultReplicas is how many replicas LocateObject offers unless told otherwise.
const DefaultReplicas = 4

// Replica is one server of an object, as this node sees it.
type Replica struct {
	ID       ID            // the server's node ID
	Peer     peer.AddrInfo // its host, with the addresses that it signed
	RTT      time.Duration // round trip from here to there
	Measured bool          // RTT was measured just now or on an open link; otherwise it is an estimate
}

// LocateOption shapes one LocateObject or OpenStream.
type LocateOption func(*search) error

// search is what LocateOptions make of a search for an object.
type search struct {
	first   bool
	all     bool
	fresh   bool
	zone    string
	local   bool
	home    string // this node's own zone
	limit   int
	without []ID
}

// First takes the first answer as it comes. It is the fastest, and what it finds is
// near, but no other answer is waited for and no replica is measured.
func First() LocateOption {
	return func(s *search) error {
		s.first = true
		return nil
	}
}

// Limit offers at most replicas of them; the default is DefaultReplicas.
func Limit(replicas int) LocateOption {
	return func(s *search) error {
		if replicas < 1 || replicas > wire.MaxFound {
			return fmt.Errorf("Limit(%d): want 1 to %d", replicas, wire.MaxFound)
		}
		s.limit = replicas
		return nil
	}
}

// All offers every replica that the nodes asked will name, each as soon as it is named, without
// waiting for others to be measured against: the nearest come first of those in one answer, and
// answers from near by come first. All roots are waited for, but whoever has enough may stop.
func All() LocateOption {
	return func(s *search) error {
		s.all, s.limit = true, math.MaxInt
		return nil
	}
}

// Fresh asks the object's roots themselves, and so many of them that one knows of each server
// that has taken the object back: UnpublishObject has returned, so nobody is offered who called it
// before. It takes longer, and finds nothing (ErrUnknown) if too few roots can be asked.
func Fresh() LocateOption {
	return func(s *search) error {
		s.fresh = true
		return nil
	}
}

// Prefer offers servers whose zone (WithZone) begins like label first, the more of its parts
// they share the earlier, and only then the nearest. An empty label is this node's own zone.
func Prefer(label string) LocateOption { return inZone(label, false) }

// LocalOnly offers no servers but those in the zone label, or in a part of it: for
// "eu/frankfurt" those in "eu/frankfurt/rack7" too. ErrNotFound says that there is none. An
// empty label is this node's own zone.
func LocalOnly(label string) LocateOption { return inZone(label, true) }

func inZone(label string, local bool) LocateOption {
	return func(s *search) error {
		if label == "" {
			label = s.home
		}
		switch {
		case label == "":
			return errors.New("zone: none is named, and this node has none")
		case len(label) > wire.MaxZone || !utf8.ValidString(label):
			return fmt.Errorf("zone: %d bytes, at most %d of text allowed", len(label), wire.MaxZone)
		}
		s.zone, s.local = label, local
		return nil
	}
}

// Without leaves servers out, for example one that has just failed. If only those
// are found, nothing is: ErrNotFound.
func Without(servers ...ID) LocateOption {
	return func(s *search) error {
		s.without = append(s.without, servers...)
		return nil
	}
}

// LocateObject looks for the servers of g for app and yields them nearest first.
// It asks when it is ranged over. If there is nothing to yield, or the search
// fails, it yields one error: ErrNotFound if the roots agree that there is no such
// object, ErrUnknown if they could not be asked.
//
//	for replica, err := range node.LocateObject(ctx, guid, "files") { … }
func (n *Node) LocateObject(ctx context.Context, g GUID, app AppID, opts ...LocateOption) iter.Seq2[Replica, error] {
	return func(yield func(Replica, error) bool) {
		err := n.search(ctx, g, app, opts, func(some []env.Replica) bool {
			for _, r := range some {
				if !yield(replicaOf(r)) {
					return false
				}
			}
			return true
		})
		if err != nil {
			yield(Replica{}, err)
		}
	}
}

// locate returns at least one replica, or an error.
func (n *Node) locate(ctx context.Context, g GUID, app AppID, opts []LocateOption) (found []env.Replica, err error) {
	err = n.search(ctx, g, app, opts, func(some []env.Replica) bool {
		found = append(found, some...)
		return true
	})
	return found, err
}

// search calls tell with the replicas found, of whom none comes twice: with at least one, or it
// returns an error. It stops when tell returns false.
func (n *Node) search(ctx context.Context, g GUID, app AppID, opts []LocateOption, tell func([]env.Replica) bool) error {
	if err := checkApp("locate", pointers.Key{GUID: g, App: string(app)}); err != nil {
		return err
	}
	s := search{limit: DefaultReplicas, home: n.settings.zone}
	for _, o := range opts {
		if err := o(&s); err != nil {
			return &OpError{Op: "locate", ID: g, Err: fmt.Errorf("%w: %w", ErrOption, err)}
		}
	}
	told, more := s.without, true
	some := func(found []env.Replica) bool {
		found = slices.DeleteFunc(found, func(r env.Replica) bool { return slices.Contains(told, r.Server) })
		for _, r := range found {
			told = append(told, r.Server)
		}
		more = more && tell(found[:min(len(found), s.limit)])
		return more
	}
	out, err := n.follow(ctx, "locate", g, func(c env.Call, until mono.Time) env.Local {
		return s.request(c, until, g, app)
	}, some)
	if err != nil || !more {
		return err
	}
	if some(out.Replicas); len(told) == len(s.without) {
		return &OpError{Op: "locate", ID: g, Err: ErrNotFound}
	}
	return nil
}

// request is what s asks of the machines.
func (s *search) request(c env.Call, until mono.Time, g GUID, app AppID) env.Local {
	most := wire.MaxFound
	if !s.all { // those to be left out must not use up the limit
		most = min(s.limit+len(s.without), wire.MaxFound)
	}
	return &env.LocateRequest{
		Call: c, GUID: g, App: string(app), Limit: most, First: s.first, All: s.all, Fresh: s.fresh, Zone: s.zone,
		Local: s.local, Deadline: until,
	}
}

// replicaOf is r for the caller. A record that does not parse has passed its
// signature check, so its error is worth yielding.
func replicaOf(r env.Replica) (Replica, error) {
	at := Replica{ID: r.Server, RTT: r.RTT, Measured: r.Measured}
	if r.Record == nil { // this node itself
		return at, nil
	}
	var err error
	at.Peer, err = addrInfo(r.Record)
	if err != nil {
		return at, &OpError{Op: "locate", ID: r.Server, Err: err}
	}
	return at, nil
}
