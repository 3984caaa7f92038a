package links

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/setting"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// Config holds the cap and the constants of the timeout.
type Config struct {
	// Cap is the most links this node takes part in, whoever uses them. If zero, 160.
	Cap int
	// FirstTimeout is the timeout of a neighbor without a sample. If zero, 500 ms (design §5).
	FirstTimeout time.Duration
	// GuessMin and GuessMax bound three times the coordinates' estimate, which takes its
	// place where there is one. If zero, 300 ms and 1 s (design §5).
	GuessMin, GuessMax time.Duration
	// Slack is added to every timeout for the scheduling of both ends. If zero, 10 ms (Bamboo).
	Slack time.Duration
	// MinTimeout and MaxTimeout bound every timeout. If zero, 100 ms and 5 s (Bamboo's cap).
	MinTimeout, MaxTimeout time.Duration
}

// WithDefaults returns c with zero fields filled in.
func (c Config) WithDefaults() Config {
	setting.Fill(c.settings())
	return c
}

func (c *Config) settings() []setting.Setting {
	return []setting.Setting{
		setting.Of("Cap", &c.Cap, 160),
		setting.Of("FirstTimeout", &c.FirstTimeout, 500*time.Millisecond),
		setting.Of("GuessMin", &c.GuessMin, 300*time.Millisecond),
		setting.Of("GuessMax", &c.GuessMax, time.Second),
		setting.Of("Slack", &c.Slack, 10*time.Millisecond),
		setting.Of("MinTimeout", &c.MinTimeout, 100*time.Millisecond),
		setting.Of("MaxTimeout", &c.MaxTimeout, 5*time.Second),
	}
}

// Validate names the field that makes no sense.
func (c Config) Validate() error {
	if err := setting.Check("links", c.settings()); err != nil {
		return err
	}
	switch {
	case c.Cap < 8:
		return fmt.Errorf("links: Cap is %d, want at least 8", c.Cap)
	case c.GuessMax < c.GuessMin:
		return fmt.Errorf("links: GuessMax %v is below GuessMin %v", c.GuessMax, c.GuessMin)
	case c.MaxTimeout < c.MinTimeout:
		return fmt.Errorf("links: MaxTimeout %v is below MinTimeout %v", c.MaxTimeout, c.MinTimeout)
	}
	return nil
}

// Table holds the links of one node.
type Table struct {
	cfg    Config
	all    []*Link  // in order of ID
	keys   []uint64 // how their IDs begin: a map of them costs twice what the links do
	most   int      // the highest Count so far
	last   *Link    // the one asked for last: a step asks for the same one again and again
	graves []grave  // see Bury
	deaths uint64   // neighbors found dead so far
	closed uint64   // links forgotten so far

	lifetime time.Duration // see Lifetime
	stretch  int           // see SetStretch

	place  place
	uplink uplink
}

// New returns an empty table. cfg must be valid.
func New(cfg Config) *Table {
	return &Table{cfg: cfg}
}

// Count returns how many links there are; Cap bounds it.
func (t *Table) Count() int { return len(t.all) }

// Most returns the highest Count there has been.
func (t *Table) Most() int { return t.most }

// Cap returns the most links there may be.
func (t *Table) Cap() int { return t.cfg.Cap }

// Link returns the link to id, nil if there is none. Only heartbeat may change it.
func (t *Table) Link(id idspace.ID) *Link {
	if t.last != nil && t.last.ID == id {
		return t.last
	}
	if i, ok := t.find(id); ok {
		t.last = t.all[i]
		return t.last
	}
	return nil
}

// find returns where the link to id is, or would be.
func (t *Table) find(id idspace.ID) (int, bool) {
	i, ok := slices.BinarySearch(t.keys, binary.BigEndian.Uint64(id[:]))
	for ; ok && i < len(t.all); i++ { // more than one that begins alike is hardly ever there
		if c := idspace.Compare(t.all[i].ID, id); c >= 0 {
			return i, c == 0
		}
	}
	return i, false
}

