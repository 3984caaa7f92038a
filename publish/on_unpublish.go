package publish

import (
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
)

// OnUnpublish takes an object back (JSAC §III-A: UnpublishObject): it is served no
// longer from now on, and a tombstone walks its paths. What a former life of this
// node published can be taken back too.
func (p *Publisher) OnUnpublish(e env.Env, m *env.UnpublishRequest) {
	key := pointers.Key{GUID: m.GUID, App: m.App}
	if !p.serves(e, m.Call, key) {
		return
	}
	p.Served.Remove(key)
	j := p.newJob(e, m.Call, m.Deadline)
	p.begin(e, &lay{key: key, withdrawn: true, jobs: []*job{j}})
}
