package publish

import (
	"cmp"
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/batch"
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
)

// farewell is a withdrawal of everything.
type farewell struct {
	keys []pointers.Key // not yet withdrawn, by application
	open int            // withdrawals, of one object or a batch, that some root has not yet acknowledged
}

// OnWithdraw takes everything back that this node serves, because it leaves
// (JSAC §III-C.2), and posts Withdrawn when all roots know or Leave has passed: not
// only enough of them, because soon nobody will ask the others again.
func (p *Publisher) OnWithdraw(e env.Env) {
	if p.leaving != nil {
		return
	}
	p.leaving = &farewell{}
	for _, name := range sortedNames(p.groups) {
		p.endGroup(e, p.groups[name], env.NotJoined)
	}
	for _, o := range p.Served.Sorted() {
		if !o.Laid() {
			p.Served.Remove(o.Key) // nobody knows of it
			continue
		}
		p.leaving.keys = append(p.leaving.keys, o.Key)
	}
	slices.SortStableFunc(p.leaving.keys, func(a, b pointers.Key) int { return cmp.Compare(a.App, b.App) })
	p.arm(e, timerLeft, e.Now().Add(p.cfg.Leave))
	p.onFarewell(e)
}

// onFarewell withdraws the next portion.
func (p *Publisher) onFarewell(e env.Env) {
	f := p.leaving
	if f == nil {
		return
	}
	if !p.batchFarewell(e, f) {
		portion := f.keys[:min(len(f.keys), p.cfg.Portion)]
		f.keys = f.keys[len(portion):]
		f.open += len(portion)
		for _, key := range portion {
			p.Served.Remove(key)
			p.begin(e, &lay{key: key, withdrawn: true, farewell: true})
		}
	}
	switch {
	case p.leaving != f: // ended within begin
	case len(f.keys) > 0:
		p.arm(e, timerFarewell, e.Now().Add(step))
	case f.open == 0:
		p.endFarewell(e)
	}
}

// batchFarewell withdraws what comes next as a batch, if it is enough of one application.
func (p *Publisher) batchFarewell(e env.Env, f *farewell) bool {
	var guids []idspace.ID
	for _, key := range f.keys[:min(len(f.keys), relayBatch)] {
		if key.App != f.keys[0].App {
			break
		}
		guids = append(guids, key.GUID)
	}
	if len(guids) < fewest {
		return false
	}
	part, err := batch.Build(p.cfg.Space, guids, p.cfg.Roots)
	if err != nil {
		return false // two of them have one key: they go one by one
	}
	app := f.keys[0].App
	f.keys = f.keys[len(guids):]
	f.open++
	for _, guid := range guids {
		p.Served.Remove(pointers.Key{GUID: guid, App: app})
	}
	g := p.beginGroup(e, app, guids, part, true, e.Now().Add(p.cfg.Leave))
	g.farewell = f
	p.groups[g.name] = g
	return true
}

// parted notes that one withdrawal is done with.
func (p *Publisher) parted(e env.Env, l *lay) {
	if !l.farewell || p.leaving == nil {
		return
	}
	l.farewell = false
	p.oneParted(e)
}

func (p *Publisher) oneParted(e env.Env) {
	p.leaving.open--
	if p.leaving.open == 0 && len(p.leaving.keys) == 0 {
		p.endFarewell(e)
	}
}

// endFarewell reports that everything was withdrawn, as far as time allowed.
func (p *Publisher) endFarewell(e env.Env) {
	if p.leaving == nil {
		return
	}
	for _, key := range p.leaving.keys {
		p.Served.Remove(key)
	}
	p.leaving, p.left = nil, true
	p.disarm(e, timerLeft)
	p.disarm(e, timerFarewell)
	e.Post(&env.Withdrawn{})
}
