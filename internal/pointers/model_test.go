package pointers_test

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/envtest"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// slow is the obvious store: one list of pointers, scanned for everything. Names stand for
// what they are the hashes of.
type slow struct {
	self    string
	limits  pointers.Limits
	list    []*slowPointer
	in      map[slowBranch]mono.Time // deadlines of the branches that come in
	out     map[slowBranch]bool      // branches that go out and were not cut
	buried  map[string]mono.Time
	doubted map[string]mono.Time
	accused map[string][]*slowAccusation
}

type slowPointer struct {
	guid, app, server string
	sequence          uint64
	size              int          // of its record, or of what proves it
	proven            map[int]bool // under which salts; none if it is alone
	renewable         bool         // it is of a batch that may be renewed
	state             pointers.State
	latency           mono.Time
	ends              mono.Time // its record
	lies              map[lie]bool
}

// slowBranch is one end of a link of a server's tree.
type slowBranch struct {
	server, peer string
	copy         wire.Copy
}

type slowAccusation struct {
	by      string
	open    bool
	refuted int
}

func newSlow(self string, limits pointers.Limits) *slow {
	return &slow{
		self: self, limits: limits, in: make(map[slowBranch]mono.Time), out: make(map[slowBranch]bool),
		buried: make(map[string]mono.Time), doubted: make(map[string]mono.Time), accused: make(map[string][]*slowAccusation),
	}
}

func (s *slow) find(guid, app, server string) *slowPointer {
	for _, p := range s.list {
		if p.guid == guid && p.app == app && p.server == server {
			return p
		}
	}
	return nil
}

func (s *slow) count(match func(*slowPointer) bool) (n int) {
	for _, p := range s.list {
		if match(p) {
			n++
		}
	}
	return n
}

// theirs is what others have made this node keep.
func (s *slow) theirs() (pointers, bytes, lies int) {
	for server := range s.known() {
		if server != s.self {
			bytes += sizeOfServer(server)
		}
	}
	for _, p := range s.list {
		if p.server == s.self {
			continue
		}
		pointers, bytes = pointers+1, bytes+p.size
		for l := range p.lies {
			if !l.out {
				lies++
			}
		}
	}
	return pointers, bytes, lies
}

// brought is what of it a neighbor has laid here.
func (s *slow) brought(peer string) (pointers, bytes, lies int) {
	servers := make(map[string]bool)
	for _, p := range s.list {
		before := lies
		for l := range p.lies {
			if !l.out && l.peer == peer && p.server != s.self {
				lies++
			}
		}
		if lies > before {
			pointers, bytes, servers[p.server] = pointers+1, bytes+p.size, true
		}
	}
	for server := range servers {
		bytes += sizeOfServer(server)
	}
	return pointers, bytes, lies
}

// fits applies the limits to a new pointer for which something is freed: what is left of them,
// and that nobody brings more than that.
func (s *slow) fits(d put, freed *slowPointer) bool {
	count, bytes, lies := s.theirs()
	if freed != nil {
		count, bytes, lies = count-1, bytes-freed.size, lies-1
	}
	left, leftBytes, leftLies := s.limits.PerNode-count, s.limits.Bytes-bytes, 4*s.limits.PerNode-lies
	takes := d.size()
	if !s.known()[d.server] {
		takes += sizeOfServer(d.server)
	}
	if left < 1 || leftLies < 1 || takes > leftBytes {
		return false
	}
	if freed != nil && freed.from(d.from) {
		return true
	}
	takes = d.size()
	if !s.comesFrom(d.server, d.from) {
		takes += sizeOfServer(d.server)
	}
	has, hasBytes, hasLies := s.brought(d.from)
	return has+1 <= left && hasBytes+takes <= leftBytes && hasLies+1 <= leftLies
}

// from reports whether a neighbor has laid p here.
func (p *slowPointer) from(peer string) bool {
	for l := range p.lies {
		if !l.out && l.peer == peer {
			return true
		}
	}
	return false
}

// brings counts the servers of an object that a neighbor names.
func (s *slow) brings(live []*slowPointer, peer string) (n int) {
	for _, p := range live {
		if p.from(peer) {
			n++
		}
	}
	return n
}

// yields reports whether p may give way to what a neighbor brings.
func (s *slow) yields(live []*slowPointer, p *slowPointer, to string) bool {
	least := len(live) + 1
	for l := range p.lies {
		if !l.out {
			least = min(least, s.brings(live, l.peer))
		}
	}
	mine := s.brings(live, to)
	return least > mine || least == mine && p.from(to)
}

