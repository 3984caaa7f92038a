package world

import (
	"encoding/binary"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/sim/calendar"
)

// timer is one that is set, or one that was stopped and whose event is still to come.
//
// Invariant: each has one event in the calendar, at due or before.
type timer struct {
	key  env.TimerKey
	due  mono.Time
	host int32 // gone if it was stopped
	next int32 // in the host's list, or in the list of free ones
}

const gone = -1

// timerTable finds a host's timers by key: lists by a few bits of the key, which cost a
// node of some hundred timers a tenth of what a map of keys does.
type timerTable struct {
	lists []int32 // power of two
	count int
}

func slot(k *env.TimerKey, lists int) uint64 {
	h := k.N*0x9e3779b97f4a7c15 ^ binary.LittleEndian.Uint64(k.Peer[:]) ^ uint64(k.Room)<<8 ^ uint64(k.What)
	h *= 0xff51afd7ed558ccd
	return h >> 32 & uint64(lists-1)
}

// SetTimer has the node called with k after d; a timer of the same key is replaced.
func (h *Host) SetTimer(k env.TimerKey, d time.Duration) {
	w := h.world
	due := w.now.Add(d)
	if old := w.timer(h, &k); old != nil && old.due <= due {
		old.due = due // its event will find that it came too early
		return
	}
	w.unset(h, &k)
	t := &h.timers
	if t.count >= 2*len(t.lists) {
		w.grow(t)
	}
	i := w.freeTimer
	if i < 0 {
		w.timers = append(w.timers, timer{})
		i = int32(len(w.timers) - 1)
	} else {
		w.freeTimer = w.timers[i].next
	}
	at := &t.lists[slot(&k, len(t.lists))]
	w.timers[i] = timer{key: k, due: due, host: h.number, next: *at}
	*at = i
	t.count++
	w.queue.Push(calendar.Event{At: due, Kind: evTimer, Host: h.number, Arg: i})
}

// StopTimer forgets the timer of key k, if there is one.
func (h *Host) StopTimer(k env.TimerKey) { h.world.unset(h, &k) }

// grow doubles the lists of a host.
func (w *World) grow(t *timerTable) {
	old := t.lists
	t.lists = make([]int32, max(8, 2*len(old)))
	for i := range t.lists {
		t.lists[i] = gone
	}
	for _, i := range old {
		for i >= 0 {
			next := w.timers[i].next
			at := &t.lists[slot(&w.timers[i].key, len(t.lists))]
			w.timers[i].next = *at
			*at = i
			i = next
		}
	}
}

// timer finds a timer that is set, nil if there is none.
func (w *World) timer(h *Host, k *env.TimerKey) *timer {
	if len(h.timers.lists) == 0 {
		return nil
	}
	for i := h.timers.lists[slot(k, len(h.timers.lists))]; i >= 0; i = w.timers[i].next {
		if w.timers[i].key == *k {
			return &w.timers[i]
		}
	}
	return nil
}

// unset takes a timer off its host; its event will find that it is gone.
func (w *World) unset(h *Host, k *env.TimerKey) bool {
	if len(h.timers.lists) == 0 {
		return false
	}
	at := &h.timers.lists[slot(k, len(h.timers.lists))]
	for *at >= 0 {
		t := &w.timers[*at]
		if t.key == *k {
			t.host = gone
			*at = t.next
			h.timers.count--
			return true
		}
		at = &t.next
	}
	return false
}

// fire calls a node with a timer that is due.
func (w *World) fire(e calendar.Event) {
	t := &w.timers[e.Arg]
	h := w.hosts[e.Host]
	live := t.host != gone && !h.down
	if live && w.now < t.due {
		e.At = t.due
		w.queue.Push(e)
		return
	}
	if live && w.deferred(h, e) {
		return
	}
	k := t.key
	if live {
		w.unset(h, &k)
	}
	t.next = w.freeTimer
	w.freeTimer = e.Arg
	if !live || w.Hooks.Mute != nil && w.Hooks.Mute(h, k) {
		return
	}
	w.note(uint64(h.number), uint64(k.Room)<<8|uint64(k.What), k.N)
	h.node.OnTimer(h, k)
	h.settle()
}
