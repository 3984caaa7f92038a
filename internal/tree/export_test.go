package tree

import "fmt"

// LinkCount is to how many nodes a Keeper has a link.
func (k *Keeper) LinkCount() int { return len(k.links) }

// CheckLinks verifies that the links name each branch that leaves this node once, and nothing else
// but empty ones; and that each will be told sooner or later.
func (k *Keeper) CheckLinks() error {
	for i, l := range k.links {
		if i > 0 && l.peer == k.links[i-1].peer {
			return fmt.Errorf("two links to %s", l.peer.Short())
		}
		for j, b := range l.branches {
			if b.Peer != l.peer || !b.Out {
				return fmt.Errorf("link to %s has a branch to %s", l.peer.Short(), b.Peer.Short())
			}
			for _, o := range l.branches[:j] {
				if o == b || o.Server == b.Server && o.Copy == b.Copy {
					return fmt.Errorf("link to %s has a branch twice", l.peer.Short())
				}
			}
			if b.Len() == 0 && l.due == never {
				return fmt.Errorf("nobody tells %s that nothing is laid there", l.peer.Short())
			}
		}
		if l.due < never || l.flight != nil {
			if k.armed[timerLinks] == 0 {
				return fmt.Errorf("no timer for the link to %s", l.peer.Short())
			}
		}
	}
	return nil
}
