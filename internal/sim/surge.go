package sim

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Surge says that lookups come so many times as often for a while.
type Surge struct {
	Factor   float64
	From, To time.Duration
}

// Surges is a flag that can be given again and again.
type Surges []Surge

// Set reads FACTOR@T1-T2.
func (s *Surges) Set(text string) error {
	factor, when, _ := strings.Cut(text, "@")
	from, to, ok := strings.Cut(when, "-")
	x, err := strconv.ParseFloat(factor, 64)
	a, err2 := time.ParseDuration(from)
	b, err3 := time.ParseDuration(to)
	if !ok || err != nil || err2 != nil || err3 != nil || !(x > 0 && x <= 1e6) || a < 0 || b <= a {
		return fmt.Errorf("%q: want FACTOR@T1-T2, such as 10@20s-5m20s", text)
	}
	*s = append(*s, Surge{x, a, b})
	return nil
}

// String is what Set reads.
func (s *Surges) String() string {
	var all []string
	for _, x := range *s {
		all = append(all, fmt.Sprintf("%v@%v-%v", x.Factor, x.From, x.To))
	}
	return strings.Join(all, ",")
}

// Type names the flag's argument.
func (*Surges) Type() string { return "FACTOR@T1-T2" }

// lookupEvery is how soon the next key is asked for.
func (r *run) lookupEvery() time.Duration {
	every := float64(r.cfg.LookupEvery)
	for _, s := range r.cfg.Surge {
		if at := r.world.Now().Sub(r.began); s.From <= at && at < s.To {
			every /= s.Factor
		}
	}
	return max(time.Duration(every), time.Microsecond)
}
