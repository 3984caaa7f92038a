package p2p_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/p2p"
	"github.com/tapestry-dolr/tapestry/internal/p2ptest"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// unknownKind is a well-formed frame of a kind from the future.
func unknownKind() []byte {
	body := protowire.AppendTag(nil, 1000, protowire.BytesType)
	body = protowire.AppendBytes(body, []byte("new"))
	return append(binary.AppendUvarint(nil, uint64(len(body))), body...)
}

func records(all ...*wire.SignedRecord) []byte { return frame(&wire.Records{Records: all}) }

// pointer is the record of an object that names server, signed by r.
func (r *raw) pointer(network string, server idspace.ID) *wire.SignedRecord {
	guid := idspace.Hash([]byte("object"))
	return r.header(&wire.BatchRecord{Network: network, Guid: guid[:], App: "a", Server: server[:]})
}

func (r *raw) header(rec *wire.BatchRecord) *wire.SignedRecord {
	payload, err := proto.Marshal(rec)
	if err != nil {
		panic(err)
	}
	return p2p.Seal(wire.BatchKind, payload, r.key)
}

// publish is a deposit of a pointer on its way.
func (r *raw) publish(pointer *wire.SignedRecord) []byte {
	key := idspace.Hash([]byte("key"))
	return frame(&wire.Routed{
		Key: key[:], BodyKind: wire.BodyKind_BODY_PUBLISH,
		Body: wire.Pack(&wire.Publish{Pointer: pointer, Server: r.record(overlay), Roots: 4, Pulse: &wire.Pulse{Token: make([]byte, 20)}}),
	})
}

// badInput is what a peer may do wrong; each costs it its stream.
var badInput = []struct {
	name, fault string
	code        network.StreamErrorCode
	send        func(r *raw) [][]byte
}{
	{"no hello", "no hello first", network.StreamProtocolViolation, func(r *raw) [][]byte {
		return [][]byte{frame(beacon(1))}
	}},
	{"garbage instead of a hello", "no hello first", network.StreamProtocolViolation, func(r *raw) [][]byte {
		return [][]byte{{3, 1, 2, 3}}
	}},
	{"hello of another network", "foreign network", network.StreamProtocolViolation, func(r *raw) [][]byte {
		h := r.helloMessage()
		h.Network = "other"
		return [][]byte{frame(h)}
	}},
	{"hello with a record of another network", "foreign network", network.StreamProtocolViolation, func(r *raw) [][]byte {
		h := r.helloMessage()
		h.Record = r.record("other")
		return [][]byte{frame(h)}
	}},
	{"hello of another version", "unknown version", network.StreamProtocolViolation, func(r *raw) [][]byte {
		h := r.helloMessage()
		h.Version = 2
		return [][]byte{frame(h)}
	}},
	{"hello of an unknown peer without a record", "hello without a record", network.StreamProtocolViolation, func(r *raw) [][]byte {
		h := r.helloMessage()
		h.Record = nil
		return [][]byte{frame(h)}
	}},
	{"hello with somebody else's record", "record is not the peer's own", network.StreamProtocolViolation, func(r *raw) [][]byte {
		h := r.helloMessage()
		h.Record = someRecord(1)
		return [][]byte{frame(h)}
	}},
	{"hello with a record signed by somebody else", "record is not the peer's own", network.StreamProtocolViolation, func(r *raw) [][]byte {
		h := r.helloMessage()
		h.Record = nodeRecord(overlay, r.host.ID(), p2ptest.Key(99, 1))
		return [][]byte{frame(h)}
	}},
	{"hello twice", "hello again", network.StreamProtocolViolation, func(r *raw) [][]byte {
		return [][]byte{r.hello(), r.hello()}
	}},
	{"malformed frame", "malformed frame", network.StreamProtocolViolation, func(r *raw) [][]byte {
		return [][]byte{r.hello(), {4, 0xff, 0xff, 0xff, 0xff}}
	}},
	{"length that is no number", "malformed frame", network.StreamProtocolViolation, func(r *raw) [][]byte {
		return [][]byte{r.hello(), bytes.Repeat([]byte{0xff}, 11)}
	}},
	{"message beyond its limits", "malformed frame", network.StreamProtocolViolation, func(r *raw) [][]byte {
		return [][]byte{r.hello(), frame(&wire.LeafSet{Refs: make([]byte, 7)})}
	}},
	{"frame too large", "frame too large", network.StreamProtocolViolation, func(r *raw) [][]byte {
		return [][]byte{r.hello(), binary.AppendUvarint(nil, wire.MaxFrame+1)}
	}},
	{"forged records", "bad records", network.StreamProtocolViolation, func(r *raw) [][]byte {
		forged := someRecord(1)
		forged.Signature[3] ^= 1
		return append([][]byte{r.hello()}, slices.Repeat([][]byte{records(forged)}, 5)...)
	}},
	{"flood", "flood", network.StreamRateLimited, func(r *raw) [][]byte {
		return append([][]byte{r.hello()}, slices.Repeat([][]byte{frame(beacon(1))}, 200)...)
	}},
}

