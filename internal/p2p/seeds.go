package p2p

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// ErrNoSeeds: seeds were to be looked up, and there are none.
var ErrNoSeeds = errors.New("no seed to join by")

const (
	// seekFirst and seekMost bound the mean time between two attempts to find an overlay
	// again after everybody was lost: it doubles from attempt to attempt, and is drawn
	// from 0.5 to 1.5 times the mean, so that the nodes of a data center that comes back
	// do not all ask at once.
	seekFirst = time.Second
	seekMost  = time.Minute
	// seekCalm is the mean time after which seeds are looked up anew while all is well:
	// the probe for overlays that formed apart (design §6) asks whom it was told of last.
	seekCalm = 10 * time.Minute
	// seekTime bounds looking them up.
	seekTime = 30 * time.Second

	// rememberFirst is how long after the start the neighbors are remembered first,
	// rememberThen how often after that.
	rememberFirst = 30 * time.Second
	rememberThen  = 5 * time.Minute
	// rememberTime bounds writing them down.
	rememberTime = 2 * time.Second
	// maxReturns is how many remembered neighbors are asked in one join: many may be gone.
	maxReturns = 8
)

// seeds is by whom this node finds an overlay.
type seeds struct {
	source func(context.Context) ([]peer.AddrInfo, error) // looks up more; nil if there is none
	lost   chan struct{}                                  // holds a token once this node may be alone

	mu         sync.Mutex
	given      []peer.AddrInfo // by the last Join
	remembered []idspace.ID    // neighbors of an earlier life
}

func newSeeds(source func(context.Context) ([]peer.AddrInfo, error)) *seeds {
	return &seeds{source: source, lost: make(chan struct{}, 1)}
}

// alone has somebody look whether this node has lost everybody. It never blocks.
func (s *seeds) alone() {
	select {
	case s.lost <- struct{}{}:
	default:
	}
}

// returns are some of the neighbors of an earlier life.
func (s *seeds) returns() []idspace.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Clone(s.remembered)
	rand.Shuffle(len(all), func(a, b int) { all[a], all[b] = all[b], all[a] })
	return all[:min(len(all), maxReturns)]
}

// Join makes the node a member of the overlay that one of the seeds belongs to: those
// given, those that Config.Seeds looks up, and the neighbors of an earlier life. If
// neither of the first two names anybody but this node, and none of the last brings it
// back, it founds an overlay. Config.Seeds finding nothing at all is an error: what was
// meant to be one overlay must not become two because a file was empty.
func (n *Node) Join(ctx context.Context, given []peer.AddrInfo) (*env.Outcome, error) {
	n.seeds.mu.Lock()
	n.seeds.given = slices.Clone(given)
	n.seeds.mu.Unlock()
	named, err := n.lookUp(ctx)
	if err != nil {
		return nil, err
	}
	returns := n.seeds.returns()
	defer n.seeds.alone()
	if len(named) == 0 && len(returns) > 0 {
		if out, err := n.rejoin(ctx, returns); err != nil || out.Status != env.NoRoute {
			return out, err
		}
		returns = nil
	}
	return n.joinBy(ctx, append(named, returns...))
}

// rejoin tries to come back by the neighbors of an earlier life, for half the time there
// is: nobody may be left. That is told as env.NoRoute.
func (n *Node) rejoin(ctx context.Context, by []idspace.ID) (*env.Outcome, error) {
	whole, cancel := n.bounded(ctx)
	defer cancel()
	deadline, _ := whole.Deadline()
	half, cancel := context.WithTimeout(whole, time.Until(deadline)/2)
	defer cancel()
	out, err := n.joinBy(half, by)
	if errors.Is(err, context.DeadlineExceeded) && whole.Err() == nil {
		return &env.Outcome{Status: env.NoRoute}, nil
	}
	return out, err
}

func (n *Node) joinBy(ctx context.Context, ids []idspace.ID) (*env.Outcome, error) {
	return n.Do(ctx, func(call env.Call, _ mono.Time) env.Local {
		return &env.JoinRequest{Call: call, Seeds: ids}
	})
}

