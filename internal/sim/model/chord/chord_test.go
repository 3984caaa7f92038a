package chord_test

import (
	"math"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/sim/model"
	"github.com/tapestry-dolr/tapestry/internal/sim/model/chord"
	"github.com/tapestry-dolr/tapestry/internal/sim/model/stagetest"
)

// The paper's ring: one successor that the routing knows, fingers as they come.
var plain = chord.Config{Successors: 1, Samples: 1}

// TestMeanPathIsHalfTheLogarithm: "the mean path length is about 1/2 log2 N" [9,
// section V-C, figure 10], counted to the key's predecessor, which names the
// successor; our lookups take one hop more, to the successor itself.
func TestMeanPathIsHalfTheLogarithm(t *testing.T) {
	for _, nodes := range []int{256, 2048} {
		o := stagetest.New(t, chord.Protocol(plain), nodes)
		right, hops := o.TrueLookups(400)
		hops--
		want := math.Log2(float64(nodes)) / 2
		t.Logf("%d nodes: %.2f hops, 1/2 log2 N is %.2f", nodes, hops, want)
		if right != 400 || math.Abs(hops-want) > 0.25 {
			t.Errorf("%d nodes: %d of 400 right, %.2f hops, want %.2f", nodes, right, hops, want)
		}
	}
}

// TestSuccessorListAndProximityDoNotLengthenThePath: with the list the last hops are
// saved; a proximity finger may go less far.
func TestSuccessorListAndProximityDoNotLengthenThePath(t *testing.T) {
	o := stagetest.New(t, chord.Protocol(chord.Config{}), 1024)
	right, hops := o.TrueLookups(300)
	t.Logf("%.2f hops", hops)
	if right != 300 || hops > 5 {
		t.Errorf("%d of 300 right, %.2f hops", right, hops)
	}
}

// TestProximityFingersShortenTheWay: PNS(16) is worth a third of the latency or more
// (Dabek et al., NSDI 2004, section 4.3).
func TestProximityFingersShortenTheWay(t *testing.T) {
	latency := func(cfg chord.Config) (sum time.Duration) {
		o := stagetest.New(t, chord.Protocol(cfg), 1000)
		for i := range 200 {
			_, took := o.Do(model.Addr(i), model.Request{Op: model.Lookup, Key: stagetest.Key(i)})
			sum += took / 200
		}
		return sum
	}
	without, with := latency(chord.Config{Samples: 1}), latency(chord.Config{})
	t.Logf("mean lookup, there and back: %v, with proximity %v", without, with)
	if float64(with) > 0.7*float64(without) {
		t.Errorf("mean lookup takes %v, with proximity %v", without, with)
	}
}

func TestRingGrownByJoinsIsRight(t *testing.T) {
	p := chord.Protocol(chord.Config{})
	o := stagetest.Empty(t, p, stagetest.Flat(20*time.Millisecond))
	o.Grow(64, time.Second)
	o.Run(15 * time.Minute) // nodes that join between the same two are found out one by one
	right, hops := o.TrueLookups(200)
	if right != 200 || hops > 4 {
		t.Errorf("%d of 200 right, %.2f hops", right, hops)
	}
}

// TestRingHealsAfterAFifthDies: successor lists survive it [9, section V-D].
func TestRingHealsAfterAFifthDies(t *testing.T) {
	o := stagetest.New(t, chord.Protocol(chord.Config{}), 200)
	o.Run(time.Minute)
	for i := range 40 {
		o.Crash(model.Addr(5 * i))
	}
	o.Run(4 * time.Minute)
	if right, _ := o.TrueLookups(200); right < 198 {
		t.Errorf("%d of 200 right", right)
	}
}

func TestNodeThatComesBackIsFound(t *testing.T) {
	o := stagetest.New(t, chord.Protocol(chord.Config{}), 50)
	o.Crash(7)
	o.Run(20 * time.Second)
	o.Again(7)
	o.Join(7, []model.Peer{o.Peer(1)})
	o.Run(3 * time.Minute)
	if right, _ := o.TrueLookups(200); right != 200 {
		t.Errorf("%d of 200 right", right)
	}
}

func TestObjectIsFoundWhileItIsThere(t *testing.T) {
	stagetest.Objects(t, chord.Protocol(chord.Config{}), stagetest.Takes{Back: 5 * time.Second})
}

func TestPointersSurviveTheirHoldersAndMoveToNewOnes(t *testing.T) {
	p := chord.Protocol(chord.Config{})
	o := stagetest.New(t, p, 100)
	o.Do(3, model.Request{Op: model.Publish, Key: stagetest.Key(0)})
	o.Run(time.Second)
	root := p.Root(o.Live(), stagetest.Key(0))
	if root == 3 {
		t.Fatal("the server is the root")
	}
	o.Crash(root)
	if got, _ := o.Do(50, model.Request{Op: model.Locate, Key: stagetest.Key(0)}); !got.OK {
		t.Error("lost with the successor of its key")
	}
	o.Again(root)
	o.Join(root, []model.Peer{o.Peer(50)})
	o.Run(2 * time.Minute)
	if got, _ := o.Do(51, model.Request{Op: model.Locate, Key: stagetest.Key(0)}); !got.OK {
		t.Error("the successor that came back does not know it")
	}
	o.Leave(root)
	o.Run(time.Second)
	if got, _ := o.Do(52, model.Request{Op: model.Locate, Key: stagetest.Key(0)}); !got.OK {
		t.Error("lost when it left")
	}
}
