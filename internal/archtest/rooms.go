package archtest

import (
	"path"
	"strings"
)

// Room is one room of the house: a folder, with what it may import.
type Room struct {
	// Path is the folder, relative to the module; "." is the root package and a
	// last element "*" stands for any one folder. Folders below belong to the room.
	Path string
	// Layer is its place in design §4; imports go strictly down.
	Layer int
	// Kind tells rooms with a layer from those without.
	Kind RoomKind
	// Only, if not empty, lists all that it may import of this module.
	Only []string
}

// RoomKind says how the rules treat a room.
type RoomKind uint8

// The kinds of room.
const (
	Layered  RoomKind = iota // production code, in a layer
	TestOnly                 // support for tests: production code must not import it
	Tool                     // a generator or check: nobody imports it, it may import all
)

// TopPure is the highest layer of the sans-I/O core: no goroutine, lock, clock or
// socket at or below it (design §4).
const TopPure = 6

// rooms is design §4 as a table. Application messages have a room of their own
// (docs/adr/0005-rooms-for-messages.md).
var rooms = []Room{
	{Path: "internal/idspace", Layer: 0},
	{Path: "internal/mono", Layer: 0},
	{Path: "internal/window", Layer: 0},
	{Path: "internal/setting", Layer: 0},
	{Path: "internal/lease", Layer: 1},
	{Path: "internal/wire", Layer: 1},
	{Path: "internal/batch", Layer: 1},
	{Path: "internal/env", Layer: 1},
	{Path: "neighbormap", Layer: 2},
	{Path: "leafset", Layer: 2},
	{Path: "internal/pointers", Layer: 2},
	{Path: "internal/links", Layer: 2},
	{Path: "surrogate", Layer: 3},
	{Path: "routing", Layer: 4},
	{Path: "internal/tree", Layer: 4},
	{Path: "publish", Layer: 5},
	{Path: "locate", Layer: 5},
	{Path: "heartbeat", Layer: 5},
	{Path: "internal/membership", Layer: 5},
	{Path: "internal/messages", Layer: 5},
	{Path: "internal/multicast", Layer: 5},
	{Path: "internal/witness", Layer: 5},
	{Path: "internal/node", Layer: 6},
	{Path: "internal/p2p", Layer: 7},
	{Path: "internal/seeds", Layer: 7},
	{Path: "internal/published", Layer: 7},
	{Path: "internal/sim", Layer: 7},
	{Path: ".", Layer: 8},
	{Path: "docs", Layer: 8},
	{Path: "cmd/tapestry", Layer: 9},
	{Path: "examples/*", Layer: 9, Only: []string{"."}},
	{Path: "internal/wire/gen", Kind: Tool},
	{Path: "internal/archtest", Kind: Tool},
}

// beside lists the imports within a layer that are allowed nevertheless: env is
// the world as a machine sees it, and what it sees are words (design §4); a lease is one, and so is the header of a batch.
var beside = map[[2]string]bool{
	{"internal/env", "internal/wire"}:   true,
	{"internal/env", "internal/batch"}:  true,
	{"internal/env", "internal/lease"}:  true,
	{"internal/batch", "internal/wire"}: true,
}

// RoomOf finds the room that a folder belongs to: the one with the longest path.
// A folder whose name ends in "test" is support for tests wherever it stands.
func RoomOf(folder string) (room Room, ok bool) {
	for _, r := range rooms {
		if within(folder, r.Path) && (!ok || len(r.Path) > len(room.Path)) {
			room, ok = r, true
		}
	}
	if room.Kind != Tool && strings.HasSuffix(path.Base(folder), "test") {
		return Room{Path: folder, Kind: TestOnly}, true
	}
	if strings.HasSuffix(room.Path, "*") {
		room.Path = folder
	}
	return room, ok
}

// within reports whether folder is the one that pattern names, or below it.
func within(folder, pattern string) bool {
	if pattern == "." {
		return folder == "."
	}
	have, want := strings.Split(folder, "/"), strings.Split(pattern, "/")
	if len(have) < len(want) {
		return false
	}
	match, err := path.Match(pattern, strings.Join(have[:len(want)], "/"))
	return err == nil && match
}

// Pure reports whether the room belongs to the sans-I/O core.
func (r Room) Pure() bool { return r.Kind == Layered && r.Layer <= TopPure }

// mayImport says why from must not import to, or "" if it may.
func (r Room) mayImport(to Room) string {
	switch {
	case r.Kind != Layered:
		return ""
	case r.Path == to.Path:
		return ""
	case to.Kind == TestOnly:
		return "is support for tests"
	case to.Kind == Tool:
		return "is a tool"
	case len(r.Only) > 0 && !contains(r.Only, to.Path):
		return "is not for " + r.Path + ": it may see " + strings.Join(r.Only, ", ") + " alone"
	case to.Layer > r.Layer:
		return "is above"
	case to.Layer == r.Layer && !beside[[2]string{r.Path, to.Path}]:
		return "is beside: strangers to each other"
	}
	return ""
}

func contains(list []string, s string) bool {
	for _, have := range list {
		if have == s {
			return true
		}
	}
	return false
}
