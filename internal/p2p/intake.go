package p2p

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/time/rate"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

const (
	// maxStreams is how many streams of one peer may be open: the one in use, the one
	// that replaces it, and one that another connection left behind.
	maxStreams = 3
	// maxShunned bounds the memory for peers that are refused.
	maxShunned = 4096
)

// intake is everything that comes in: one source per peer.
type intake struct {
	cfg    *Config
	slowed atomic.Uint64 // signatures that waited because a peer had sent too many

	mu      sync.Mutex
	sources map[peer.ID]*source
	shunned *lru.LRU[peer.ID, time.Time] // until when
}

// source is one peer's sending end, as this node sees it.
type source struct {
	peer   peer.ID
	id     idspace.ID
	credit *credit
	rate   *rate.Limiter  // of frames
	checks *rate.Limiter  // of signatures
	slowed *atomic.Uint64 // signatures that waited, of all peers
	bad    int            // messages with a bad record; the reader's own

	// intake.mu guards these.
	streams int
	current network.Stream // the one that said hello last
	life    uint64         // the peer's generation then
	hasOurs wire.Stamp     // which of this node's records the peer said then that it has
}

func newIntake(cfg *Config) *intake {
	shunned, err := lru.NewLRU[peer.ID, time.Time](maxShunned, nil)
	if err != nil {
		panic(err) // the size is positive
	}
	return &intake{cfg: cfg, sources: map[peer.ID]*source{}, shunned: shunned}
}

// admit takes a new stream of a peer in, or says why not.
func (in *intake) admit(s network.Stream) (*source, error) {
	if s.Conn().Stat().Limited {
		return nil, &fault{why: faultRelayed, code: network.StreamGated}
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	p := s.Conn().RemotePeer()
	if until, ok := in.shunned.Get(p); ok && time.Now().Before(until) {
		return nil, &fault{why: faultShunned, code: network.StreamGated}
	}
	src, ok := in.sources[p]
	if !ok {
		src = &source{
			peer: p, id: idOf(p),
			credit: newCredit(in.cfg.Credit, in.cfg.CreditBytes),
			rate:   rate.NewLimiter(rate.Limit(in.cfg.FrameRate), in.cfg.FrameRate),
			checks: rate.NewLimiter(rate.Limit(in.cfg.CheckRate), in.cfg.CheckRate), slowed: &in.slowed,
		}
		in.sources[p] = src
	}
	if src.streams >= maxStreams {
		return nil, &fault{why: faultStreams, code: network.StreamResourceLimitExceeded}
	}
	src.streams++
	return src, nil
}

// mayCheck waits until the peer may have one more signature checked. Its stream is read no further
// meanwhile, so that nobody else's signatures wait for a processor because of it.
func (src *source) mayCheck(ctx context.Context) error {
	if src.checks.Allow() {
		return nil
	}
	src.slowed.Add(1)
	return src.checks.Wait(ctx)
}

// greeted makes s the peer's stream, instead of the one that it had. life is the peer's generation.
func (in *intake) greeted(src *source, s network.Stream, life uint64, hasOurs wire.Stamp) {
	in.mu.Lock()
	old := src.current
	src.current, src.life, src.hasOurs = s, life, hasOurs
	in.mu.Unlock()
	if old != nil {
		old.ResetWithError(network.StreamSupplanted)
	}
}

// hasOurs returns which of this node's records a peer has, by its last hello in this generation: one
// that was started again has none. It says so once: if a hello without the record was of no use, the
// next one brings it.
func (in *intake) hasOurs(p peer.ID, generation uint64) (has wire.Stamp) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if src := in.sources[p]; src != nil && src.life >= generation {
		has, src.hasOurs = src.hasOurs, wire.Stamp{}
	}
	return has
}

// life is the generation in which a peer has said hello last, 0 if that is over.
func (in *intake) life(p peer.ID) uint64 {
	in.mu.Lock()
	defer in.mu.Unlock()
	if src := in.sources[p]; src != nil && src.current != nil {
		return src.life
	}
	return 0
}

// conn is the connection by which a peer said hello last, nil if that was in an earlier generation
// or is over.
func (in *intake) conn(p peer.ID, generation uint64) network.Conn {
	in.mu.Lock()
	defer in.mu.Unlock()
	src := in.sources[p]
	if src == nil || src.current == nil || src.life < generation || src.current.Conn().IsClosed() {
		return nil
	}
	return src.current.Conn()
}

// ended takes a stream out, and reports whether it was the one in use.
func (in *intake) ended(src *source, s network.Stream) (last bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	src.streams--
	if src.current != s {
		return false
	}
	src.current = nil
	return true
}

// shun refuses a peer for a while.
func (in *intake) shun(p peer.ID) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.shunned.Add(p, time.Now().Add(in.cfg.Backoff))
}

// sweep forgets peers that have neither a stream nor a frame that waits. Until then
// a new stream of theirs begins with what credit and rate the old ones left.
func (in *intake) sweep() {
	in.mu.Lock()
	defer in.mu.Unlock()
	for p, src := range in.sources {
		if src.streams == 0 && src.credit.unused() {
			delete(in.sources, p)
		}
	}
}

// open reports how many peers have a stream in use, and which.
func (in *intake) open() map[idspace.ID]bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	all := map[idspace.ID]bool{}
	for _, src := range in.sources {
		if src.current != nil {
			all[src.id] = true
		}
	}
	return all
}

// credit bounds what of one peer may wait for the loop. Whoever reads its stream
// takes, and while there is none left reads no more: the peer's own writes block,
// and nothing is lost.
type credit struct {
	maxFrames, maxBytes int
	freed               chan struct{}

	mu            sync.Mutex
	frames, bytes int // taken
}

func newCredit(frames, bytes int) *credit {
	return &credit{maxFrames: frames, maxBytes: bytes, freed: make(chan struct{}, 1)}
}

// take waits for the credit of one frame of some bytes. One frame always has credit,
// whatever its size.
func (c *credit) take(ctx context.Context, size int) bool {
	for !c.try(size) {
		select {
		case <-c.freed:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (c *credit) try(size int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.frames > 0 && (c.frames >= c.maxFrames || c.bytes+size > c.maxBytes) {
		return false
	}
	c.frames++
	c.bytes += size
	return true
}

// release gives the credit of one frame back.
func (c *credit) release(size int) {
	c.mu.Lock()
	c.frames--
	c.bytes -= size
	c.mu.Unlock()
	select {
	case c.freed <- struct{}{}:
	default:
	}
}

func (c *credit) unused() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.frames == 0
}
