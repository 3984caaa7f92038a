package lease_test

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/lease"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"pgregory.net/rapid"
)

// slowChain is the obvious chain: every element is kept.
type slowChain [lease.Length + 1]lease.Token

func slowNew(seed [4]uint64) *slowChain {
	var secret [32]byte
	for i := range secret {
		secret[i] = byte(seed[i/8] >> (56 - 8*(i%8)))
	}
	c := new(slowChain)
	for i, preimage := lease.Length, secret[:]; i >= 0; i-- {
		sum := sha256.Sum256(preimage)
		c[i] = lease.Token(sum[:lease.Size])
		preimage = c[i][:]
	}
	return c
}

var (
	seedA, seedB = [4]uint64{1, 2, 3, 4}, [4]uint64{1, 2, 3, 5}
	chainA       = slowNew(seedA)
	chainB       = slowNew(seedB)
)

func TestAChainIsTheSlowChain(t *testing.T) {
	for _, seed := range [][4]uint64{{}, seedA, seedB, {1 << 63, 0, ^uint64(0), 7}} {
		fast, slow := lease.New(seed), slowNew(seed)
		if fast.Anchor() != slow[0] {
			t.Fatalf("seed %v: another anchor", seed)
		}
		for i := range slow {
			if fast.Token(uint32(i)) != slow[i] {
				t.Fatalf("seed %v: another token %d", seed, i)
			}
		}
		for _, beyond := range []uint32{lease.Length + 1, 1 << 31, ^uint32(0)} {
			if fast.Token(beyond) != slow[lease.Length] {
				t.Fatalf("seed %v: token %d is not the last", seed, beyond)
			}
		}
	}
}

func TestAnotherSeedMakesAnotherChain(t *testing.T) {
	seen := make(map[lease.Token]string)
	for word := range 4 {
		for bit := range 64 {
			var seed [4]uint64
			seed[word] = 1 << bit
			name, anchor := fmt.Sprint(seed), lease.New(seed).Anchor()
			if other, known := seen[anchor]; known {
				t.Fatalf("%s and %s have one anchor", name, other)
			}
			seen[anchor] = name
		}
	}
}

func TestEveryTokenFollowsAndAWrongOneNever(t *testing.T) {
	var known lease.Seen
	for i := range uint32(lease.Length + 1) {
		if i%lease.Few == 0 {
			mustTake(t, &known, i, 0)
		}
		for name, c := range map[string]struct {
			index uint32
			token lease.Token
			want  bool
		}{
			"the token":         {i, chainA[i], true},
			"its predecessor":   {i + 1, chainA[i], false},
			"its successor":     {i, chainA[min(i+1, lease.Length)], i == lease.Length},
			"of another chain":  {i, chainB[i], false},
			"one bit is wrong":  {i, flipped(chainA[i]), false},
			"nothing but zeros": {i, lease.Token{}, false},
		} {
			s := known
			if _, ok := s.Take(chainA[0], c.index, c.token, 0, lease.Few); ok != c.want || !ok && s != known {
				t.Fatalf("token %d, %s: taken %v", i, name, ok)
			}
		}
	}
}

func flipped(t lease.Token) lease.Token {
	t[lease.Size-1] ^= 1
	return t
}

func TestNoIndexBeyondTheChainIsTaken(t *testing.T) {
	var s lease.Seen
	for _, i := range []uint32{lease.Length + 1, 1 << 31, ^uint32(0)} {
		if _, ok := s.Take(chainA[0], i, chainA[lease.Length], 0, ^uint32(0)); ok {
			t.Errorf("token %d of %d was taken", i, lease.Length)
		}
	}
}

// What a message without a signed record may cost is bounded, forth and back.
func TestNoMoreHashesAreMadeThanAllowed(t *testing.T) {
	const from = 1000
	for _, most := range []uint32{0, 1, lease.Few} {
		for _, far := range []int{-int(most) - 1, -int(most), 0, int(most), int(most) + 1} {
			var s lease.Seen
			mustTake(t, &s, from, 0)
			i := uint32(from + far)
			want := far >= -int(most) && far <= int(most)
			if _, ok := s.Take(chainA[0], i, chainA[i], 0, most); ok != want {
				t.Errorf("%d steps where %d are allowed: taken %v", far, most, ok)
			}
			var fresh lease.Seen
			if _, ok := fresh.Take(chainA[0], most+1, chainA[most+1], 0, most); ok {
				t.Errorf("%d steps from the anchor where %d are allowed", most+1, most)
			}
			if _, ok := fresh.Take(chainA[0], most, chainA[most], 0, most); !ok {
				t.Errorf("%d steps from the anchor were not taken", most)
			}
		}
	}
}

