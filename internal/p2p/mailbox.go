package p2p

import (
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// maxTasks is how many tasks may wait for the loop; whoever brings one more waits.
const maxTasks = 1024

// mailbox is how everything reaches the loop. Frames and tasks wait apart, so that
// neither keeps the other out.
type mailbox struct {
	frames chan arrival
	tasks  chan task
	over   <-chan struct{}
}

// arrival is a message from a peer that has passed all checks.
type arrival struct {
	from    idspace.ID
	message wire.Message
	source  *source // whose credit it used
	size    int
}

// task is something else for the loop to do.
type task interface{ run(l *loop) }

func newMailbox(frames int, over <-chan struct{}) *mailbox {
	return &mailbox{frames: make(chan arrival, frames), tasks: make(chan task, maxTasks), over: over}
}

// put hands t to the loop, waiting for room. It reports false if the node closed first.
func (m *mailbox) put(t task) bool {
	select {
	case m.tasks <- t:
		return true
	case <-m.over:
		return false
	}
}

// offer hands t to the loop if there is room.
func (m *mailbox) offer(t task) bool {
	select {
	case m.tasks <- t:
		return true
	default:
		return false
	}
}

// post hands a local message to the machines.
func (m *mailbox) post(l env.Local) bool { return m.put(local{l}) }

// local is the task of a local message.
type local struct{ env.Local }

func (t local) run(l *loop) { l.local(t.Local) }

// glance is the task of looking at what the loop owns.
type glance struct {
	look func(*loop)
	done chan struct{}
}

func (t glance) run(l *loop) {
	defer close(t.done)
	t.look(l)
}

// report is the task of telling observers what a reader found wrong.
type report struct{ dropped *env.Dropped }

func (t report) run(l *loop) { l.observe(t.dropped) }
