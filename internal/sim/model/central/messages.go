package central

import (
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/sim/model"
)

type (
	hello    struct{}
	bye      struct{}
	question struct {
		call uint64
		op   model.Op
		key  idspace.ID
	}
	answer struct {
		call    uint64
		servers []model.Addr
	}
)

// serverSize is an address, a port and a line speed, as Napster named them.
const serverSize = 8

func (hello) Kind() string    { return "hello" }
func (bye) Kind() string      { return "bye" }
func (question) Kind() string { return "question" }
func (answer) Kind() string   { return "answer" }
func (hello) Size() int       { return 4 }
func (bye) Size() int         { return 4 }
func (question) Size() int    { return 4 + 8 + idspace.Size }
func (a answer) Size() int    { return 4 + 8 + serverSize*len(a.servers) }