func mustTake(t interface {
	Helper()
	Fatalf(string, ...any)
}, s *lease.Seen, i uint32, now mono.Time) mono.Time {
	t.Helper()
	made, ok := s.Take(chainA[0], i, chainA[i], now, lease.Length)
	if !ok {
		t.Fatalf("token %d was not taken", i)
	}
	return made
}

func at(d time.Duration) mono.Time { return mono.Time(d) }

func TestATokenIsAsOldAsTheMostAdvancedOneMakesIt(t *testing.T) {
	var s lease.Seen
	for _, c := range []struct {
		now  time.Duration
		i    uint32
		want time.Duration
		why  string
	}{
		{100 * time.Second, 3, 100 * time.Second, "the first was made when it came, as far as anybody can tell"},
		{131 * time.Second, 4, 130 * time.Second, "one that is late is as old as the one before says"},
		{150 * time.Second, 5, 150 * time.Second, "one that is early shows that those before were late"},
		{150 * time.Second, 4, 120 * time.Second, "also of those that come again"},
		{999 * time.Second, 0, 0, "the anchor was made when the lease began"},
	} {
		if got := mustTake(t, &s, c.i, at(c.now)); got != at(c.want) {
			t.Errorf("token %d at %v was made at %v, want %v: %s", c.i, c.now, got, c.want, c.why)
		}
	}
	if i, token, ok := s.Newest(); !ok || i != 5 || token != chainA[5] {
		t.Errorf("the newest is %d, %v", i, ok)
	}
}

// Somebody keeps the tokens of a server that has died since and hands one out each period: to a
// holder who has seen the last one in time they are as old as they are.
func TestAHoarderOfTokensKeepsNobodyAlive(t *testing.T) {
	const last = 40
	death := at(last * lease.Period)
	var s lease.Seen
	mustTake(t, &s, last, death)
	for i := uint32(1); i <= last; i++ {
		now := death.Add(time.Duration(i) * lease.Period)
		if made := mustTake(t, &s, i, now); made != at(time.Duration(i)*lease.Period) {
			t.Fatalf("token %d, handed out at %v, was made at %v", i, now, made)
		}
	}
	for now := death; now < death.Add(24*time.Hour); now = now.Add(lease.Period) {
		if made := mustTake(t, &s, last, now); made.Add(lease.Life) > death.Add(lease.Life) {
			t.Fatalf("at %v the last token makes pointers count until %v", now, made.Add(lease.Life))
		}
	}
}

// A holder who has never seen the server gives those slow tokens a period each, no more: the first
// that runs ahead corrects all.
func TestAHoarderGainsNothingOverWhomTheLastTokenHasReached(t *testing.T) {
	var s lease.Seen
	for i := uint32(0); i < 10; i++ {
		mustTake(t, &s, i, at(time.Hour+time.Duration(i)*lease.Period))
	}
	made := mustTake(t, &s, 40, at(time.Hour+10*lease.Period))
	if again := mustTake(t, &s, 11, at(time.Hour+11*lease.Period)); again != made.Add(-29*lease.Period) {
		t.Errorf("token 11 was made %v before token 40", made.Sub(again))
	}
}

func TestAnotherLeaseForgetsTheFormer(t *testing.T) {
	var s lease.Seen
	mustTake(t, &s, 700, at(time.Second))
	if s.Of(chainB[0]) || !s.Of(chainA[0]) {
		t.Fatal("it knows the wrong lease")
	}
	if _, ok := s.Take(chainB[0], 3, chainA[3], at(time.Minute), lease.Length); ok || !s.Of(chainA[0]) {
		t.Fatal("a wrong token of another lease changed something")
	}
	made, ok := s.Take(chainB[0], 3, chainB[3], at(time.Minute), 3)
	if !ok || made != at(time.Minute) || !s.Of(chainB[0]) || s.Of(chainA[0]) {
		t.Fatalf("the first token of another lease: %v, %v", made, ok)
	}
	if i, token, ok := s.Newest(); !ok || i != 3 || token != chainB[3] {
		t.Fatalf("the newest is %d, %v", i, ok)
	}
	if new(lease.Seen).Of(lease.Token{}) {
		t.Error("who knows nothing knows a lease")
	}
}

// slowSeen is the obvious Seen: it keeps all evidence of one lease.
type slowSeen struct {
	chain    *slowChain
	evidence []evidence
}

type evidence struct {
	index uint32
	at    mono.Time
}