func sizeOfServer(name string) int {
	r := envtest.Node(name, 1)
	return len(r.Payload) + len(r.PublicKey) + len(r.Signature) + len(r.PayloadType)
}

func (p *slowPointer) key() pointers.Key { return keyOf(p.guid, p.app) }

func (p *slowPointer) comesIn() bool {
	for l := range p.lies {
		if !l.out {
			return true
		}
	}
	return false
}

// until is the latest deadline of its branches, or the end of its record.
func (s *slow) until(p *slowPointer) (until mono.Time) {
	for l := range p.lies {
		if !l.out {
			until = max(until, s.in[slowBranch{p.server, l.peer, l.copy}])
		}
	}
	return min(until, p.ends)
}

// on lists what lies on a branch.
func (s *slow) on(b slowBranch, out bool) (sum wire.Sum, count uint32) {
	headers := make(map[wire.Sum]bool)
	for _, p := range s.list {
		for l := range p.lies {
			if p.server == b.server && l.peer == b.peer && l.copy == b.copy && l.out == out {
				sum, count = sum.Plus(p.hash(l)), count+1
				if p.renewable {
					headers[hashed(nameOf(p.app), p.generation(), p.counter())] = true
				}
			}
		}
	}
	for header := range headers {
		sum = sum.Plus(header)
	}
	return sum, count
}

func (p *slowPointer) generation() []byte { return binary.BigEndian.AppendUint64(nil, 1+p.sequence/4) }

func (p *slowPointer) counter() []byte { return binary.BigEndian.AppendUint64(nil, p.sequence%4) }

func hashed(parts ...[]byte) wire.Sum {
	sum := sha256.Sum256(bytes.Join(parts, nil))
	return wire.Sum{Hi: binary.BigEndian.Uint64(sum[:8]), Lo: binary.BigEndian.Uint64(sum[8:16])}
}

// nameOf is the name of the batch in an application.
func nameOf(app string) []byte {
	rec, _ := put{guid: "x", app: app, server: "s1", under: 1}.record()
	packed := append([]byte{byte(len(app))}, app...)
	packed = append(binary.BigEndian.AppendUint32(packed, uint32(len(batched))), rec.Roots...)
	sum := sha256.Sum256(packed)
	return sum[:16]
}

// hash is what a pointer adds to the digest of a branch on which it lies.
func (p *slowPointer) hash(l lie) wire.Sum {
	guid, of := named(p.guid), append(p.generation(), p.counter()...)
	if p.renewable {
		of = nameOf(p.app)
	}
	return hashed(guid[:], of, []byte{byte(l.salt), byte(l.roots)}, []byte(p.app))
}

// tidy forgets what nothing is left of: it is done after every operation.
func (s *slow) tidy() {
	s.list = slices.DeleteFunc(s.list, func(p *slowPointer) bool { return !p.comesIn() })
	s.tidyBranches()
	known := s.known()
	maps.DeleteFunc(s.buried, func(server string, _ mono.Time) bool { return !known[server] })
	maps.DeleteFunc(s.doubted, func(server string, _ mono.Time) bool { return !known[server] })
	maps.DeleteFunc(s.accused, func(server string, _ []*slowAccusation) bool { return !known[server] })
}

// tidyBranches forgets the deadlines of branches on which nothing lies any more.
func (s *slow) tidyBranches() {
	maps.DeleteFunc(s.in, func(b slowBranch, _ mono.Time) bool {
		_, count := s.on(b, false)
		return count == 0
	})
}

// known lists the servers of which anything is left.
func (s *slow) known() map[string]bool {
	known := make(map[string]bool)
	for _, p := range s.list {
		known[p.server] = true
	}
	for b := range s.out {
		known[b.server] = true
	}
	return known
}

func (s *slow) remove(gone *slowPointer) {
	s.list = slices.DeleteFunc(s.list, func(p *slowPointer) bool { return p == gone })
	s.tidyBranches()
}

