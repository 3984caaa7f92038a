package pointers

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Of an object with more servers than a node may list, near *and* diverse ones stay (design §8): who
// asks here may be near to this node, or anywhere. Of the listed pointers and the one that comes,
// the nearer half stays, whatever servers say of where they are. Of the rest that one goes whose
// server is closest to another's, by network coordinates. Where coordinates are not known, that is
// the farthest.
//
// A neighbor that brings many servers of an object does not push out those that others bring: only
// its own, and of neighbors that bring more.

// site is a pointer and where its server says that it is.
type site struct {
	*Pointer
	coord wire.Coord
}

// crowded is which of the live pointers of one object gives way to p, which d brings; nil
// if p does. A node's own pointer does not.
func (s *Store) crowded(live []*Pointer, p *Pointer, d Deposit) (gives *Pointer) {
	yields := yielding(live, d.From)
	live = slices.Clone(live) // which are in order but for those of servers that somebody doubts
	slices.SortStableFunc(live, func(a, b *Pointer) int { return cmp.Compare(a.Latency, b.Latency) })
	at := len(live)
	for at > 0 && live[at-1].Latency > p.Latency {
		at--
	}
	sites := make([]site, 0, len(live)+1)
	for _, o := range live {
		sites = append(sites, site{o, o.Server.Coord})
	}
	sites = slices.Insert(sites, at, site{p, d.Server.Coord})
	gives, closest := p, time.Duration(math.MaxInt64)
	for i := len(sites) - 1; i >= len(sites)/2; i-- {
		if apart := nearest(sites, i); apart < closest && (i == at || sites[i].Server.ID != s.self && yields(sites[i].Pointer)) {
			gives, closest = sites[i].Pointer, apart
		}
	}
	if gives == p {
		return nil
	}
	return gives
}

// nearest is how far the server of sites[i] is from the nearest other one, 0 if nobody knows.
func nearest(sites []site, i int) time.Duration {
	if !sites[i].coord.Known() {
		return 0
	}
	here, least := sites[i].coord.Point(), time.Duration(math.MaxInt64)
	for j, o := range sites {
		if j != i && o.coord.Known() {
			least = min(least, here.Distance(o.coord.Point()))
		}
	}
	return least
}

// yielding says which of the pointers of one object may give way to one that a neighbor brings:
// those that everybody who has laid them here brings more of than it does, and its own.
func yielding(live []*Pointer, from idspace.ID) func(*Pointer) bool {
	brings := make(map[idspace.ID]int)
	for _, p := range live {
		for _, peer := range p.layers() {
			brings[peer]++
		}
	}
	return func(p *Pointer) bool {
		least, own := math.MaxInt, false
		for _, peer := range p.layers() {
			least, own = min(least, brings[peer]), own || peer == from
		}
		return least > brings[from] || own && least == brings[from]
	}
}