// Named returns the link to the node that a short reference means, nil if there is none
// or if it has been started again since.
func (t *Table) Named(r wire.Ref) *Link {
	i, ok := slices.BinarySearch(t.keys, binary.BigEndian.Uint64(r.Prefix[:]))
	if ok && wire.RefTo(t.all[i].ID, t.all[i].Generation) == r {
		return t.all[i]
	}
	return nil
}

// Begins returns the neighbor whose identifier begins so, if there is one.
func (t *Table) Begins(r wire.ServerRef) (id idspace.ID, ok bool) {
	i, ok := slices.BinarySearch(t.keys, binary.BigEndian.Uint64(r[:]))
	if !ok {
		return id, false
	}
	return t.all[i].ID, true
}

// Linked reports whether there is a link to id.
func (t *Table) Linked(id idspace.ID) bool { return t.Link(id) != nil }

// Suspect reports whether id is a neighbor under suspicion.
func (t *Table) Suspect(id idspace.ID) bool {
	l := t.Link(id)
	return l != nil && l.Suspect
}

// RTT returns the smoothed round-trip time to id, if it has been measured.
func (t *Table) RTT(id idspace.ID) (time.Duration, bool) {
	if l := t.Link(id); l != nil && l.srtt > 0 {
		return l.srtt, true
	}
	return 0, false
}

// Timeout returns how long to wait for an acknowledgement from id.
func (t *Table) Timeout(id idspace.ID) time.Duration {
	if l := t.Link(id); l != nil {
		return min(t.Stretched(t.Patience(id))<<min(l.backoff, 8), t.cfg.MaxTimeout)
	}
	return t.cfg.FirstTimeout
}

// SetStretch has this node wait so many times longer than else, because it is slow itself.
// Heartbeat knows by its local health (Lifeguard [5]).
func (t *Table) SetStretch(more int) { t.stretch = more }

// Stretched lengthens a wait as long as this node is slow itself.
func (t *Table) Stretched(d time.Duration) time.Duration { return d * time.Duration(1+t.stretch) }

// Patience is Timeout without the doubling and the stretching: how long a probe of a node that
// keeps up waits, for probes that double find the dead too late (findings A.3).
func (t *Table) Patience(id idspace.ID) time.Duration {
	l := t.Link(id)
	switch {
	case l == nil:
		return t.cfg.FirstTimeout
	case l.srtt == 0:
		return t.allowing(t.first(l), 0)
	}
	return t.allowing(l.patience(&t.cfg), l.least)
}

// allowing lengthens a timeout to what answers have lately had to wait, whoever they came from: the
// samples of one link are too few to follow queues.
func (t *Table) allowing(timeout, least time.Duration) time.Duration {
	return min(max(timeout, least+t.uplink.usual()+t.cfg.Slack), t.cfg.MaxTimeout)
}

// All returns the links in order of ID: a view, not to be kept or changed.
func (t *Table) All() []*Link { return t.all }

// Lifetime returns how long a neighbor lives on average, as heartbeat has seen; 0 while it
// has not watched for long enough.
func (t *Table) Lifetime() time.Duration { return t.lifetime }

// SetLifetime sets it.
func (t *Table) SetLifetime(d time.Duration) { t.lifetime = d }

// rarelyDead is how seldom a neighbor may be dead that is taken for alive.
const rarelyDead = 100

// Fresh reports whether id is a measured neighbor that has been heard so lately that it is
// unlikely, by the lives of neighbors so far, to have died since.
func (t *Table) Fresh(id idspace.ID, now mono.Time) bool {
	l := t.Link(id)
	return l != nil && l.srtt > 0 && !l.Suspect && (t.lifetime == 0 || now.Sub(l.Heard) <= t.lifetime/rarelyDead)
}