func TestBadInputCostsAPeerItsStreamAndNobodyElseAnything(t *testing.T) {
	for _, bad := range badInput {
		t.Run(bad.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, s := sites(t, 2, p2p.Config{FrameRate: 100, Backoff: 10 * time.Second})
				node, good := s[0], s[1]
				good.Act(func(w env.World) { w.SendDial(node.ID(), beacon(1)) })
				r := newRaw(t, node)
				stream := r.open()
				for _, b := range bad.send(r) {
					stream.Write(b)
				}
				if code := resetCode(stream); code != bad.code {
					t.Errorf("stream ended with %#x, want %#x", code, bad.code)
				}
				st := node.Status()
				if st.Faults[bad.fault] != 1 {
					t.Errorf("faults: %v, want %q", st.Faults, bad.fault)
				}
				// It is refused for a while, unless it is merely of another network or version, or
				// could not know that its record has been forgotten.
				again := r.greet()
				refused := resetCode(again) == network.StreamGated
				innocent := []string{"foreign network", "unknown version", "hello without a record"}
				if refused == slices.Contains(innocent, bad.fault) {
					t.Errorf("refused again: %v", refused)
				}
				time.Sleep(11 * time.Second)
				r.write(r.greet(), frame(beacon(2)))
				good.Act(func(w env.World) { w.Send(node.ID(), beacon(3)) })
				time.Sleep(time.Second)
				last := map[idspace.ID]uint64{}
				for _, b := range node.got(wire.KindBeacon) {
					last[b.from] = b.m.(*wire.Beacon).Seq
				}
				if last[good.ID()] != 3 || last[p2p.IDOf(r.host)] != 2 {
					t.Errorf("last beacons: %v", last)
				}
			})
		})
	}
}

func TestAStreamThatEndsWithinAFrameIsAFaultOneBetweenFramesIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 1, p2p.Config{})
		r := newRaw(t, s[0])
		whole := r.greet()
		whole.CloseWrite()
		time.Sleep(time.Second)
		if st := s[0].Status(); len(st.Faults) != 0 {
			t.Errorf("faults: %v", st.Faults)
		}
		cut := r.greet()
		long := frame(&wire.LeafSet{Refs: make([]byte, 100)})
		r.write(cut, long[:50])
		cut.CloseWrite()
		time.Sleep(time.Second)
		if st := s[0].Status(); st.Faults["frame cut off"] != 1 {
			t.Errorf("faults: %v", st.Faults)
		}
	})
}

func TestAFrameOfUnknownKindIsSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 1, p2p.Config{})
		r := newRaw(t, s[0])
		r.write(r.greet(), unknownKind(), frame(beacon(1)))
		time.Sleep(time.Second)
		if len(s[0].got(wire.KindBeacon)) != 1 || s[0].Status().Faults["unknown kind"] != 1 {
			t.Errorf("%d beacons, faults %v", len(s[0].got(wire.KindBeacon)), s[0].Status().Faults)
		}
	})
}

