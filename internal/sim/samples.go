package sim

import (
	"math"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/sim/report"
)

// samples are measurements of one thing.
type samples []float64

func (s *samples) add(x float64) { *s = append(*s, x) }

func (s *samples) ms(d time.Duration) { s.add(milliseconds(d)) }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// at is a quantile of sorted samples: the smallest that has a share q at or below it.
func (s samples) at(q float64) float64 {
	if len(s) == 0 {
		return 0
	}
	i := int(math.Ceil(q*float64(len(s)))) - 1
	return s[min(max(i, 0), len(s)-1)]
}

func (s samples) sorted() samples {
	t := slices.Clone(s)
	slices.Sort(t)
	return t
}

func (s samples) quantiles() report.Quantiles {
	t := s.sorted()
	return report.Quantiles{P50: t.at(0.5), P90: t.at(0.9), P99: t.at(0.99)}
}

func (s samples) ends() report.Ends {
	t := s.sorted()
	return report.Ends{P50: t.at(0.5), P99: t.at(0.99)}
}

// percents are the quantiles at 0 %, 1 % … 100 %.
func (s samples) percents() []float64 {
	if len(s) == 0 {
		return nil
	}
	t := s.sorted()
	all := make([]float64, 101)
	for i := range all {
		all[i] = t.at(float64(i) / 100)
	}
	return all
}

func (s samples) mean() float64 {
	if len(s) == 0 {
		return 0
	}
	sum := 0.0
	for _, x := range s {
		sum += x
	}
	return sum / float64(len(s))
}

// ratio is a share, 0 of nothing.
func ratio(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// edges are the round-trip times by which stretch is binned, as in findings A.2.
var edges = [...]time.Duration{0, 5 * time.Millisecond, 20 * time.Millisecond, 60 * time.Millisecond}

// binned are measurements by distance.
type binned [len(edges)]samples

func (b *binned) add(rtt time.Duration, x float64) {
	i := len(edges) - 1
	for rtt < edges[i] {
		i--
	}
	b[i].add(x)
}

// all are those of all distances.
func (b *binned) all() (s samples) { return slices.Concat(b[:]...) }

// magnitude is how many digits a number has beside the first, at most 3.
func magnitude(n int) (m int) {
	for ; n >= 10 && m < magnitudes-1; n /= 10 {
		m++
	}
	return m
}

// magnitudes are from 0, from 10, from 100 and from 1 000 on.
const magnitudes = 4

func (b *binned) report() (bins []report.Bin) {
	for i, s := range b {
		t := s.sorted()
		bin := report.Bin{FromMs: milliseconds(edges[i]), Count: len(t), P50: t.at(0.5), P90: t.at(0.9)}
		if i+1 < len(edges) {
			bin.ToMs = milliseconds(edges[i+1])
		}
		bins = append(bins, bin)
	}
	return bins
}