// Doors are those neighbors, most of them, by which this node is reached soonest: both use the link, so that both
// know how long it takes and that the other lives. Packed, the nearest first.
func (t *Table) Doors(most int) (packed []byte) {
	both := slices.DeleteFunc(slices.Clone(t.all), func(l *Link) bool {
		return l.Mine == wire.Use_USE_NONE || l.Theirs == wire.Use_USE_NONE || l.Suspect || l.srtt == 0
	})
	slices.SortStableFunc(both, func(a, b *Link) int { return cmp.Compare(a.srtt, b.srtt) })
	for _, l := range both[:min(most, len(both))] {
		r := wire.ServerRefTo(l.ID)
		packed = append(packed, r[:]...)
	}
	return packed
}

// Heard is when anything last came from a neighbor that is not under suspicion.
func (t *Table) Heard(id idspace.ID) (at mono.Time, ok bool) {
	if l := t.Link(id); l != nil && !l.Suspect {
		return l.Heard, true
	}
	return 0, false
}

// Sample takes a measured round trip to id into account.
func (t *Table) Sample(id idspace.ID, rtt time.Duration) {
	if l := t.Link(id); l != nil {
		l.sample(rtt)
	}
}

// Lost doubles id's timeout until the next sample.
func (t *Table) Lost(id idspace.ID) {
	if l := t.Link(id); l != nil {
		l.backoff++
	}
}

// Room says whether a link to id for the given use would be within the cap, and
// which link has to give way for it, if one does.
func (t *Table) Room(id idspace.ID, use wire.Use) (victim *Link, ok bool) {
	if len(t.all) < t.cfg.Cap || t.Linked(id) {
		return nil, true
	}
	for _, l := range t.all {
		if l.Worth() < use && (victim == nil || gives(l, victim)) {
			victim = l
		}
	}
	return victim, victim != nil
}

// gives reports whether a gives way rather than b: the less worth, then the farther.
func gives(a, b *Link) bool {
	if a.Worth() != b.Worth() {
		return a.Worth() < b.Worth()
	}
	return a.srtt > b.srtt
}

// Open returns the link to id, new if there was none. The caller has made Room and
// gives it a use at once.
func (t *Table) Open(id idspace.ID) *Link {
	if l := t.Link(id); l != nil {
		return l
	}
	l := &Link{ID: id}
	i, _ := t.find(id)
	t.all = slices.Insert(t.all, i, l)
	t.keys = slices.Insert(t.keys, i, binary.BigEndian.Uint64(id[:]))
	t.most = max(t.most, len(t.all))
	return l
}

// Close forgets the link to id.
func (t *Table) Close(id idspace.ID) {
	i, ok := t.find(id)
	if !ok {
		return
	}
	t.last = nil
	t.closed++
	t.all = slices.Delete(t.all, i, i+1)
	t.keys = slices.Delete(t.keys, i, i+1)
}

// Closed counts the links forgotten so far.
func (t *Table) Closed() uint64 { return t.closed }

// Expired lists the links whose use by the other side was not renewed in time.
func (t *Table) Expired(now mono.Time) (late []*Link) {
	for _, l := range t.all {
		if l.Theirs != wire.Use_USE_NONE && l.Until.Before(now) {
			late = append(late, l)
		}
	}
	return late
}

// Check returns the first broken invariant.
func (t *Table) Check() error {
	if len(t.all) > t.cfg.Cap || len(t.all) != len(t.keys) {
		return fmt.Errorf("links: %d, %d keys, cap %d", len(t.all), len(t.keys), t.cfg.Cap)
	}
	for i, l := range t.all {
		if i > 0 && idspace.Compare(t.all[i-1].ID, l.ID) >= 0 {
			return fmt.Errorf("links: %s out of order", l.ID.Short())
		}
		if t.keys[i] != binary.BigEndian.Uint64(l.ID[:]) {
			return fmt.Errorf("links: %s under another key", l.ID.Short())
		}
		if l.Worth() == wire.Use_USE_NONE {
			return fmt.Errorf("links: %s is of no use to anybody", l.ID.Short())
		}
	}
	return nil
}
