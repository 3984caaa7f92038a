package tapestry_test

import (
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry"
)

func TestAnExplanationReadsAsATable(t *testing.T) {
	hop := tapestry.Hop{Node: tapestry.ID{0xab}, Rule: "slot", Level: 1, Digit: 10, Pointers: 2, RTT: 5 * time.Millisecond}
	x := tapestry.Explanation{
		GUID: tapestry.GUID{0xcd}, App: "app", Answer: "found",
		Replicas: []tapestry.Replica{{ID: tapestry.ID{0xef}, RTT: 1234567}},
		Paths:    []tapestry.Path{{Hops: []tapestry.Hop{hop}}},
		Laid:     []tapestry.Path{{}},
	}
	const want = `cd00000000000000000000000000000000000000 is found
  server ef00000000000000000000000000000000000000  1.235ms

asked root 1
  HOP  NODE                                      RULE  LEVEL  DIGIT  POINTERS  LINK  HELD
  0    ab00000000000000000000000000000000000000  slot  1      a      2         5ms   0s

laid to root 1
  HOP  NODE  RULE  LEVEL  DIGIT  POINTERS  LINK  HELD
`
	if got := x.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
