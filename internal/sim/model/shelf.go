package model

import (
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
)

// Shelf holds who has which object, each for a time.
type Shelf struct {
	held map[idspace.ID][]Entry
}

// Entry says that Server has an object, Until then.
type Entry struct {
	Server Addr
	Until  mono.Time
}

// Put holds server for key until then.
func (s *Shelf) Put(key idspace.ID, e Entry) {
	if s.held == nil {
		s.held = map[idspace.ID][]Entry{}
	}
	for i, have := range s.held[key] {
		if have.Server == e.Server {
			s.held[key][i].Until = max(have.Until, e.Until)
			return
		}
	}
	s.held[key] = append(s.held[key], e)
}

// Remove forgets server for key.
func (s *Shelf) Remove(key idspace.ID, server Addr) {
	s.keep(key, func(e Entry) bool { return e.Server != server })
}

// keep forgets the entries of key that are not to stay.
func (s *Shelf) keep(key idspace.ID, stays func(Entry) bool) {
	left := slices.DeleteFunc(s.held[key], func(e Entry) bool { return !stays(e) })
	if len(left) > 0 {
		s.held[key] = left
	} else {
		delete(s.held, key)
	}
}

// Drop forgets server for every key.
func (s *Shelf) Drop(server Addr) {
	for _, key := range s.Keys() {
		s.Remove(key, server)
	}
}

// Servers lists who has key at the time now, longest held first.
func (s *Shelf) Servers(key idspace.ID, now mono.Time) (all []Addr) {
	for _, e := range s.held[key] {
		if now.Before(e.Until) {
			all = append(all, e.Server)
		}
	}
	return all
}

// Entries returns what is held for key.
func (s *Shelf) Entries(key idspace.ID) []Entry { return s.held[key] }

// Keys lists the keys held, in order.
func (s *Shelf) Keys() []idspace.ID {
	keys := make([]idspace.ID, 0, len(s.held))
	for key := range s.held { // sorted below
		keys = append(keys, key)
	}
	slices.SortFunc(keys, idspace.Compare)
	return keys
}

// Sweep forgets what has run out.
func (s *Shelf) Sweep(now mono.Time) {
	for _, key := range s.Keys() {
		s.keep(key, func(e Entry) bool { return now.Before(e.Until) })
	}
}

// Forever is later than any run lasts.
const Forever = mono.Time(100 * 365 * 24 * time.Hour)