// lookUp finds the seeds that are named now, and notes where to dial them. It is an error
// if somebody was to be found and nobody was; seeds that led nowhere beside others that
// did not are only logged.
func (n *Node) lookUp(ctx context.Context) (ids []idspace.ID, err error) {
	n.seeds.mu.Lock()
	infos := slices.Clone(n.seeds.given)
	n.seeds.mu.Unlock()
	if n.seeds.source != nil {
		more, failed := n.seeds.source(ctx)
		infos, err = append(infos, more...), failed
		if err == nil && len(infos) == 0 {
			err = errors.New("the sources name nobody")
		}
	}
	for _, s := range infos {
		if s.ID == n.host.ID() || slices.Contains(ids, idOf(s.ID)) {
			continue
		}
		n.book.seed(s)
		n.forgive(s.ID)
		ids = append(ids, idOf(s.ID))
	}
	switch {
	case err != nil && len(infos) == 0:
		err = fmt.Errorf("%w: %w", ErrNoSeeds, err)
	case err != nil:
		logger.Warnw("some seeds lead nowhere", "error", err)
		err = nil
	}
	return ids, err
}

// seek finds the overlay again when everybody is lost, and remembers neighbors, until the
// node closes.
func (n *Node) seek() {
	calm := time.NewTimer(jitter(seekCalm))
	defer calm.Stop()
	remember := time.NewTimer(rememberFirst)
	defer remember.Stop()
	for {
		select {
		case <-n.seeds.lost:
			n.seekCompany()
		case <-calm.C:
			n.tellSeeds()
			calm.Reset(jitter(seekCalm))
		case <-remember.C:
			n.Remember()
			remember.Reset(jitter(rememberThen))
		case <-n.life.over():
			return
		}
	}
}

// seekCompany looks the seeds up again and again, ever more rarely, until somebody is there.
func (n *Node) seekCompany() {
	for wait := seekFirst; ; wait = min(2*wait, seekMost) {
		again := time.NewTimer(jitter(wait))
		select {
		case <-again.C:
		case <-n.life.over():
			again.Stop()
			return
		}
		if !n.forsaken() || !n.tellSeeds() {
			return
		}
	}
}

// forsaken reports whether this node is a member and linked to nobody.
func (n *Node) forsaken() (yes bool) {
	n.loop.look(func(l *loop) { yes = len(l.uses) == 0 && (n.core == nil || n.core.Active()) })
	return yes
}

// tellSeeds tells the machines of the seeds that are named now, and of the neighbors of
// an earlier life. It reports whether there could be any.
func (n *Node) tellSeeds() bool {
	ctx, cancel := context.WithTimeout(n.life.ctx, seekTime)
	defer cancel()
	ids, err := n.lookUp(ctx)
	if err != nil {
		logger.Warnw("no seeds found", "error", err)
	}
	for _, id := range n.seeds.returns() {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if len(ids) > 0 {
		n.mail.post(&env.Seeds{IDs: ids})
	}
	return len(ids) > 0 || n.seeds.source != nil
}

// recall takes the neighbors of an earlier life into the book. Those whose records are no
// longer good are forgotten.
func (n *Node) recall(ctx context.Context) error {
	records, err := n.memory.neighbors(ctx)
	if err != nil {
		return err
	}
	for _, r := range records {
		if err := n.records.record(ctx, r, nil); err != nil {
			logger.Warnw("a remembered neighbor is forgotten", "error", err)
			continue
		}
		if rec, err := r.Node(); err == nil && rec.ID() != n.self {
			n.seeds.remembered = append(n.seeds.remembered, rec.ID())
		}
	}
	return nil
}

// Remember writes down by whom this node would find back if it were started again. Close
// does so too; whoever leaves calls it before, for after that there is nobody.
func (n *Node) Remember() {
	if n.core == nil || n.memory.store == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), rememberTime)
	defer cancel()
	var records []*wire.SignedRecord
	n.loop.look(func(*loop) { records = n.core.Neighborhood(maxRemembered) })
	if err := n.memory.remember(ctx, records); err != nil {
		logger.Warnw("the neighbors cannot be remembered", "error", err)
	}
}

// jitter draws a time from 0.5 to 1.5 times mean.
func jitter(mean time.Duration) time.Duration { return mean/2 + rand.N(mean+1) }
