package flood

import (
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/sim/model"
)

type (
	ping struct{ wants bool }
	pong struct {
		accepted bool
		known    []model.Addr
	}
	bye   struct{}
	query struct {
		call      uint64
		key       idspace.ID
		ttl, hops int
	}
	hit struct {
		call   uint64
		server model.Addr
		hops   int
	}
)

// header is that of every message of v0.4; addressSize an address and a port.
const (
	header      = 23
	addressSize = 6
)

func (ping) Kind() string  { return "ping" }
func (pong) Kind() string  { return "pong" }
func (bye) Kind() string   { return "bye" }
func (query) Kind() string { return "query" }
func (hit) Kind() string   { return "hit" }
func (ping) Size() int     { return header }
func (p pong) Size() int   { return header + 14 + addressSize*len(p.known) }
func (bye) Size() int      { return header }
func (query) Size() int    { return header + 2 + idspace.Size }
func (hit) Size() int      { return header + 11 + 16 + idspace.Size }
