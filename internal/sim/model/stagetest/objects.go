package stagetest

import (
	"slices"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/sim/model"
)

// Flat is a network in which every message takes as long.
type Flat time.Duration

// OneWay is that long.
func (d Flat) OneWay(int, int) time.Duration { return time.Duration(d) }

// Takes says what a protocol promises of an object that is taken back.
type Takes struct {
	Back time.Duration // after so long it is not found; 0: no promise
}

// Objects goes through the life of an object with two servers at 60 nodes.
func Objects(t *testing.T, p model.Protocol, takes Takes) {
	o := New(t, p, 60)
	key, servers := Key(1), []model.Addr{11, 42}
	if got, _ := o.Do(20, model.Request{Op: model.Locate, Key: key}); got.OK {
		t.Errorf("found before it was published: %+v", got)
	}
	for _, at := range servers {
		if got, _ := o.Do(at, model.Request{Op: model.Publish, Key: key}); !got.OK {
			t.Errorf("publish at %d: %+v", at, got)
		}
	}
	o.Run(2 * time.Second)
	for _, at := range []model.Addr{1, 30, 59} {
		got, _ := o.Do(at, model.Request{Op: model.Locate, Key: key, Want: model.All})
		slices.Sort(got.Servers)
		if !got.OK || !slices.Equal(got.Servers, servers) {
			t.Errorf("%d finds %+v, want %v", at, got, servers)
		}
		got, _ = o.Do(at, model.Request{Op: model.Deliver, Key: key})
		if !got.OK || len(got.Servers) != 1 || got.Servers[0] != o.Delivered[got.Call] {
			t.Errorf("%d delivers %+v, and %d got it", at, got, o.Delivered[got.Call])
		}
	}
	for _, r := range []model.Request{{Op: model.Locate, Key: key}, {Op: model.Deliver, Key: key}} {
		if got, took := o.Do(42, r); !got.OK || !slices.Equal(got.Servers, servers[1:]) || took != 0 {
			t.Errorf("a server finds %+v after %v, want itself at once", got, took)
		}
	}
	o.Run(2 * time.Minute)
	if got, _ := o.Do(31, model.Request{Op: model.Locate, Key: key}); !got.OK {
		t.Error("not found after two minutes")
	}
	o.Do(11, model.Request{Op: model.Unpublish, Key: key})
	for range 5 {
		got, _ := o.Do(32, model.Request{Op: model.Deliver, Key: key})
		if !got.OK || o.Delivered[got.Call] != 42 {
			t.Errorf("delivers %+v to %d, want 42", got, o.Delivered[got.Call])
		}
	}
	o.Do(42, model.Request{Op: model.Unpublish, Key: key})
	o.Run(takes.Back)
	if got, _ := o.Do(33, model.Request{Op: model.Locate, Key: key}); got.OK && takes.Back > 0 {
		t.Errorf("found when nobody has it: %+v", got)
	}
	if got, _ := o.Do(33, model.Request{Op: model.Deliver, Key: key}); got.OK {
		t.Errorf("delivered when nobody has it: %+v", got)
	}
}
