package sim

import (
	"time"

	"github.com/tapestry-dolr/tapestry/internal/sim/report"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// traffic counts messages and bytes by kind; envelopes by what they carry.
type traffic struct {
	kinds  [wire.KindPlaced + 1]count
	bodies [wire.BodyKind_BODY_SELF_PROBE + 1]count
	// requests are the messages among bodies that are no replies.
	requests [wire.BodyKind_BODY_SELF_PROBE + 1]uint64
}

type count struct{ messages, bytes uint64 }

func (t *traffic) add(m wire.Message, size int) {
	c := &t.kinds[m.Kind()]
	if r, ok := m.(*wire.Routed); ok && r.BodyKind >= 0 && int(r.BodyKind) < len(t.bodies) {
		c = &t.bodies[r.BodyKind]
		if !r.Reply {
			t.requests[r.BodyKind]++
		}
	}
	c.messages++
	c.bytes += uint64(size)
}

func (c count) minus(o count) count { return count{c.messages - o.messages, c.bytes - o.bytes} }

// stats is what the measured part has shown.
type stats struct {
	asked, completed, right, consistent int
	refused                             int // told that the overlay is busy
	hops, latency, stretch              samples
	hopsHistogram                       []int
	stretchBins                         binned

	searched, found, wrongAbsent, unknown int
	answers, nearest                      [hows]int
	asksMeasured, livingMeasured          int // of those, the gathered and measured answers
	asks, living, livingFirst             int // that carry no message; see search.useful
	firstAnswer, raced, once, roundtrip   samples
	tripMs                                samples // the round trips themselves
	dials, dialsMeasuring                 int     // see dialed
	racedBins                             binned
	askedBins                             [magnitudes]binned // the same, by how often the object was looked for before
	leftover                              gone
	located, locating                     int // envelopes of locates, and how many those were

	published, pointersLaid int
	batches                 *batches // while they are published, else nil
	batchReport             *report.Batches
	offered, placed         int // publishes that began, and those that enough roots acknowledged
	visible, gone           samples
	began, laid             traffic // before and after the first objects were published
	from                    traffic // when the measured part began

	deaths, falseDeaths, falseSuspicions, flaps, relapses int
	wellDeaths                                            int // false ones of nodes that do not stall
	detection                                             samples

	joins   joins
	windows []window
	events  uint64        // of the world, at the end of the measured part
	wall    time.Duration // that it took
}

// window is five seconds.
type window struct {
	live            int
	judged, right   int
	refused         int
	searched, found int
	asks, living    int
	length          uint64 // bytes sent
}

// windowLength is that of the timeline.
const windowLength = 5 * time.Second

func (s *stats) judged(window int) { s.windows[window].judged++ }

// newStats are those of a part of the run that takes d.
func newStats(d time.Duration) *stats {
	return &stats{windows: make([]window, (d+windowLength-1)/windowLength)}
}

// window is the number of the present one; while the run warms up there is but one.
func (r *run) window() int {
	return max(0, min(int(r.world.Now().Sub(r.began)/windowLength), len(r.stats.windows)-1))
}

// report tells what the run has shown.
func (r *run) report() report.Report {
	s := r.stats
	out := r.cfg.Blank()
	out.Lookups = report.Lookups{
		Total: s.asked, CompletedRatio: ratio(s.completed, s.asked), PromptRatio: ratio(s.completed, s.asked),
		RefusedRatio: ratio(s.refused, s.asked), LostRatio: ratio(s.asked-s.completed-s.refused, s.asked),
		GoodputPerS: float64(s.right) / r.cfg.Duration.Seconds(),
		TrueRatio:   ratio(s.right, s.completed), ConsistentRatio: ratio(s.consistent, s.completed),
		HopsMean: s.hops.mean(), HopsP99: s.hops.sorted().at(0.99), LatencyMs: s.latency.quantiles(),
		Stretch: s.stretch.quantiles(), HopsHistogram: s.hopsHistogram,
		LatencyQuantilesMs: s.latency.percents(), StretchByDistance: s.stretchBins.report(),
	}
	out.Locates = report.Locates{
		Total: s.searched, FoundRatio: ratio(s.found, s.searched), WrongAbsent: s.wrongAbsent, Unknown: s.unknown,
		NearestRatio:         ratio(s.nearest[first], s.answers[first]),
		NearestMeasuredRatio: ratio(s.nearest[measured], s.answers[measured]),
		FirstAnswerMs:        s.firstAnswer.quantiles(), DeliveryStretch: s.raced.quantiles(),
		DeliveryStretchOnce: s.once.quantiles(), RoundtripOverRTT: s.roundtrip.quantiles(),
		RoundtripMs: s.tripMs.quantiles(), Dials: s.dials, DialsMeasuring: s.dialsMeasuring,
		MessagesMean: ratio(s.located, s.locating), LivingRatio: ratio(s.living, s.asks), LivingFirstRatio: ratio(s.livingFirst, s.asks),
		LivingMeasuredRatio:    ratio(s.livingMeasured, s.asksMeasured),
		FirstAnswerQuantilesMs: s.firstAnswer.percents(), StretchByDistance: s.racedBins.report(),
		StretchByAsked: s.byAsked(),
	}
	out.Detector = report.Detector{
		Deaths: s.deaths, DetectionS: s.detection.ends(), FalseDeaths: s.falseDeaths, WellDeaths: s.wellDeaths, FalseSuspicions: s.falseSuspicions,
		Flaps: s.flaps, Relapses: s.relapses,
	}
	out.Gone = s.leftover.report()
	out.Timeline = r.timeline()
	out.Publish = r.publishReport()
	out.Joins = s.joins.report()
	out.Traffic = r.trafficReport()
	return out
}

// byAsked tells stretch by how often an object was looked for before, where anything was measured.
func (s *stats) byAsked() (all []report.Asked) {
	from := 0
	for i := range s.askedBins {
		if bins := s.askedBins[i]; len(bins.all()) > 0 {
			all = append(all, report.Asked{From: from, Count: len(bins.all()), Stretch: bins.all().quantiles(), Bins: bins.report()})
		}
		from = max(10, 10*from)
	}
	return all
}

func (r *run) timeline() (all []report.Window) {
	for i, w := range r.stats.windows {
		from := time.Duration(i) * windowLength
		length := min(windowLength, r.cfg.Duration-from)
		all = append(all, report.Window{
			FromS: from.Seconds(), Live: w.live, Lookups: w.judged, LookupSuccess: ratio(w.right, w.judged),
			LookupRefused: ratio(w.refused, w.judged),
			Locates:       w.searched, LocateSuccess: ratio(w.found, w.searched),
			Asks: w.asks, LivingRatio: ratio(w.living, w.asks), BytesPerS: float64(w.length) / length.Seconds(),
		})
	}
	return all
}

func (r *run) publishReport() report.Publish {
	s := r.stats
	body := wire.BodyKind_BODY_PUBLISH
	laid := s.laid.bodies[body].minus(s.began.bodies[body])
	refresh := r.measured.bodies[body].minus(s.from.bodies[body])
	per := r.nodeSeconds()
	return report.Publish{
		Total: s.offered, PlacedRatio: ratio(s.placed, s.offered),
		RequestsPerObject: ratio(int(s.laid.requests[body]-s.began.requests[body]), s.published),
		MessagesPerObject: ratio(int(laid.messages), s.published), BytesPerObject: ratio(int(laid.bytes), s.published),
		PointersPerObject:    ratio(s.pointersLaid, s.published),
		RefreshBytesPerNodeS: float64(refresh.bytes) / per, RefreshMessagesPerNodeS: float64(refresh.messages) / per,
		VisibleMs: s.visible.ends(), GoneMs: s.gone.ends(), Batches: s.batchReport,
	}
}

func (r *run) trafficReport() report.Traffic {
	per := r.nodeSeconds()
	t := report.Traffic{ByKind: map[string]float64{}, MessagesByKind: map[string]float64{}}
	messages := uint64(0)
	note := func(name string, c count) {
		if messages += c.messages; c.messages > 0 {
			t.ByKind[name] = float64(c.bytes) / per
			t.MessagesByKind[name] = float64(c.messages) / per
		}
	}
	for k, c := range r.measured.kinds {
		note(wire.Kind(k).String(), c.minus(r.stats.from.kinds[k]))
	}
	for k, c := range r.measured.bodies {
		note(wire.BodyKind(k).Name(), c.minus(r.stats.from.bodies[k]))
	}
	t.ByKind["packet"] = 60 * float64(r.packets) / per
	t.BytesPerNodeS, t.Dials = float64(r.bytes)/per, int(r.dials)
	t.MessagesPerNodeS = float64(messages) / per
	return t
}

// nodeSeconds is how long all nodes together have been up in the measured part.
func (r *run) nodeSeconds() float64 {
	total := 0.0
	for i, w := range r.stats.windows {
		total += float64(w.live) * min(windowLength, r.cfg.Duration-time.Duration(i)*windowLength).Seconds()
	}
	return max(total, 1)
}
