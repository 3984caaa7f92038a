package pointers

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
)

// Cached is a pointer that does not lie here, in no Store: First, a neighbor, has it or knows the way. Nobody says when it
// is withdrawn, so that it is good for a few seconds, and for those whom its server may turn away.
type Cached struct {
	*Pointer
	First idspace.ID
}

// NewCached returns a cached pointer made of d.
func NewCached(d Deposit, server *Server, far time.Duration, first idspace.ID) Cached {
	p := &Pointer{Key: d.Key(), Server: server, header: newHeader(d.Signed, d.Record), Latency: far}
	p.stand(d)
	return Cached{p, first}
}