func (s *slowSeen) newest() (newest uint32) {
	for _, ev := range s.evidence {
		newest = max(newest, ev.index)
	}
	return newest
}

// take says what ought to come of token i of a chain.
func (s *slowSeen) take(c *slowChain, i uint32, t lease.Token, now mono.Time, most uint32) (made mono.Time, ok bool) {
	from := *s
	if from.chain != c {
		from = slowSeen{chain: c}
	}
	far := int(i) - int(from.newest())
	if i > lease.Length || far > int(most) || -far > int(most) || t != c[i] {
		return 0, false
	}
	from.evidence = append(from.evidence, evidence{i, now})
	*s = from
	made = now
	for _, ev := range s.evidence { // token j, here at some time, was made by then; token i that many periods before or after
		made = min(made, ev.at+(mono.Time(i)-mono.Time(ev.index))*mono.Time(lease.Period))
	}
	return made, true
}

func TestSeenIsTheSlowSeen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var fast lease.Seen
		var slow slowSeen
		now := mono.Time(rapid.Int64Range(0, 1<<50).Draw(t, "now"))
		chains := map[string]*slowChain{"a": chainA, "b": chainB}
		for range rapid.IntRange(1, 40).Draw(t, "tokens") {
			now += mono.Time(rapid.Int64Range(0, int64(3*lease.Period)).Draw(t, "pause"))
			near := uint32(0)
			if slow.chain != nil {
				near = slow.newest()
			}
			i := rapid.OneOf(
				rapid.Uint32Range(near-min(near, 3), near+3), rapid.Uint32Range(0, lease.Length+2), rapid.Uint32(),
			).Draw(t, "index")
			of := chains[rapid.SampledFrom([]string{"a", "a", "a", "b"}).Draw(t, "chain")]
			token := of[min(i, lease.Length)]
			switch rapid.IntRange(0, 5).Draw(t, "wrong") {
			case 0:
				token = flipped(token)
			case 1:
				token = of[rapid.Uint32Range(0, lease.Length).Draw(t, "another")]
			}
			most := rapid.SampledFrom([]uint32{0, 1, lease.Few, lease.Length}).Draw(t, "most")
			before := fast
			got, ok := fast.Take(of[0], i, token, now, most)
			want, wantOK := slow.take(of, i, token, now, most)
			if got != want || ok != wantOK {
				t.Fatalf("token %d at %v: %v, %v; want %v, %v", i, now, got, ok, want, wantOK)
			}
			if got > now || !ok && fast != before {
				t.Fatalf("token %d at %v: made at %v, ok %v, %v became %v", i, now, got, ok, before, fast)
			}
			if slow.chain != nil {
				if i, token, ok := fast.Newest(); !ok || i != slow.newest() || token != slow.chain[i] || !fast.Of(slow.chain[0]) {
					t.Fatalf("the newest is %d, want %d", i, slow.newest())
				}
			}
		}
	})
}

func FuzzTake(f *testing.F) {
	f.Add(uint32(7), chainA[7][:], int64(time.Hour), uint32(lease.Few))
	f.Add(uint32(6), chainA[6][:], int64(0), uint32(0))
	f.Add(uint32(1<<31), chainB[1][:], int64(-1), ^uint32(0))
	f.Fuzz(func(t *testing.T, i uint32, token []byte, now int64, most uint32) {
		if len(token) != lease.Size || now < 0 || now > 1<<60 {
			return
		}
		var s lease.Seen
		mustTake(t, &s, 6, mono.Time(now))
		before := s
		made, ok := s.Take(chainA[0], i, lease.Token(token), mono.Time(now), most)
		switch {
		case ok && (i > lease.Length || lease.Token(token) != chainA[i]):
			t.Fatalf("%x was taken for token %d", token, i)
		case ok && (made > mono.Time(now) || i > 6+most):
			t.Fatalf("token %d at %d was made at %d", i, now, made)
		case !ok && s != before:
			t.Fatal("a token that was not taken changed something")
		}
	})
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		lease.New(seedA)
	}
}

func BenchmarkToken(b *testing.B) {
	c := lease.New(seedA)
	for i := uint32(0); b.Loop(); i++ {
		c.Token(i % lease.Length)
	}
}

func BenchmarkTakeOneStep(b *testing.B) {
	var s lease.Seen
	b.ReportAllocs()
	for i := uint32(0); b.Loop(); i++ {
		if i%lease.Length == 0 {
			s = lease.Seen{}
		}
		n := i%lease.Length + 1
		if _, ok := s.Take(chainA[0], n, chainA[n], 0, 1); !ok {
			b.Fatalf("token %d was not taken", n)
		}
	}
}
