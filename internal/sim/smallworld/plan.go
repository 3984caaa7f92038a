package smallworld

import "time"

// Plan is a small overlay and what happens to it.
type Plan struct {
	Name string
	// Salt picks other identifiers.
	Salt uint64
	// Members are in the overlay at the beginning: machines 0 to Members-1.
	Members int
	// Acts happen each at any moment, in any order.
	Acts []Act
}

// Act is one thing that happens to a machine.
type Act struct {
	What What
	Who  int
	// Seeds are the machines that a joining one is told of.
	Seeds []int
}

// What happens to a machine.
type What uint8

// The acts.
const (
	Join What = iota
	Leave
	Crash
)

var whatNames = [...]string{"joins", "leaves", "crashes"}

// String is the act as a verb.
func (w What) String() string { return whatNames[w] }

// Bounds say how far to enumerate.
type Bounds struct {
	Depth  int // choices in a row
	States int // no deeper walk is begun that is likely to have more
	// Patience is how long an overlay may take to become whole, in virtual time.
	Patience time.Duration
}

// Plans are those worth exploring: a join, a leave and a crash each beside another act.
func Plans(salt uint64) []Plan {
	of := func(name string, members int, acts ...Act) Plan {
		return Plan{Name: name, Salt: salt, Members: members, Acts: acts}
	}
	join := func(who int, seeds ...int) Act { return Act{What: Join, Who: who, Seeds: seeds} }
	return []Plan{
		of("two join a founder", 1, join(1, 0), join(2, 0)),
		of("one joins by way of one that joins", 1, join(1, 0), join(2, 1, 0)),
		of("three join a founder", 1, join(1, 0), join(2, 0), join(3, 0)),
		of("two join two members", 2, join(2, 0), join(3, 1)),
		of("one joins while its seed leaves", 2, join(2, 1, 0), Act{What: Leave, Who: 1}),
		of("one joins while its seed crashes", 2, join(2, 1, 0), Act{What: Crash, Who: 1}),
		of("one joins while another member crashes", 3, join(3, 0), Act{What: Crash, Who: 2}),
		of("one joins while its surrogate may crash", 2, join(2, 0), Act{What: Crash, Who: 1}),
		of("one joins while a neighbor leaves", 3, join(3, 0), Act{What: Leave, Who: 2}),
		of("one leaves while another crashes", 4, Act{What: Leave, Who: 1}, Act{What: Crash, Who: 2}),
		of("two leave at once", 4, Act{What: Leave, Who: 1}, Act{What: Leave, Who: 2}),
	}
}

func (p *Plan) machines() int {
	n := p.Members
	for _, a := range p.Acts {
		n = max(n, a.Who+1)
	}
	return n
}
