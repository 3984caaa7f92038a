package tapestry_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/libp2p/go-libp2p"
	"github.com/multiformats/go-multihash"
	"github.com/tapestry-dolr/tapestry"
	"github.com/tapestry-dolr/tapestry/internal/p2ptest"
)

func TestImpossibleOptionsAreNamed(t *testing.T) {
	for want, o := range map[string]tapestry.Option{
		`WithNetwork("")`:        tapestry.WithNetwork(""),
		`WithNetwork("a/b")`:     tapestry.WithNetwork("a/b"),
		`name of 65 bytes`:       tapestry.WithNetwork(strings.Repeat("x", 65)),
		"WithZone":               tapestry.WithZone(strings.Repeat("x", 129)),
		"WithMaxLinks(3)":        tapestry.WithMaxLinks(3),
		"WithRoots(0, 0)":        tapestry.WithRoots(0, 0),
		"WithRoots(17, 3)":       tapestry.WithRoots(17, 3),
		"WithRoots(4, 5)":        tapestry.WithRoots(4, 5),
		"ServersPerGUID is -1":   tapestry.WithLimits(tapestry.Limits{ServersPerGUID: -1}),
		"want 1 to 4 acknowledg": tapestry.WithRoots(4, 0),
	} {
		_, err := tapestry.New(nil, o)
		if !errors.Is(err, tapestry.ErrOption) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
	_, err := tapestry.New(nil, tapestry.WithMaxLinks(1), tapestry.WithNetwork(""))
	if err == nil || !strings.Contains(err.Error(), "WithMaxLinks") || !strings.Contains(err.Error(), "WithNetwork") {
		t.Errorf("%v does not name both", err)
	}
	if _, err := libp2p.New(tapestry.HostOptions(3)); !errors.Is(err, tapestry.ErrOption) {
		t.Errorf("HostOptions(3): %v", err)
	}
}

func TestOptionsReachTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, err := tapestry.New(p2ptest.NewNet(t, p2ptest.Config{}).Host(),
			tapestry.WithNetwork("mine"), tapestry.WithMaxLinks(50), tapestry.WithRoots(2, 1), tapestry.WithZone("a/b"))
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		if err := errors.Join(n.Join(t.Context()), n.WaitReady(t.Context())); err != nil {
			t.Fatal(err)
		}
		if s := n.Status(); s.Network != "mine" || s.MaxLinks != 50 || !s.Ready || s.ID != n.ID() {
			t.Errorf("%+v", s)
		}
		if x, err := n.Explain(t.Context(), n.ID(), app); err != nil || len(x.Paths) != 2 || x.Answer != "absent" {
			t.Errorf("%+v, %v", x, err)
		}
	})
}

func TestStatusPrintsAsJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := json.Marshal(world(t, 2)[0].Status())
		if err != nil {
			t.Fatal(err)
		}
		var back tapestry.Status
		if err := json.Unmarshal(b, &back); err != nil || len(back.Neighbors) != 1 || !back.Ready {
			t.Errorf("%s: %+v, %v", b, back, err)
		}
	})
}

func TestIDsOfTheSameThingAreTheSame(t *testing.T) {
	data := []byte("some content")
	sum, err := multihash.Sum(data, multihash.SHA2_256, -1)
	if err != nil {
		t.Fatal(err)
	}
	g, err := tapestry.GUIDFromReader(strings.NewReader(string(data)))
	if err != nil || g != tapestry.GUIDFromBytes(data) {
		t.Errorf("%s from a reader, %s from bytes, %v", g, tapestry.GUIDFromBytes(data), err)
	}
	if tapestry.GUIDFromMultihash(sum) != tapestry.GUIDFromBytes(sum) {
		t.Error("a multihash is named by its bytes")
	}
	if back, err := tapestry.ParseID(g.String()); err != nil || back != g {
		t.Errorf("%s parses as %s, %v", g, back, err)
	}
}

func TestOpErrorSaysWhatFailedForWhat(t *testing.T) {
	err := error(&tapestry.OpError{Op: "locate", ID: tapestry.ID{0xab}, Err: tapestry.ErrNotFound})
	if want := "tapestry: locate ab" + strings.Repeat("0", 38) + ": no such object"; err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if (&tapestry.OpError{Op: "join", Err: tapestry.ErrClosed}).Error() != "tapestry: join: node closed" {
		t.Error("an ID that is none is printed")
	}
}
