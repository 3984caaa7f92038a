package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/tapestry-dolr/tapestry"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/content"
)

// maxLinks caps the links of each node, as it would be on a real host.
const maxLinks = tapestry.DefaultMaxLinks

// show is a demo under way.
type show struct {
	cfg   Config
	rand  *rand.Rand
	nodes []*member

	mu   sync.Mutex // held while Progress is told
	done int        // of the stage
}

// member is one host with its node and its files.
type member struct {
	host  host.Host
	node  *tapestry.Node
	shelf content.Shelf
	dead  bool
}

// object is a file and the nodes that serve it.
type object struct {
	item    content.Item
	servers []*member
}

// start starts the hosts and makes one overlay of them.
func (s *show) start(ctx context.Context) error {
	for i := range s.cfg.Nodes {
		m, err := newMember()
		if err != nil {
			return fmt.Errorf("host %d of %d: %w", i+1, s.cfg.Nodes, err)
		}
		var seeds []peer.AddrInfo
		if i > 0 {
			seeds = append(seeds, s.pick(s.nodes).address())
		}
		s.nodes = append(s.nodes, m)
		if err := m.node.Join(ctx, seeds...); err != nil {
			return fmt.Errorf("node %d of %d: %w", i+1, s.cfg.Nodes, err)
		}
		if err := m.node.WaitReady(ctx); err != nil {
			return fmt.Errorf("node %d of %d: %w", i+1, s.cfg.Nodes, err)
		}
		s.progress("joining", i+1, s.cfg.Nodes)
	}
	return nil
}

func newMember() (*member, error) {
	listen := libp2p.ListenAddrStrings("/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0")
	h, err := libp2p.New(listen, tapestry.HostOptions(maxLinks))
	if err != nil {
		return nil, err
	}
	n, err := tapestry.New(h, tapestry.WithNetwork("demo"), tapestry.WithMaxLinks(maxLinks))
	if err != nil {
		h.Close()
		return nil, err
	}
	m := &member{host: h, node: n}
	n.Handle(content.App, &content.Server{Node: n.ID(), Shelf: &m.shelf})
	return m, nil
}

func (m *member) address() peer.AddrInfo { return *host.InfoFromHost(m.host) }

// assign gives each file to random servers.
func (s *show) assign(items []content.Item) []object {
	var all []object
	for _, item := range items {
		o := object{item: item}
		for _, i := range s.rand.Perm(len(s.nodes))[:s.cfg.Replicas] {
			s.nodes[i].shelf.Put(item)
			o.servers = append(o.servers, s.nodes[i])
		}
		all = append(all, o)
	}
	return all
}

// publish has every node publish what is on its shelf, and returns what failed.
func (s *show) publish(ctx context.Context, objects []object) (failures []string) {
	of := map[*member][]tapestry.GUID{}
	for _, o := range objects {
		for _, m := range o.servers {
			of[m] = append(of[m], o.item.GUID)
		}
	}
	total := len(objects) * s.cfg.Replicas
	s.done = 0
	each(s.nodes, func(m *member) {
		report, err := m.node.PublishObjects(ctx, content.App, slices.Values(of[m]))
		s.advance("publishing", len(of[m]), total)
		if err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			failures = append(failures, fmt.Sprintf("%s published %d of %d: %v", m.node.ID().Short(), report.Placed, len(of[m]), err))
		}
	})
	return failures
}

// kill crashes random nodes: their hosts vanish and say nothing to the overlay.
func (s *show) kill(count int) int {
	for i, n := range s.rand.Perm(len(s.nodes))[:count] {
		m := s.nodes[n]
		m.dead = true
		// Without Leave this is a crash to the others: connections end, nobody says why.
		// What a dying host complains of is of no interest.
		_ = m.node.Close()
		_ = m.host.Close()
		s.progress("killing", i+1, count)
	}
	return count
}

// living are the objects of which a server lives.
func (s *show) living(objects []object) []object {
	return slices.DeleteFunc(slices.Clone(objects), func(o object) bool {
		return !slices.ContainsFunc(o.servers, alive)
	})
}

func alive(m *member) bool { return !m.dead }

// clients picks somebody to fetch each object: a living node that does not serve
// it, if there is one.
func (s *show) clients(objects []object) []*member {
	var all []*member
	for _, o := range objects {
		fit := slices.DeleteFunc(slices.Clone(s.nodes), func(m *member) bool { return m.dead || slices.Contains(o.servers, m) })
		if len(fit) == 0 {
			fit = slices.DeleteFunc(slices.Clone(s.nodes), func(m *member) bool { return m.dead })
		}
		all = append(all, s.pick(fit))
	}
	return all
}

func (s *show) pick(from []*member) *member { return from[s.rand.IntN(len(from))] }

func (s *show) progress(stage string, done, total int) {
	if s.cfg.Progress != nil {
		s.cfg.Progress(stage, done, total)
	}
}

// advance counts work of a stage that is done side by side.
func (s *show) advance(stage string, more, total int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done += more
	s.progress(stage, s.done, total)
}

// close ends all hosts that live.
func (s *show) close() {
	each(slices.DeleteFunc(slices.Clone(s.nodes), func(m *member) bool { return m.dead }), func(m *member) {
		// The demo is over; nothing is lost by an error here.
		_ = m.node.Close()
		_ = m.host.Close()
	})
}

// width is how much is under way at once: enough to keep two cores busy.
const width = 8

// each runs do on all of list, several at a time.
func each[T any](list []T, do func(T)) {
	var all sync.WaitGroup
	slots := make(chan struct{}, width)
	for _, item := range list {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			do(item)
		})
	}
	all.Wait()
}