func (s *slow) put(d put, now mono.Time) pointers.ResultKind {
	defer s.tidy()
	held := s.find(d.guid, d.app, d.server)
	if held != nil && held.ends <= now {
		s.remove(held)
		held = nil
	}
	switch {
	case d.left <= 0 || d.until <= now:
		return pointers.Ignored
	}
	s.newest(&d, now)
	switch {
	case held != nil && held.sequence > d.sequence:
		return pointers.Older
	case !s.room(held, d):
		return pointers.Full
	}
	kind := pointers.Same
	switch {
	case held == nil:
		kind, held = pointers.Stored, &slowPointer{guid: d.guid, app: d.app, server: d.server, lies: make(map[lie]bool)}
		s.list = append(s.list, held)
		held.latency = mono.Time(max(d.latency, 0))
	case d.sequence > held.sequence:
		kind = pointers.Renewed
		if d.latency >= 0 {
			held.latency = mono.Time(d.latency)
		}
	case d.latency >= 0:
		held.latency = min(held.latency, mono.Time(d.latency))
	}
	if kind != pointers.Same {
		s.take(held, d, now)
	} else if held.adds(d) {
		held.proven[d.under], held.size = true, held.size+d.size()
	}
	held.lies[d.lie()] = true
	b := slowBranch{d.server, d.from, d.copy}
	s.in[b] = max(s.in[b], d.until)
	return kind
}

// batch lists the pointers of the batch that a deposit is of, if that may be renewed.
func (s *slow) batch(d put) (all []*slowPointer) {
	for _, p := range s.list {
		if p.renewable && d.renewable() && p.server == d.server && p.app == d.app {
			all = append(all, p)
		}
	}
	return all
}

// newest has a deposit and what is held of its batch be of the newer header of both.
func (s *slow) newest(d *put, now mono.Time) {
	for _, p := range s.batch(*d) {
		if p.sequence < d.sequence {
			p.sequence, p.ends = d.sequence, max(p.ends, now.Add(d.left))
		}
		d.sequence = p.sequence
	}
}

// adds reports whether a deposit brings another proof of the record that p has.
func (p *slowPointer) adds(d put) bool {
	return d.sequence == p.sequence && d.under > 0 && len(p.proven) > 0 && !p.proven[d.under] && d.withdrawn == (p.state == pointers.Withdrawn)
}

// take makes the record of a deposit that of a pointer.
func (s *slow) take(p *slowPointer, d put, now mono.Time) {
	p.sequence, p.ends, p.size, p.state = d.sequence, now.Add(d.left), d.size(), pointers.Live
	p.renewable, p.proven = d.renewable(), make(map[int]bool)
	for _, o := range s.batch(d) { // its header lasts as long as the longest that was said
		o.ends = max(o.ends, p.ends)
		p.ends = o.ends
	}
	if d.under > 0 {
		p.proven[d.under] = true
	}
	if s.buried[d.server] != 0 {
		p.state = pointers.Dead
	}
	if d.withdrawn {
		p.state = pointers.Withdrawn
	}
}

func (s *slow) renew(d put, now mono.Time) bool {
	defer s.tidy()
	held := s.find(d.guid, d.app, d.server)
	if held == nil || d.left <= 0 {
		return false
	}
	if s.newest(&d, now); d.sequence <= held.sequence || !s.grows(held, d) {
		return false
	}
	s.take(held, d, now)
	return true
}

// grows reports whether the limits admit d's record instead of that of p.
func (s *slow) grows(p *slowPointer, d put) bool {
	_, bytes, _ := s.theirs()
	switch {
	case d.server == s.self:
		return true
	case p.adds(d):
		return bytes+d.size() <= s.limits.Bytes
	}
	return d.sequence <= p.sequence || bytes-p.size+d.size() <= s.limits.Bytes
}

// room applies the limits, and makes room if it may. A pointer that is held takes its place on
// one branch more.
func (s *slow) room(held *slowPointer, d put) bool {
	_, _, lies := s.theirs()
	_, _, mine := s.brought(d.from)
	switch {
	case d.server == s.self:
		return true
	case held != nil:
		on := 0
		for l := range held.lies {
			if l.peer == d.from && l.copy == d.copy && !l.out {
				on++
			}
		}
		fits := held.lies[d.lie()] || on < wire.MaxRoots && lies+mine < 4*s.limits.PerNode
		return fits && s.grows(held, d)
	case s.count(func(p *slowPointer) bool { return p.server == d.server }) >= s.limits.PerServer:
		return false
	case s.count(func(p *slowPointer) bool { return p.key() == d.key() }) < s.limits.PerObject:
		return s.fits(d, nil)
	}
	live := s.live(d.key(), -1)
	if len(live) == 0 || d.withdrawn || s.buried[d.server] != 0 {
		return false
	}
	// Where nobody says where it is, the farthest goes that may, but never out of the nearer half.
	all := slices.Clone(live)
	slices.SortStableFunc(live, func(a, b *slowPointer) int { return cmp.Compare(a.latency, b.latency) })
	for i := len(live); i >= (len(live)+1)/2; i-- {
		if i == 0 || live[i-1].latency <= mono.Time(max(d.latency, 0)) {
			return false // d is the farthest that may go
		}
		if farthest := live[i-1]; farthest.server != s.self && s.yields(all, farthest, d.from) {
			if !s.fits(d, farthest) {
				return false
			}
			s.remove(farthest)
			return true
		}
	}
	return false
}

