// Package setting fills in and checks the fields of rooms' configurations of which zero means
// the default and everything else has to be positive, as CONTRIBUTING.md wants them.
//
// Layer 0: imports no other room.
package setting

import (
	"fmt"
	"time"
)

// Setting is one such field.
type Setting struct {
	name string
	fill func()
	read func() (value any, positive bool)
}

// Of returns the setting that lies at a place, with its name there and its default.
func Of[T int | time.Duration](name string, at *T, def T) Setting {
	return Setting{
		name: name,
		fill: func() {
			if *at == 0 {
				*at = def
			}
		},
		read: func() (any, bool) { return *at, *at > 0 },
	}
}

// Fill gives those that are zero their defaults.
func Fill(all []Setting) {
	for _, s := range all {
		s.fill()
	}
}

// Check names the first setting of a room that is not positive.
func Check(room string, all []Setting) error {
	for _, s := range all {
		if value, positive := s.read(); !positive {
			return fmt.Errorf("%s: %s is %v, must be positive", room, s.name, value)
		}
	}
	return nil
}
