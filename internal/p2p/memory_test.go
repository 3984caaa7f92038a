package p2p_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"
	"google.golang.org/protobuf/proto"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/p2p"
	"github.com/tapestry-dolr/tapestry/internal/p2ptest"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

func store() datastore.Datastore { return dssync.MutexWrap(datastore.NewMapDatastore()) }

// fresh is a network whose nodes have had no earlier life in this process, where all
// bubbles begin at the same time.
func fresh() string { return fmt.Sprintf("fresh-%d", networks.Add(1)) }

var networks atomic.Uint64

// lives starts a node on h and ends it again, as often as asked, and returns its generations.
func lives(t *testing.T, times int, network string, s datastore.Datastore) (generations []uint64) {
	t.Helper()
	h := p2ptest.NewNet(t, p2ptest.Config{Seed: 77}).Host()
	for range times {
		n, err := p2p.NewWith(h, p2p.Config{Network: network, Store: s}, new(double))
		if err != nil {
			t.Fatal(err)
		}
		generations = append(generations, n.Status().Generation)
		if rec, err := n.Record().Node(); err != nil || rec.Generation != n.Status().Generation {
			t.Errorf("%v, %v", rec, err)
		}
		n.Close()
	}
	return generations
}

func TestANodeThatIsStartedAgainWithinASecondIsAnotherGeneration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := uint64(time.Now().Unix())
		for _, s := range []datastore.Datastore{nil, store()} {
			g := lives(t, 3, fresh(), s)
			if g[0] < begin || g[1] <= g[0] || g[2] <= g[1] {
				t.Errorf("generations %v from %d on", g, begin)
			}
		}
		network := fresh()
		lives(t, 3, network, nil)
		time.Sleep(time.Hour)
		if g := lives(t, 1, network, nil); g[0] != begin+3600 {
			t.Errorf("after an hour generation %d, want the second, %d", g[0], begin+3600)
		}
	})
}

func TestTheGenerationOfAnotherProcessIsInTheDatastore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, network := store(), fresh()
		h := p2ptest.NewNet(t, p2ptest.Config{Seed: 77}).Host()
		key := datastore.NewKey("/tapestry/" + network + "/" + p2p.IDOf(h).String() + "/generation")
		ahead := uint64(time.Now().Unix()) + 1000 // its clock was wrong, or it was started often
		if err := s.Put(t.Context(), key, p2p.Generation(ahead)); err != nil {
			t.Fatal(err)
		}
		n, err := p2p.NewWith(h, p2p.Config{Network: network, Store: s}, new(double))
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		if got := n.Status().Generation; got != ahead+1 {
			t.Errorf("generation %d after %d", got, ahead)
		}
	})
}

// full is a datastore in which nothing can be written.
type full struct{ datastore.Datastore }

var errFull = errors.New("disk full")

func (full) Put(context.Context, datastore.Key, []byte) error { return errFull }

func TestADatastoreThatCannotKeepTheGenerationIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := p2ptest.NewNet(t, p2ptest.Config{Seed: 77}).Host()
		bad := full{store()}
		_, err := p2p.NewWith(h, p2p.Config{Network: "bad", Store: bad}, new(double))
		if !errors.Is(err, errFull) || !strings.Contains(err.Error(), "generation") {
			t.Errorf("%v", err)
		}
		s := store()
		key := datastore.NewKey("/tapestry/bad/" + p2p.IDOf(h).String() + "/generation")
		if err := s.Put(t.Context(), key, []byte("7")); err != nil {
			t.Fatal(err)
		}
		if _, err := p2p.NewWith(h, p2p.Config{Network: "bad", Store: s}, new(double)); err == nil || !strings.Contains(err.Error(), "1 bytes, want 8") {
			t.Errorf("%v", err)
		}
	})
}

func TestRememberedNeighborsAreVerifiedAndJoinedBy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, others := sites(t, 1, p2p.Config{})
		h := net.Host()
		good, forged := someRecordAt(1, "/ip4/1.0.9.1/udp/1/quic-v1"), someRecordAt(2, "/ip4/1.0.9.2/udp/1/quic-v1")
		foreign := newRaw(t, others[0]).record("other")
		forged.Signature[0]++
		b, err := proto.Marshal(&wire.Records{Records: []*wire.SignedRecord{forged, good, foreign}})
		s := store()
		key := datastore.NewKey("/tapestry/" + overlay + "/" + p2p.IDOf(h).String() + "/neighbors")
		if err = errors.Join(err, s.Put(t.Context(), key, b)); err != nil {
			t.Fatal(err)
		}
		n := start(t, h, p2p.Config{Store: s})
		want, _ := good.Node()
		var joins []*env.JoinRequest
		n.onLocal.set(func(w env.World, l env.Local) {
			if j, ok := l.(*env.JoinRequest); ok {
				joins = append(joins, j)
				status := env.NoRoute
				if len(joins) == 2 {
					status = env.OK
				}
				w.Deliver(&env.Outcome{Call: j.Call, Status: status})
			}
		})
		if out, err := n.Join(t.Context(), nil); err != nil || out.Status != env.OK {
			t.Fatalf("%v, %v", out, err)
		}
		if len(joins) != 2 || len(joins[0].Seeds) != 1 || joins[0].Seeds[0] != want.ID() || len(joins[1].Seeds) != 0 {
			t.Errorf("want a join by the good neighbor, and a new overlay when it is gone: %v", joins)
		}
	})
}

func TestAReturnThatNobodyAnswersLeavesTimeToFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := p2ptest.NewNet(t, p2ptest.Config{Seed: 1})
		h := net.Host()
		b, err := proto.Marshal(&wire.Records{Records: []*wire.SignedRecord{someRecordAt(1, "/ip4/1.0.9.1/udp/1/quic-v1")}})
		s := store()
		key := datastore.NewKey("/tapestry/" + overlay + "/" + p2p.IDOf(h).String() + "/neighbors")
		if err = errors.Join(err, s.Put(t.Context(), key, b)); err != nil {
			t.Fatal(err)
		}
		n := start(t, h, p2p.Config{Store: s, Timeout: 10 * time.Second})
		var busy env.Call
		n.onLocal.set(func(w env.World, l env.Local) {
			switch l := l.(type) {
			case *env.JoinRequest:
				if busy != 0 {
					w.Deliver(&env.Outcome{Call: l.Call, Status: env.Busy})
				} else if len(l.Seeds) == 0 {
					w.Deliver(&env.Outcome{Call: l.Call})
				} else {
					busy = l.Call
				}
			case *env.Cancel:
				if l.Call == busy {
					busy = 0
				}
			}
		})
		begin := time.Now()
		if out, err := n.Join(t.Context(), nil); err != nil || out.Status != env.OK || time.Since(begin) != 5*time.Second {
			t.Errorf("%+v, %v after %v", out, err, time.Since(begin))
		}
	})
}
