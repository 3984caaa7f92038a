package tapestry

import (
	"errors"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/record"
	"github.com/multiformats/go-multiaddr"
	"github.com/tapestry-dolr/tapestry/internal/p2ptest"
)

// about is what the owner of key says of the host p.
func about(t testing.TB, key int, p peer.ID) []byte {
	t.Helper()
	info := peer.AddrInfo{ID: p, Addrs: []multiaddr.Multiaddr{multiaddr.StringCast("/ip4/192.0.2.1/udp/1/quic-v1")}}
	envelope, err := record.Seal(peer.PeerRecordFromAddrInfo(info), p2ptest.Key(1, key))
	if err != nil {
		t.Fatal(err)
	}
	reply, err := envelope.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

func hostOf(t testing.TB, key int) peer.ID {
	t.Helper()
	p, err := peer.IDFromPrivateKey(p2ptest.Key(1, key))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A node speaks for its own host alone, and signs what it says.
func TestWhatAnotherSaysOfAPeerIsNotTaken(t *testing.T) {
	p, other := hostOf(t, 1), hostOf(t, 2)
	if info, err := introduced(p, about(t, 1, p)); err != nil || info.ID != p || len(info.Addrs) != 1 {
		t.Errorf("its own word: %v, %v", info, err)
	}
	for name, reply := range map[string][]byte{
		"signed by another": about(t, 2, p), "of another": about(t, 1, other), "of another by that": about(t, 2, other),
		"nothing": nil, "cut": about(t, 1, p)[:40],
	} {
		if info, err := introduced(p, reply); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

// FuzzIntroduced: whatever a peer answers, what is taken is signed by the peer that was asked for.
func FuzzIntroduced(f *testing.F) {
	p := hostOf(f, 1)
	f.Add(about(f, 1, p))
	f.Add(about(f, 2, p))
	f.Fuzz(func(t *testing.T, reply []byte) {
		info, err := introduced(p, reply)
		if err != nil {
			return
		}
		if envelope, err := record.UnmarshalEnvelope(reply); info.ID != p || err != nil || !p.MatchesPublicKey(envelope.PublicKey) {
			t.Errorf("%v of %x: %v", info, reply, err)
		}
	})
}