func TestAMessageWithABadRecordIsDroppedWhole(t *testing.T) {
	key := p2ptest.Key(99, 1)
	cases := []struct {
		name string
		send func(r *raw) []byte
	}{
		{"signature", func(r *raw) []byte {
			bad := someRecord(2)
			bad.Signature[0] ^= 1
			return records(someRecord(1), bad)
		}},
		{"payload", func(r *raw) []byte {
			bad := someRecord(2)
			bad.Payload = append(bad.Payload, 0x20, 9) // generation 9
			return records(bad)
		}},
		{"another network", func(r *raw) []byte { return records(r.record("other")) }},
		{"signed by another", func(r *raw) []byte { return records(nodeRecord(overlay, r.host.ID(), key)) }},
		{"no key", func(r *raw) []byte {
			bad := someRecord(2)
			bad.PublicKey = nil
			return records(bad)
		}},
		{"pointer of another server", func(r *raw) []byte {
			return r.publish(r.pointer(overlay, idspace.Hash([]byte("other"))))
		}},
		{"pointer of another network", func(r *raw) []byte {
			return r.publish(r.pointer("other", p2p.IDOf(r.host)))
		}},
		{"node record in place of a pointer", func(r *raw) []byte {
			bad := r.record(overlay)
			bad.PayloadType = []byte(wire.BatchKind)
			return r.publish(bad)
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, s := sites(t, 1, p2p.Config{})
				r := newRaw(t, s[0])
				known := s[0].Status().Known
				r.write(r.greet(), c.send(r), frame(beacon(1)))
				time.Sleep(time.Second)
				if n := len(s[0].got(wire.KindRecords)) + len(s[0].got(wire.KindRouted)); n != 0 {
					t.Error("the message reached the machine")
				}
				if len(s[0].got(wire.KindBeacon)) != 1 {
					t.Error("the link did not survive it")
				}
				if s[0].Status().Faults["bad record"] != 1 {
					t.Errorf("faults: %v", s[0].Status().Faults)
				}
				if got := s[0].Status().Known; got > known+2 {
					t.Errorf("%d nodes in the book, %d before", got, known)
				}
			})
		})
	}
}

// What may stand where is the machine's to say: a header of several objects passes too.
func TestABatchOfItsServerPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 1, p2p.Config{})
		r := newRaw(t, s[0])
		server := p2p.IDOf(r.host)
		several := &wire.BatchRecord{Network: overlay, App: "a", Server: server[:], Count: 2, Roots: make([]byte, 20)}
		r.write(r.greet(), r.publish(r.pointer(overlay, server)), r.publish(r.header(several)))
		time.Sleep(time.Second)
		if len(s[0].got(wire.KindRouted)) != 2 || len(s[0].Status().Faults) != 0 {
			t.Errorf("faults: %v", s[0].Status().Faults)
		}
	})
}

func TestAPeerThatIsAheadOfTheLoopIsReadNoFurther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const credit, sent = 16, 1000
		_, s := sites(t, 3, p2p.Config{Credit: credit, QueueFrames: 2 * sent})
		slow, eager, other := s[0], s[1], s[2]
		for _, x := range s[1:] {
			x.Act(func(w env.World) { w.SendDial(slow.ID(), beacon(0)) })
		}
		time.Sleep(time.Second)
		busy := make(chan struct{})
		slow.onStep.set(func(env.World, idspace.ID, wire.Message) { <-busy })
		eager.Act(func(w env.World) {
			for i := 1; i <= sent; i++ {
				w.Send(slow.ID(), beacon(i))
			}
		})
		time.Sleep(time.Second)
		other.Act(func(w env.World) { w.Send(slow.ID(), beacon(1)) })
		time.Sleep(time.Second)
		// One frame is with the machine; the other peer's waits among the eager one's.
		if n := slow.MailboxLen(); n != credit-1+1 {
			t.Errorf("%d frames in the mailbox, want %d", n, credit)
		}
		close(busy)
		time.Sleep(time.Second)
		next, before := uint64(0), -1
		for i, b := range slow.got(wire.KindBeacon) {
			seq := b.m.(*wire.Beacon).Seq
			switch {
			case b.from == eager.ID() && seq != next:
				t.Fatalf("frame %d after %d", seq, next-1)
			case b.from == eager.ID():
				next++
			case seq == 1:
				before = i
			}
		}
		if next != sent+1 {
			t.Errorf("%d frames of %d arrived", next, sent+1)
		}
		if before < 0 || before > 2*credit {
			t.Errorf("the other peer's frame came as number %d", before)
		}
	})
}

