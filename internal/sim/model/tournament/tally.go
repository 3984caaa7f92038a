package tournament

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/sim/model"
	"github.com/tapestry-dolr/tapestry/internal/sim/model/stage"
	"github.com/tapestry-dolr/tapestry/internal/sim/report"
)

// windowLength is that of the timeline.
const windowLength = 5 * time.Second

// tally is what the run has shown.
type tally struct {
	asked, completed, right, consistent int
	prompt                              int // of the completed: as soon as this overlay's have to
	hops, latency, stretch              samples
	histogram                           []int
	stretchBins                         binned

	searched, found, wrongAbsent, unknown int
	answers, nearest                      [hows]int
	asks, living                          int // locates that carry no message; their answers that name a server that is up
	firstAnswer, once, roundtrip, tripMs  samples
	onceBins                              binned

	visible, gone                samples
	perObject, bytesPerObject    float64
	requests                     float64 // per object
	dials                        int
	deaths                       int
	links                        samples
	kinds                        map[string]int // bytes in the measured part
	measuring                    bool
	bytes, messages, nodeSeconds float64
	packets                      float64
	events                       uint64
	windows                      []window
}

type window struct {
	live            int
	judged, right   int
	searched, found int
	asks, living    int
	bytesPerS       float64
}

// replies are the kinds of message of all models that only answer another.
var replies = map[string]bool{
	"closer-peers": true, "payload-reply": true, "reply": true, "ack": true, "answer": true, "pong": true, "hit": true,
}

// totals are those of the stage, with the messages that are no replies.
type totals struct {
	stage.Totals
	requests uint64
}

func (c *contest) totals() totals { return totals{c.stage.Totals(), c.requests} }

func (c *contest) sent(_, _ model.Addr, m model.Message) {
	if !replies[m.Kind()] {
		c.requests++
	}
	if t := c.tally; t.measuring {
		t.kinds[m.Kind()] += m.Size()
	}
}

// newTally is that of a part of the run that takes d.
func newTally(d time.Duration) *tally {
	return &tally{windows: make([]window, (d+windowLength-1)/windowLength), kinds: map[string]int{}}
}

func (t *tally) window(i, live int, bytesPerS float64) {
	t.windows[i].live, t.windows[i].bytesPerS = live, bytesPerS
}

func (t *tally) end(before, after stage.Totals) {
	t.measuring = false
	t.bytes, t.messages = float64(after.Bytes-before.Bytes), float64(after.Messages-before.Messages)
	t.packets, t.dials = float64(after.Packets-before.Packets), int(after.Dials-before.Dials)
}

// laid compares two spans of the same length, of which in the second everything was
// published.
func (t *tally) laid(idle, before, after totals) {
	n := max(1, float64(len(t.visible)))
	more := func(idle, before, after uint64) float64 {
		return max(0, float64(after-before)-float64(before-idle)) / n
	}
	t.perObject = more(idle.Messages, before.Messages, after.Messages)
	t.requests = more(idle.requests, before.requests, after.requests)
	t.bytesPerObject = more(idle.Bytes, before.Bytes, after.Bytes)
}

func (t *tally) hop(hops int) {
	for len(t.histogram) <= hops {
		t.histogram = append(t.histogram, 0)
	}
	t.histogram[hops]++
	t.hops.add(float64(hops))
}

