package central_test

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/sim/model"
	"github.com/tapestry-dolr/tapestry/internal/sim/model/central"
	"github.com/tapestry-dolr/tapestry/internal/sim/model/stagetest"
)

// TestEverythingTakesOneRoundTrip to the index, which is what a central index is for
// (Saroiu et al., MMCN 2002, section 1.1).
func TestEverythingTakesOneRoundTrip(t *testing.T) {
	const oneWay = 20 * time.Millisecond
	o := stagetest.Empty(t, central.Protocol(), stagetest.Flat(oneWay))
	for i := range 100 {
		o.Add(stagetest.ID(i), i)
	}
	o.Settle()
	for _, op := range []model.Op{model.Publish, model.Locate, model.Lookup, model.Unpublish} {
		o.Reset()
		got, took := o.Do(42, model.Request{Op: op, Key: stagetest.Key(1), Want: model.All})
		if !got.OK || took != 2*oneWay || o.Kinds["question"] != 1 || o.Kinds["answer"] != 1 {
			t.Errorf("op %d: %+v in %v, %v", op, got, took, o.Kinds)
		}
	}
}

func TestLookupsLeadToTheIndex(t *testing.T) {
	o := stagetest.New(t, central.Protocol(), 50)
	if right, hops := o.TrueLookups(100); right != 100 || hops < 0.9 || hops > 1 {
		t.Errorf("%d of 100 right, %.2f hops", right, hops)
	}
}

func TestObjectIsFoundWhileItIsThere(t *testing.T) {
	stagetest.Objects(t, central.Protocol(), stagetest.Takes{Back: time.Second})
}

func TestIndexForgetsWhoIsSilent(t *testing.T) {
	o := stagetest.New(t, central.Protocol(), 20)
	o.Do(5, model.Request{Op: model.Publish, Key: stagetest.Key(1)})
	o.Do(6, model.Request{Op: model.Publish, Key: stagetest.Key(2)})
	o.Crash(5)
	o.Leave(6)
	o.Run(2 * time.Minute)
	for i := 1; i <= 2; i++ {
		if got, _ := o.Do(7, model.Request{Op: model.Locate, Key: stagetest.Key(i)}); got.OK {
			t.Errorf("key %d: %+v", i, got)
		}
	}
}

func TestNewMemberIsServed(t *testing.T) {
	o := stagetest.Empty(t, central.Protocol(), stagetest.Flat(time.Millisecond))
	o.Grow(5, time.Second)
	o.Do(4, model.Request{Op: model.Publish, Key: stagetest.Key(1)})
	if got, _ := o.Do(3, model.Request{Op: model.Locate, Key: stagetest.Key(1)}); !got.OK || got.Servers[0] != 4 {
		t.Errorf("%+v", got)
	}
}