// live lists the live pointers of an object, in the order in which they are offered.
func (s *slow) live(key pointers.Key, now mono.Time) (live []*slowPointer) {
	for _, p := range s.list {
		if p.key() == key && p.state == pointers.Live && s.until(p) > now {
			live = append(live, p)
		}
	}
	slices.SortFunc(live, func(a, b *slowPointer) int {
		return cmp.Or(
			cmp.Compare(min(s.doubted[a.server], 1), min(s.doubted[b.server], 1)),
			cmp.Compare(a.latency, b.latency), idspace.Compare(named(a.server), named(b.server)),
		)
	})
	return live
}

func (s *slow) lay(p *slowPointer, to lie) (fresh bool) {
	defer s.tidy()
	fresh = !p.lies[to]
	p.lies[to] = true
	s.out[slowBranch{p.server, to.peer, to.copy}] = true
	return fresh
}

func (s *slow) takeOff(p *slowPointer, l lie) {
	delete(p.lies, l)
	s.tidy()
}

func (s *slow) cut(b slowBranch) {
	if _, count := s.on(b, true); count == 0 {
		delete(s.out, b)
	}
	s.tidy()
}

func (s *slow) bury(server string, now mono.Time) int {
	if server == s.self || !s.known()[server] {
		return 0
	}
	s.buried[server] = max(now, 1)
	return s.turn(server, pointers.Live, pointers.Dead)
}

func (s *slow) turn(server string, from, to pointers.State) (turned int) {
	for _, p := range s.list {
		if p.server == server && p.state == from {
			p.state = to
			turned++
		}
	}
	return turned
}

// mostAccusers is how many neighbors' accusations of one server are kept.
const mostAccusers = 16

func (s *slow) doubt(server, by string, now mono.Time) bool {
	if server == s.self {
		return false
	}
	list := s.accused[server]
	i := slices.IndexFunc(list, func(a *slowAccusation) bool { return a.by == by })
	if i < 0 && len(list) >= mostAccusers {
		list = slices.DeleteFunc(list, func(a *slowAccusation) bool { return !s.comesFrom(server, a.by) })
		s.accused[server] = list
		if len(list) >= mostAccusers {
			return false
		}
	}
	if i < 0 {
		i = len(list)
		list = append(list, &slowAccusation{by: by})
		s.accused[server] = list
	}
	if list[i].refuted >= 2 {
		return false
	}
	list[i].open = true
	if s.doubted[server] != 0 {
		return false
	}
	s.doubted[server] = max(now, 1)
	return true
}

// comesFrom reports whether a neighbor has laid something of a server here.
func (s *slow) comesFrom(server, peer string) bool {
	for b := range s.in {
		if b.server == server && b.peer == peer {
			return true
		}
	}
	return false
}

func (s *slow) revive(server string, made mono.Time) int {
	if s.doubted[server] != 0 && made > s.doubted[server] {
		delete(s.doubted, server)
		for _, a := range s.accused[server] {
			if a.open {
				a.open, a.refuted = false, a.refuted+1
			}
		}
	}
	if s.buried[server] == 0 || made <= s.buried[server] {
		return 0
	}
	delete(s.buried, server)
	return s.turn(server, pointers.Dead, pointers.Live)
}

// expire takes what is over off its branches, and lists what was forgotten.
func (s *slow) expire(now mono.Time) (gone int) {
	before := len(s.list)
	for b, until := range s.in {
		for _, p := range s.list {
			for l := range p.lies {
				if until <= now && p.server == b.server && l.peer == b.peer && l.copy == b.copy && !l.out {
					delete(p.lies, l)
				}
			}
		}
	}
	s.tidy()
	for _, p := range slices.Clone(s.list) {
		if p.ends <= now {
			s.remove(p)
		}
	}
	s.tidy()
	return before - len(s.list)
}

// next is when the next pointers run out.
func (s *slow) next() (at mono.Time, ok bool) {
	for _, until := range s.in {
		if !ok || until < at {
			at, ok = until, true
		}
	}
	for _, p := range s.list {
		if !ok || p.ends < at {
			at, ok = p.ends, true
		}
	}
	return at, ok
}