// report tells what the run has shown.
func (c *contest) report() report.Report {
	t := c.tally
	out := c.cfg.Blank()
	out.Events, out.TraceHash = t.events, fmt.Sprintf("%016x", c.stage.Hash())
	out.Lookups = report.Lookups{
		Total: t.asked, CompletedRatio: ratio(t.completed, t.asked),
		PromptRatio: ratio(t.prompt, t.asked), TrueRatio: ratio(t.right, t.completed),
		ConsistentRatio: ratio(t.consistent, t.completed), HopsMean: t.hops.mean(), HopsP99: t.hops.sorted().at(0.99),
		LatencyMs: t.latency.quantiles(), Stretch: t.stretch.quantiles(), HopsHistogram: t.histogram,
		LatencyQuantilesMs: t.latency.percents(), StretchByDistance: t.stretchBins.report(),
	}
	out.Locates = report.Locates{
		Total: t.searched, FoundRatio: ratio(t.found, t.searched), WrongAbsent: t.wrongAbsent, Unknown: t.unknown,
		NearestRatio: ratio(t.nearest[first], t.answers[first]), NearestMeasuredRatio: ratio(t.nearest[all], t.answers[all]),
		FirstAnswerMs: t.firstAnswer.quantiles(), DeliveryStretch: t.once.quantiles(), DeliveryStretchOnce: t.once.quantiles(),
		RoundtripOverRTT: t.roundtrip.quantiles(), RoundtripMs: t.tripMs.quantiles(), FirstAnswerQuantilesMs: t.firstAnswer.percents(),
		StretchByDistance: t.onceBins.report(), LivingRatio: ratio(t.living, t.asks),
	}
	out.Publish = report.Publish{
		RequestsPerObject: t.requests, MessagesPerObject: t.perObject, BytesPerObject: t.bytesPerObject, VisibleMs: t.visible.ends(), GoneMs: t.gone.ends(),
	}
	out.Detector = report.Detector{Deaths: t.deaths}
	out.State = report.State{LinksMean: t.links.mean(), LinksP99: t.links.sorted().at(0.99), LinksMax: int(t.links.sorted().at(1))}
	out.Timeline = t.timeline()
	out.Traffic = t.traffic()
	return out
}

func (t *tally) traffic() report.Traffic {
	per := 1 / max(1, t.nodeSeconds)
	out := report.Traffic{BytesPerNodeS: t.bytes * per, MessagesPerNodeS: t.messages * per, Dials: t.dials, ByKind: map[string]float64{}}
	for kind, bytes := range t.kinds { // into a map again
		out.ByKind[kind] = float64(bytes) * per
	}
	out.ByKind["packet"] = stage.Overhead * t.packets * per
	return out
}

func (t *tally) timeline() (all []report.Window) {
	for i, w := range t.windows {
		all = append(all, report.Window{
			FromS: (time.Duration(i) * windowLength).Seconds(), Live: w.live, Lookups: w.judged,
			LookupSuccess: ratio(w.right, w.judged), Locates: w.searched, LocateSuccess: ratio(w.found, w.searched),
			Asks: w.asks, LivingRatio: ratio(w.living, w.asks),
			BytesPerS: w.bytesPerS,
		})
	}
	return all
}

// samples are measurements of one thing.
type samples []float64

func (s *samples) add(x float64)      { *s = append(*s, x) }
func (s *samples) ms(d time.Duration) { s.add(float64(d) / float64(time.Millisecond)) }

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

func (s samples) mean() float64 {
	sum := 0.0
	for _, x := range s {
		sum += x
	}
	return sum / max(1, float64(len(s)))
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
func (s samples) percents() (all []float64) {
	t := s.sorted()
	for i := 0; i <= 100 && len(t) > 0; i++ {
		all = append(all, t.at(float64(i)/100))
	}
	return all
}

// ratio is a share, 0 of nothing.
func ratio(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// edges are the round-trip times in ms by which stretch is binned, as in internal/sim.
var edges = [...]float64{0, 5, 20, 60}

type binned [len(edges)]samples

func (b *binned) add(rtt time.Duration, x float64) {
	i := len(edges) - 1
	for float64(rtt) < edges[i]*float64(time.Millisecond) {
		i--
	}
	b[i].add(x)
}

func (b *binned) report() (bins []report.Bin) {
	for i, s := range b {
		t := s.sorted()
		bin := report.Bin{FromMs: edges[i], Count: len(t), P50: t.at(0.5), P90: t.at(0.9)}
		if i+1 < len(edges) {
			bin.ToMs = edges[i+1]
		}
		bins = append(bins, bin)
	}
	return bins
}
