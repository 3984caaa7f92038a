package tree_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/lease"
)

// three are nodes that know each other, far apart.
func three(t *testing.T) *net {
	n := newNet(t, idspace.Hex, 1)
	for i := range 3 {
		n.join(fmt.Sprintf("n%d", i), 30*time.Millisecond)
	}
	n.run(time.Second)
	return n
}

// die stops a node, and has all others notice.
func (n *net) die(h *host) {
	h.dead, h.died = true, n.now
	for _, o := range n.living() {
		n.miss(o, h)
	}
}

func (n *net) demand(t *testing.T) {
	t.Helper()
	if differences := n.compare(); len(differences) > 0 {
		t.Fatalf("%d differences:\n%s", len(differences), strings.Join(differences, "\n"))
	}
}

// TestACopyThatComesBackToItsServerRunsOut has the root die that had laid its pointer at the
// server itself, as its heir.
func TestACopyThatComesBackToItsServerRunsOut(t *testing.T) {
	n := three(t)
	for i := range 8 {
		n.hosts[0].publish(fmt.Sprintf("o%d", i), false)
	}
	n.run(time.Minute)
	n.demand(t)
	if !strings.Contains(strings.Join(n.lines(), "\n"), "heir") {
		t.Fatal("nothing lies at an heir")
	}
	n.die(n.hosts[1])
	n.run(lease.Life + lease.Period)
	n.demand(t)
}

// TestAServerRefusesWhatItServedInAnEarlierLife has it start anew, while others hold what it
// served before: they have to forget it, and to let it be.
func TestAServerRefusesWhatItServedInAnEarlierLife(t *testing.T) {
	n := three(t)
	server := n.hosts[0]
	for i := range 8 {
		server.publish(fmt.Sprintf("o%d", i), false)
	}
	n.run(time.Minute)
	n.die(server)
	n.run(5 * time.Second)
	again := n.add(server.name, 2)
	for _, o := range n.hosts[1:3] {
		n.rtts[pair(again, o)] = 30 * time.Millisecond
		n.meet(again, o)
		n.meet(o, again)
	}
	again.publish("o9", false)
	n.run(30 * time.Second)
	for i := range again.store.Len() {
		if p := again.store.At(i); p.GUID != n.names.ID("o9") {
			t.Fatalf("it took %v", p)
		}
	}
	n.run(3 * lease.Life)
	n.demand(t)
}
