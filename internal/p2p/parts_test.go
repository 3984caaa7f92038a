package p2p

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

func TestEveryFieldOfConfigHasItsDefaultOrNeedsNone(t *testing.T) {
	without := []string{"Network", "Node", "Zone", "Generation", "Seeds", "Store", "Seed", "Observe"}
	c := reflect.ValueOf(Config{}.withDefaults())
	for i := range c.NumField() {
		name := c.Type().Field(i).Name
		if c.Field(i).IsZero() != slices.Contains(without, name) {
			t.Errorf("%s: default %v", name, c.Field(i))
		}
	}
}

func TestValidateNamesTheField(t *testing.T) {
	negative := reflect.TypeFor[Config]()
	for i := range negative.NumField() {
		c := Config{Network: "n"}
		f := reflect.ValueOf(&c).Elem().Field(i)
		if f.Kind() != reflect.Int && f.Kind() != reflect.Int64 {
			continue
		}
		f.SetInt(-1)
		name := negative.Field(i).Name
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), "p2p: "+name+" is ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, c := range []Config{
		{}, {Network: "a/b"}, {Network: strings.Repeat("n", wire.MaxNetwork+1)},
		{Network: "n", Zone: strings.Repeat("z", wire.MaxZone+1)}, {Network: "n", Mailbox: 10, Credit: 11}, {Network: "n", Mailbox: 10},
	} {
		if c.Validate() == nil {
			t.Errorf("%+v passed", c)
		}
	}
	if err := (Config{Network: "n"}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestAQueueShedsMaintenanceFromHalfFullOnAndTheRestWhenFull(t *testing.T) {
	for name, fill := range map[string]batch{
		"frames": {frames: 1, data: make([]byte, 1)},
		"bytes":  {frames: 1, data: make([]byte, 10)},
	} {
		q := newQueue(10, 100)
		if name == "bytes" {
			q = newQueue(1000, 100)
		}
		for i := range 12 {
			wantRow, wantBeacon := "", ""
			if i >= 5 {
				wantRow = queueHalfFull
			}
			if i >= 10 {
				wantRow, wantBeacon = queueFull, queueFull
			}
			if got := q.refuses(wire.KindRow, batch{}); got != wantRow {
				t.Errorf("%s: a row at %d of 10: %q", name, i, got)
			}
			if got := q.refuses(wire.KindBeacon, batch{}); got != wantBeacon {
				t.Errorf("%s: a beacon at %d of 10: %q", name, i, got)
			}
			q.push(fill)
		}
		if b := q.take(); len(b) != 12 || q.refuses(wire.KindRow, batch{}) != "" {
			t.Errorf("%s: %d batches", name, len(b))
		}
	}
	step := batch{frames: 10}
	if newQueue(10, 100).refuses(wire.KindBeacon, step) != queueFull {
		t.Error("what the step under way adds is not counted")
	}
}

func TestCreditIsWaitedForAndNothingIsTooLargeForIt(t *testing.T) {
	c := newCredit(2, 100)
	over, cancel := context.WithCancel(context.Background())
	if !c.take(over, 500) { // alone, whatever its size
		t.Fatal("refused")
	}
	cancel()
	if c.take(over, 1) {
		t.Error("more bytes than there is credit for")
	}
	c.release(500)
	for i := range 3 {
		if c.take(over, 50-25*i) != (i < 2) {
			t.Error("two frames have credit, and the third has not")
		}
	}
	c.release(50)
	c.release(25)
	if !c.unused() {
		t.Error("credit was lost")
	}
}

// slowTimers is timers as one would write them down.
type slowTimers []timer

func (s slowTimers) due(now mono.Time) (keys []env.TimerKey) {
	s = slices.Clone(s)
	slices.SortStableFunc(s, func(a, b timer) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.seq, b.seq)) })
	for _, t := range s {
		if !now.Before(t.at) {
			keys = append(keys, t.key)
		}
	}
	return keys
}

func TestTimersComeAsTheyWereSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fast, slow := newTimers(), slowTimers{}
		forget := func(k env.TimerKey) {
			slow = slices.DeleteFunc(slow, func(x timer) bool { return x.key == k })
		}
		now := mono.Time(1)
		for i := range rapid.IntRange(1, 60).Draw(t, "steps") {
			k := env.TimerKey{N: rapid.Uint64Range(0, 9).Draw(t, "key")}
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				fast.stop(k)
				forget(k)
			case 1:
				now += mono.Time(rapid.IntRange(0, 20).Draw(t, "passed"))
				var got []env.TimerKey
				for k, ok := fast.due(now, fast.set); ok; k, ok = fast.due(now, fast.set) {
					got = append(got, k)
				}
				want := slow.due(now)
				if !slices.Equal(got, want) {
					t.Fatalf("due %v, want %v", got, want)
				}
				for _, k := range want {
					forget(k)
				}
			default:
				at := now + mono.Time(rapid.IntRange(0, 20).Draw(t, "in"))
				fast.start(k, at)
				forget(k)
				slow = append(slow, timer{key: k, at: at, seq: uint64(i)})
			}
			if len(slow) != len(fast.queue) || len(slow) != len(fast.byKey) {
				t.Fatalf("%d timers, want %d", len(fast.queue), len(slow))
			}
		}
	})
}

func testKey(i byte) (crypto.PrivKey, peer.ID) {
	key, _, err := crypto.GenerateEd25519Key(constant(i))
	if err != nil {
		panic(err)
	}
	p, err := peer.IDFromPrivateKey(key)
	if err != nil {
		panic(err)
	}
	return key, p
}

// constant is a source of randomness that is none.
type constant byte

func (c constant) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(c)
	}
	return len(b), nil
}

func signedNode(key crypto.PrivKey, r *wire.NodeRecord) *wire.SignedRecord {
	payload, err := proto.Marshal(r)
	if err != nil {
		panic(err)
	}
	s, err := seal(wire.NodeKind, payload, key)
	if err != nil {
		panic(err)
	}
	return s
}

