package p2p_test

import (
	"sync/atomic"
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/p2p"
	"github.com/tapestry-dolr/tapestry/internal/p2ptest"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// BenchmarkFrames sends routed messages of 1 KiB from one node's loop to another's,
// over TCP on loopback, in steps of 16.
func BenchmarkFrames(b *testing.B) {
	const atOnce, ahead = 16, 512
	h := p2ptest.Loopback(b, 1, 2)
	from, to := start(b, h[0], p2p.Config{FrameRate: 1 << 30}), start(b, h[1], p2p.Config{FrameRate: 1 << 30})
	introduce(from, to)
	var arrived atomic.Int64
	room := make(chan struct{}, 1)
	to.quiet.Store(true)
	to.onStep.set(func(_ env.World, _ idspace.ID, m wire.Message) {
		if arrived.Add(1)%atOnce == 0 {
			select {
			case room <- struct{}{}:
			default:
			}
		}
	})
	id := to.ID()
	m := &wire.Routed{Key: id[:], Body: make([]byte, 1<<10)}
	b.ReportAllocs()
	b.SetBytes(1 << 10)
	sent := int64(0)
	for b.Loop() {
		sent++
		if sent%atOnce != 0 {
			continue
		}
		from.Act(func(w env.World) {
			for range atOnce {
				w.SendDial(id, m)
			}
		})
		for sent-arrived.Load() > ahead {
			<-room
		}
	}
}
