package p2p_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/proto"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/p2p"
	"github.com/tapestry-dolr/tapestry/internal/p2ptest"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// overlay is the network's name in tests.
const overlay = "test"

func connect(t testing.TB, from, to host.Host) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := from.Connect(ctx, peer.AddrInfo{ID: to.ID(), Addrs: to.Addrs()}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // bubble: until identify is over
}

// use has a tell its world that it uses its link to b.
func use(a, b *site, u wire.Use) {
	a.Act(func(w env.World) { w.Emit(&env.LinkUsed{Peer: b.ID(), Mine: u}) })
}

func smallConnMgr(t testing.TB) *connmgr.BasicConnMgr {
	cm, err := connmgr.NewConnManager(20, 40)
	if err != nil {
		t.Fatal(err)
	}
	return cm
}

// raw is a bare host that speaks to a node as it likes.
type raw struct {
	t    testing.TB
	host host.Host
	key  crypto.PrivKey
	node *site
}

func newRaw(t testing.TB, to *site) *raw {
	t.Helper()
	h := to.net.Host()
	connect(t, h, to.host)
	return &raw{t, h, h.Peerstore().PrivKey(h.ID()), to}
}

func (r *raw) open() network.Stream {
	r.t.Helper()
	s, err := r.host.NewStream(context.Background(), r.node.host.ID(), p2p.Protocol(overlay))
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *raw) write(s network.Stream, frames ...[]byte) {
	r.t.Helper()
	for _, f := range frames {
		if _, err := s.Write(f); err != nil {
			r.t.Fatal(err)
		}
	}
}

// greet opens a stream and says hello as one should.
func (r *raw) greet() network.Stream {
	r.t.Helper()
	s := r.open()
	r.write(s, r.hello())
	return s
}

func (r *raw) hello() []byte { return frame(r.helloMessage()) }

func (r *raw) helloMessage() *wire.Hello {
	return &wire.Hello{Version: 1, Network: overlay, Record: r.record(overlay)}
}

// record is the raw host's own record.
func (r *raw) record(network string) *wire.SignedRecord {
	return nodeRecord(network, r.host.ID(), r.key)
}

// nodeRecord is a record of a peer, signed by key.
func nodeRecord(network string, p peer.ID, key crypto.PrivKey) *wire.SignedRecord {
	payload, err := proto.Marshal(&wire.NodeRecord{Network: network, Peer: []byte(p), Generation: 1, Version: 1})
	if err != nil {
		panic(err)
	}
	return p2p.Seal(wire.NodeKind, payload, key)
}

// someRecord is the record of a node that does not run.
func someRecord(i int) *wire.SignedRecord {
	key := p2ptest.Key(99, i)
	p, err := peer.IDFromPrivateKey(key)
	if err != nil {
		panic(err)
	}
	return nodeRecord(overlay, p, key)
}

func frame(m wire.Message) []byte {
	f, err := wire.AppendFrame(nil, m)
	if err != nil {
		panic(err)
	}
	return f
}

// resetCode is what the other end reset s with; 0 if it did not.
func resetCode(s network.Stream) network.StreamErrorCode {
	s.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	_, err := io.ReadAll(s)
	var reset *network.StreamError
	if errors.As(err, &reset) && reset.Remote {
		return reset.ErrorCode
	}
	return 0
}

func idOfKey(key crypto.PrivKey) (idspace.ID, error) {
	p, err := peer.IDFromPrivateKey(key)
	return idspace.Hash([]byte(p)), err
}

// someRecordAt is the record of a node that does not run, at an address.
func someRecordAt(i int, addr string) *wire.SignedRecord {
	key := p2ptest.Key(99, i)
	p, err := peer.IDFromPrivateKey(key)
	if err != nil {
		panic(err)
	}
	payload, err := proto.Marshal(&wire.NodeRecord{
		Network: overlay, Peer: []byte(p), Generation: 1, Version: 1, Addrs: [][]byte{multiaddr.StringCast(addr).Bytes()},
	})
	if err != nil {
		panic(err)
	}
	return p2p.Seal(wire.NodeKind, payload, key)
}

// tinyLimits lets a host have two connections.
func tinyLimits(t testing.TB) network.ResourceManager {
	limits := rcmgr.PartialLimitConfig{System: rcmgr.ResourceLimits{Conns: 2, ConnsOutbound: 2}}
	rm, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits.Build(rcmgr.InfiniteLimits)), rcmgr.WithMetricsDisabled())
	if err != nil {
		t.Fatal(err)
	}
	return rm
}