func TestARecordIsVerifiedOnceAndRemembered(t *testing.T) {
	b, _ := newBook(idspace.ID{}, 2)
	v, _ := newVerifier("n", 10, b)
	key, p := testKey(1)
	r := signedNode(key, &wire.NodeRecord{Network: "n", Peer: []byte(p)})
	if err := v.record(t.Context(), r, nil); err != nil {
		t.Fatal(err)
	}
	// With every slot taken, only what is remembered passes.
	for range cap(v.slots) {
		v.slots <- struct{}{}
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := v.record(over, r, nil); err != nil {
		t.Error("not remembered:", err)
	}
	r.Signature[5] ^= 1
	if err := v.record(over, r, nil); err == nil {
		t.Error("another signature passed as the one remembered")
	}
	r.Signature[5] ^= 1
	for i := byte(2); i < 4; i++ { // push it out of the book
		_, q := testKey(i)
		b.learn(&wire.NodeRecord{Peer: []byte(q)})
	}
	if err := v.record(over, r, nil); !errors.Is(err, context.Canceled) {
		t.Error("a record that the book has forgotten is not taken up again:", err)
	}
}

// A node record leaves out the peer ID that follows from its key: by libp2p's own reckoning.
func TestPeerIDsFollowFromPublicKeys(t *testing.T) {
	for _, kind := range []int{crypto.Ed25519, crypto.Secp256k1, crypto.ECDSA, crypto.RSA} {
		_, public, err := crypto.GenerateKeyPairWithReader(kind, 2048, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := crypto.MarshalPublicKey(public)
		if err != nil {
			t.Fatal(err)
		}
		want, err := peer.IDFromPublicKey(public)
		if err != nil {
			t.Fatal(err)
		}
		if got := peer.ID(wire.PeerOf(raw)); got != want {
			t.Errorf("key of kind %d: peer %v, want %v", kind, got, want)
		}
	}
}

func TestTheBookKnowsItsOwnerAndGivesItNoPlace(t *testing.T) {
	_, p := testKey(1)
	b, _ := newBook(idOf(p), 2)
	b.learn(&wire.NodeRecord{Peer: []byte(p)})
	if !b.knows(idOf(p)) || b.entries.Len() != 0 {
		t.Errorf("the owner is known: %v; %d entries, want none", b.knows(idOf(p)), b.entries.Len())
	}
}

func TestTheBookKeepsTheNewestRecordAndWhatTheUserSaid(t *testing.T) {
	b, _ := newBook(idspace.ID{}, 10)
	_, p := testKey(1)
	at := func(port int) multiaddr.Multiaddr {
		return multiaddr.StringCast(fmt.Sprintf("/ip4/192.0.2.1/tcp/%d", port))
	}
	learn := func(generation, version uint64, port int) {
		b.learn(&wire.NodeRecord{
			Peer: []byte(p), Generation: generation, Version: version, Addrs: [][]byte{at(port).Bytes(), {0xff}},
		})
	}
	if b.seed(peer.AddrInfo{ID: p, Addrs: []multiaddr.Multiaddr{at(1)}}); len(b.addrs(idOf(p))) != 1 {
		t.Error("a seed's address is unknown")
	}
	learn(2, 1, 21)
	learn(1, 9, 19)
	learn(2, 1, 22)
	if got := b.addrs(idOf(p)); len(got) != 2 || !got[0].Equal(at(1)) || !got[1].Equal(at(21)) {
		t.Errorf("addresses %v", got)
	}
	learn(2, 2, 23)
	if got := b.addrs(idOf(p)); !got[1].Equal(at(23)) {
		t.Errorf("addresses %v", got)
	}
	if q, ok := b.peer(idOf(p)); !ok || q != p {
		t.Errorf("peer %v", q)
	}
}

func TestTheOwnRecordChangesWithTheAddressesAlone(t *testing.T) {
	key, p := testKey(1)
	o := newOwn(key, &wire.NodeRecord{Network: "n", Peer: []byte(p), Generation: 5})
	x, y := multiaddr.StringCast("/ip4/192.0.2.1/tcp/1"), multiaddr.StringCast("/ip4/192.0.2.1/tcp/2")
	var versions []uint64
	for _, addrs := range [][]multiaddr.Multiaddr{{x, y}, {y, x}, {x}, slices.Repeat([]multiaddr.Multiaddr{y}, 100)} {
		if _, err := o.update(addrs); err != nil {
			t.Fatal(err)
		}
		rec, err := o.current().Node()
		if err != nil {
			t.Fatal(err)
		}
		versions = append(versions, rec.Version)
	}
	if !slices.Equal(versions, []uint64{1, 1, 2, 3}) {
		t.Errorf("versions %v", versions)
	}
}

func TestALimitIsNamedByItsScope(t *testing.T) {
	addr := multiaddr.StringCast("/ip4/192.0.2.1/tcp/1")
	one := rcmgr.PartialLimitConfig{
		System:      rcmgr.ResourceLimits{Conns: 1, ConnsInbound: 1, Memory: 1 << 20},
		PeerDefault: rcmgr.ResourceLimits{StreamsOutbound: 1},
		ServicePeer: map[string]rcmgr.ResourceLimits{serviceName: {StreamsInbound: rcmgr.BlockAllLimit}},
	}.Build(rcmgr.DefaultLimits.AutoScale())
	rm, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(one), rcmgr.WithMetricsDisabled())
	if err != nil {
		t.Fatal(err)
	}
	defer rm.Close()
	narrow, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(rcmgr.InfiniteLimits), rcmgr.WithMetricsDisabled(),
		rcmgr.WithLimitPerSubnet([]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32}}, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer narrow.Close()
	_, p := testKey(1)
	conn := func() error { _, err := rm.OpenConnection(network.DirInbound, false, addr); return err }
	perIP := func() error { _, err := narrow.OpenConnection(network.DirInbound, false, addr); return err }
	stream := func() error { _, err := rm.OpenStream(p, network.DirOutbound); return err }
	if err := errors.Join(conn(), stream()); err != nil {
		t.Fatal(err)
	}
	service, err := rm.OpenStream(p, network.DirInbound)
	if err != nil {
		t.Fatal(err)
	}
	if err := service.SetProtocol("/x"); err != nil {
		t.Fatal(err)
	}
	for want, err := range map[string]error{
		"system: inbound connection":                conn(),
		"peer: outbound stream":                     stream(),
		"connections per IP address":                perIP(),
		"service:tapestry per peer: inbound stream": service.SetService(serviceName),
		"stream: memory":                            service.ReserveMemory(1<<40, 255),
		"":                                          errors.New("another error"),
	} {
		if got := limitName(err); got != want {
			t.Errorf("%v: named %q, want %q", err, got, want)
		}
	}
}

