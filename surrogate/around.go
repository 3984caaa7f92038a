package surrogate

import (
	"encoding/binary"
	"math/bits"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"github.com/tapestry-dolr/tapestry/neighbormap"
)

// candidate is the best node seen so far that is no entry of the slot that the
// route should take.
type candidate struct {
	id      idspace.ID // valid if verdict is usable
	verdict verdict    // the best of all verdicts seen
}

// offer makes id the candidate if it is the first usable one or the one nearest to key.
func (c *candidate) offer(space idspace.Space, key, id idspace.ID, v verdict) {
	if v == usable && (c.verdict != usable || space.Closer(id, c.id, key)) {
		c.id = id
	}
	c.verdict = max(c.verdict, v)
}

// around answers when no node of the slot at blocked can be used (design §5): go to
// the usable node with the smallest δ below Self's, or wait for the verdict on the
// suspects.
func (t *Tables) around(key idspace.ID, skip *Skip, blocked cursor) Hop {
	best := candidate{verdict: unusable}
	// Slots come in order of δ: the first with a usable node has the nearest.
	for c := blocked; best.verdict != usable; {
		slot := t.nextSlot(key, &c)
		if slot == nil {
			break
		}
		for i := range slot {
			best.offer(t.Space, key, slot[i].ID, skip.judge(&slot[i]))
		}
	}
	t.offerLeaves(key, skip, &best)
	return t.detour(best, blocked.level, blocked.digit)
}

// last answers when every slot before Self is a hole: Self is the root, unless the
// leaf set knows better. It can only do so while the map has a hole that one of its
// members fills, but then "root" would be wrong.
func (t *Tables) last(key idspace.ID, skip *Skip) Hop {
	level := max(t.Map.Levels()-1, 0)
	hop := Hop{To: t.Self, Rule: wire.Rule_RULE_ROOT, Level: level, Digit: t.Space.Digit(t.Self, level)}
	var best candidate
	if t.offerLeaves(key, skip, &best); best.verdict == absent {
		return hop
	}
	return t.detour(best, hop.Level, hop.Digit)
}

// offerLeaves offers the leaves with a smaller δ than Self to best. Those share with
// Self all the digits that the key does, which one mask tells of most of the others.
func (t *Tables) offerLeaves(key idspace.ID, skip *Skip, best *candidate) {
	bitsPerDigit := bits.TrailingZeros(uint(t.Space.Radix()))
	mask := ^(^uint64(0) >> (bitsPerDigit * t.Space.CommonPrefix(key, t.Self)))
	self := binary.BigEndian.Uint64(t.Self[:])
	for _, side := range [...][]idspace.ID{t.Leaves.CW(), t.Leaves.CCW()} {
		for i := range side {
			id := &side[i]
			if (binary.BigEndian.Uint64(id[:])^self)&mask == 0 && t.Space.Closer(*id, t.Self, key) {
				suspect := t.Leaves.Suspected(*id) || t.Map.Suspected(*id)
				best.offer(t.Space, key, *id, skip.judge(&neighbormap.Neighbor{ID: *id, Suspect: suspect}))
			}
		}
	}
}

// detour is the hop to best, or the wait if best is not usable.
func (t *Tables) detour(best candidate, level int, d idspace.Digit) Hop {
	if best.verdict != usable {
		return Hop{Level: level, Digit: d, Wait: true}
	}
	return Hop{To: best.id, Rule: wire.Rule_RULE_CLOSER, Level: level, Digit: d}
}
