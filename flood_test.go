package tapestry_test

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/record"
	"google.golang.org/protobuf/proto"

	"github.com/tapestry-dolr/tapestry"
	"github.com/tapestry-dolr/tapestry/internal/lease"
	"github.com/tapestry-dolr/tapestry/internal/p2p"
	"github.com/tapestry-dolr/tapestry/internal/p2ptest"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// flooder is a peer that makes servers up, and lays their pointers at a node.
type flooder struct {
	t     *testing.T
	to    network.Stream
	chain *lease.Chain
	made  int
}

// newFlooder links a bare host to a node.
func newFlooder(t *testing.T, from, to host.Host) *flooder {
	t.Helper()
	f := &flooder{t: t, chain: lease.New([4]uint64{1, 2, 3, 4})}
	if err := from.Connect(t.Context(), *host.InfoFromHost(to)); err != nil {
		t.Fatal(err)
	}
	s, err := from.NewStream(t.Context(), to.ID(), p2p.Protocol("default"))
	if err != nil {
		t.Fatal(err)
	}
	f.to = s
	key := from.Peerstore().PrivKey(from.ID())
	f.send(&wire.Hello{Version: 1, Network: "default", Record: f.node(key)})
	return f
}

func (f *flooder) send(m wire.Message) {
	f.t.Helper()
	frame, err := wire.AppendFrame(nil, m)
	if err == nil {
		_, err = f.to.Write(frame)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// payload is what a record says, as libp2p seals it.
type payload struct {
	kind  wire.RecordKind
	bytes []byte
}

func (*payload) Domain() string                   { return wire.Domain }
func (p *payload) Codec() []byte                  { return []byte(p.kind) }
func (p *payload) MarshalRecord() ([]byte, error) { return p.bytes, nil }
func (p *payload) UnmarshalRecord([]byte) error   { return errors.New("only sealed here") }

func (f *flooder) seal(key crypto.PrivKey, kind wire.RecordKind, m proto.Message) *wire.SignedRecord {
	f.t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		f.t.Fatal(err)
	}
	envelope, err := record.Seal(&payload{kind, b}, key)
	if err != nil {
		f.t.Fatal(err)
	}
	raw, err := envelope.Marshal()
	if err != nil {
		f.t.Fatal(err)
	}
	signed := new(wire.SignedRecord)
	if err := proto.Unmarshal(raw, signed); err != nil {
		f.t.Fatal(err)
	}
	return signed
}

func (f *flooder) node(key crypto.PrivKey) *wire.SignedRecord {
	f.t.Helper()
	p, err := peer.IDFromPrivateKey(key)
	if err != nil {
		f.t.Fatal(err)
	}
	anchor := f.chain.Anchor()
	return f.seal(key, wire.NodeKind, &wire.NodeRecord{
		Network: "default", Peer: []byte(p), Generation: 1, Version: 1, Lease: anchor[:],
	})
}

// lay makes servers up, each with a pointer to an object of its own, and every other one with one
// to an object of somebody else.
func (f *flooder) lay(count int, other tapestry.GUID) {
	f.t.Helper()
	token := f.chain.Token(0)
	for range count {
		f.made++
		key, public, err := crypto.GenerateEd25519Key(rand.Reader)
		if err != nil {
			f.t.Fatal(err)
		}
		p, err := peer.IDFromPublicKey(public)
		if err != nil {
			f.t.Fatal(err)
		}
		server, g := tapestry.NodeIDFromPeer(p), tapestry.GUIDFromBytes(binary.BigEndian.AppendUint64(nil, uint64(f.made)))
		if f.made%2 == 0 {
			g = other
		}
		f.send(&wire.Deposit{
			Server: f.node(key), Copy: wire.Copy_COPY_PATH, Pulse: &wire.Pulse{Token: token[:]},
			Laid: []*wire.Laid{{
				Pointer: f.seal(key, wire.BatchKind, &wire.BatchRecord{
					Network: "default", Guid: g[:], App: string(app), Server: server[:], Generation: 1, Counter: 1, LifeS: 3600,
				}),
				Roots: 4, LeftS: 3600,
			}},
		})
	}
}

// heap is what the process keeps, in bytes.
func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// A peer that lays the pointers of servers that it has made up, as fast as it can and each of them
// valid, fills its share of a node and no more: what others have laid there stays, what they lay
// now is taken in, and the node does not grow.
func TestAFloodOfPointersTakesNobodysPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most, servers = 400, 16
		net := p2ptest.NewNet(t, p2ptest.Config{Seed: 1})
		hosts := net.Hosts(3, tapestry.HostOptions(tapestry.DefaultMaxLinks))
		limits := tapestry.WithLimits(tapestry.Limits{Pointers: most, ServersPerGUID: servers})
		honest := founder(t, hosts[0], limits)
		victim := founder(t, hosts[1], limits, tapestry.WithSeeds(tapestry.SeedList{*host.InfoFromHost(hosts[0])}))
		time.Sleep(settle)
		all := guids(80)
		before, during := all[:40], all[40:]
		if _, err := honest.PublishObjects(t.Context(), app, slices.Values(before)); err != nil {
			t.Fatal(err)
		}
		f := newFlooder(t, hosts[2], hosts[1])
		size := 0
		for round := range 4 {
			f.lay(1000, before[0])
			time.Sleep(5 * time.Second)
			if r, err := honest.PublishObjects(t.Context(), app, slices.Values(during[10*round:10*round+10])); err != nil {
				t.Errorf("round %d: %d placed: %v", round, r.Placed, err)
			}
			s := victim.Status()
			kept := heap()
			t.Logf("%d servers made up: %d pointers of %d servers, %d bytes, refused %v, %d pushed out, heap %d kB",
				f.made, s.Pointers, s.Store.Servers, s.Store.Bytes, s.Store.RefusedFor, s.Store.Evicted, kept>>10)
			if s.Pointers > most {
				t.Errorf("%d pointers", s.Pointers)
			}
			if round > 0 && s.Store.Bytes > size+size/2 {
				t.Errorf("the store has grown from %d to %d bytes", size, s.Store.Bytes)
			}
			size = max(size, s.Store.Bytes)
		}
		if s := victim.Status().Store; s.RefusedFor["pointers brought by one peer"] < 1000 {
			t.Errorf("refused: %v", s.RefusedFor)
		}
		found := 0
		for i, g := range all {
			ids, err := replicas(t, victim, g, tapestry.All())
			if err != nil || !slices.Contains(ids, honest.ID()) {
				t.Errorf("object %d: %d servers, %v", i, len(ids), err)
				continue
			}
			found++
		}
		t.Logf("%d of %d objects of others are found", found, len(all))
	})
}