func TestTheResourceManagerHasRoomForTheLinksItWasMadeFor(t *testing.T) {
	const links = 160
	rm, err := ResourceManager(links)
	if err != nil {
		t.Fatal(err)
	}
	defer rm.Close()
	addr := multiaddr.StringCast("/ip4/192.0.2.1/udp/1/quic-v1") // all behind one address
	for i := range links {
		key, _, _ := crypto.GenerateEd25519Key(constant(byte(i)))
		p, _ := peer.IDFromPrivateKey(key)
		c, err := rm.OpenConnection(network.DirInbound, false, addr)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		if err := c.SetPeer(p); err != nil {
			t.Fatal(err)
		}
		for _, dir := range []network.Direction{network.DirInbound, network.DirOutbound} {
			s, err := rm.OpenStream(p, dir)
			if err == nil {
				err = errors.Join(s.SetProtocol(Protocol("n")), s.SetService(serviceName), s.ReserveMemory(streamMemory, 255))
			}
			if err != nil {
				t.Fatalf("stream %d: %v", i, err)
			}
		}
	}
	if hits := rm.(*limitWatch).hits.all(); len(hits) != 0 {
		t.Errorf("limits hit: %v", hits)
	}
	for range 10 * links {
		rm.OpenConnection(network.DirInbound, false, addr)
	}
	if hits := rm.(*limitWatch).hits.all(); len(hits) == 0 {
		t.Error("no limit is noted, though there must be some")
	}
}

// relayed is a stream on a relayed connection.
type relayed struct{ network.Stream }

func (relayed) Conn() network.Conn { return relayedConn{} }

type relayedConn struct{ network.Conn }

func (relayedConn) Stat() network.ConnStats {
	return network.ConnStats{Stats: network.Stats{Limited: true}}
}

func TestARelayedConnectionCarriesNoFrames(t *testing.T) {
	cfg := Config{}.withDefaults()
	var f *fault
	if _, err := newIntake(&cfg).admit(relayed{}); !errors.As(err, &f) || f.why != faultRelayed {
		t.Errorf("admitted: %v", err)
	}
	n := &Node{}
	if err := n.serveBody(relayed{}); !errors.As(err, &f) || f.why != faultRelayed {
		t.Errorf("served: %v", err)
	}
}

// FuzzBodyHello: whatever comes is read as a hello that may be used, or refused, and
// nothing after it is touched.
func FuzzBodyHello(f *testing.F) {
	var good bytes.Buffer
	if err := sayBody(&good, &wire.StreamHello{App: "app", Guid: make([]byte, 20)}); err != nil {
		f.Fatal(err)
	}
	f.Add(append(good.Bytes(), "body"...))
	f.Add([]byte{0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		hello, err := hearBody(r)
		if err != nil {
			return
		}
		if len(hello.Guid) != 20 || len(hello.App) > wire.MaxApp {
			t.Errorf("passed: %v", hello)
		}
		size, n := binary.Uvarint(b)
		if left := len(b) - n - int(size); r.Len() != left {
			t.Errorf("%d bytes left, want %d", r.Len(), left)
		}
	})
}

func TestOneNodesTimeIsNeverZeroAndConvertsBothWays(t *testing.T) {
	c := newClock()
	if c.now() <= 0 {
		t.Error("time begins at", c.now())
	}
	at := time.Now().Add(time.Minute)
	if d := c.at(c.of(at)).Sub(at); d != 0 {
		t.Error("off by", d)
	}
}

func BenchmarkVerify(b *testing.B) {
	bk, _ := newBook(idspace.ID{}, 10)
	key, p := testKey(1)
	r := signedNode(key, &wire.NodeRecord{Network: "n", Peer: []byte(p)})
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			v, _ := newVerifier("n", 10, bk)
			if err := v.record(b.Context(), r, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	v, _ := newVerifier("n", 10, bk)
	b.Run("again", func(b *testing.B) {
		for b.Loop() {
			if err := v.record(b.Context(), r, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}