// Signatures cost time: who sends too many waits, and nobody else does.
func TestSignaturesOfOnePeerAreCheckedAtABoundedRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate, sent = 100, 400
		_, s := sites(t, 1, p2p.Config{CheckRate: rate})
		flooder, other := newRaw(t, s[0]), newRaw(t, s[0])
		flood, calm := flooder.greet(), other.greet()
		for i := range sent {
			flooder.write(flood, records(someRecord(i)))
		}
		begin := time.Now()
		other.write(calm, records(someRecord(sent)))
		synctest.Wait()
		took := map[int]time.Duration{} // until so many have come
		for len(s[0].got(wire.KindRecords)) < sent+1 && time.Since(begin) < time.Minute {
			time.Sleep(10 * time.Millisecond)
			took[len(s[0].got(wire.KindRecords))] = time.Since(begin)
		}
		at := slices.IndexFunc(s[0].got(wire.KindRecords), func(got step) bool { return got.from == idOfRaw(t, other) })
		t.Logf("%d signatures in %v, %d of them waited; the other's came as number %d", sent, took[sent+1], s[0].Status().Slowed, at)
		if took[sent+1] < 2*time.Second || took[sent+1] > 4*time.Second || s[0].Status().Slowed < sent-2*rate {
			t.Errorf("%d signatures in %v at %d per second", sent, took[sent+1], rate)
		}
		if at < 0 || at > 2*rate {
			t.Errorf("the other's came as number %d", at)
		}
	})
}

func idOfRaw(t *testing.T, r *raw) idspace.ID {
	t.Helper()
	id, err := idOfKey(r.key)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestASilentStreamIsReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 1, p2p.Config{})
		r := newRaw(t, s[0])
		stream := r.open()
		stream.Write(nil) // negotiate
		time.Sleep(11 * time.Second)
		if s[0].Status().Faults["no hello in time"] != 1 {
			t.Errorf("faults: %v", s[0].Status().Faults)
		}
	})
}

func TestAPeerHasAFewStreamsAndNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 1, p2p.Config{})
		r := newRaw(t, s[0])
		for range 10 {
			r.open().Write([]byte{0x80}) // part of a length
		}
		time.Sleep(time.Second)
		if n := s[0].Status().Faults["too many streams"]; n != 7 {
			t.Errorf("%d streams refused, want 7", n)
		}
	})
}

func TestGossipAboutANodeIsEnoughToDialIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := p2ptest.NewNet(t, p2ptest.Config{})
		a, b, c := start(t, net.Host(), p2p.Config{}), start(t, net.Host(), p2p.Config{}), start(t, net.Host(), p2p.Config{})
		introduce(a, b)
		b.Act(func(w env.World) { w.SendDial(a.ID(), &wire.Records{Records: []*wire.SignedRecord{c.Record()}}) })
		time.Sleep(time.Second)
		if len(a.host.Peerstore().Addrs(c.host.ID())) != 0 {
			t.Error("gossip went into the host's peerstore")
		}
		a.Act(func(w env.World) { w.SendDial(c.ID(), beacon(1)) })
		time.Sleep(time.Second)
		if len(c.got(wire.KindBeacon)) != 1 {
			t.Error("not reached")
		}
	})
}

// The nodes that a locate's answer passes do not check its records, so that a forged one
// comes from an honest neighbor.
func TestTheMessengerOfForgedAnswersKeepsItsLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := sites(t, 1, p2p.Config{})
		r := newRaw(t, s[0])
		forged := someRecord(2)
		forged.Signature[0] ^= 1
		key := p2p.IDOf(s[0].host)
		answer := frame(&wire.Routed{
			Call: 1, Tx: 1, Key: key[:], BodyKind: wire.BodyKind_BODY_LOCATE, Reply: true, HopsLeft: 3,
			Body: wire.Pack(&wire.LocateReply{Replicas: []*wire.FoundReplica{{Pointer: forged, Server: forged}}}),
		})
		link := r.greet()
		for range 20 {
			r.write(link, answer)
		}
		r.write(link, frame(beacon(1)))
		time.Sleep(time.Second)
		if n := len(s[0].got(wire.KindRouted)); n != 0 {
			t.Errorf("%d forged answers reached the machine", n)
		}
		if len(s[0].got(wire.KindBeacon)) != 1 || s[0].Status().Faults["bad record"] != 20 {
			t.Errorf("%d beacons, faults %v", len(s[0].got(wire.KindBeacon)), s[0].Status().Faults)
		}
	})
}
