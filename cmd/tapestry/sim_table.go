package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/tapestry-dolr/tapestry/internal/sim/report"
)

// simTable shows what matters of a report to a person.
func simTable(w io.Writer, r report.Report) {
	if r.Protocol != ours {
		row(w, "protocol", protocolName(r.Protocol))
	}
	row(w, "nodes", fmt.Sprintf("%d, seed %d", r.Nodes, r.Seed))
	row(w, "time", fmt.Sprintf("%.0f s in %.1f s, after %.1f s to settle", r.VirtualS, r.WallS, r.SettleWallS))
	row(w, "events", fmt.Sprintf("%d, %.0f a second", r.Events, float64(r.Events)/max(r.WallS, 1e-9)))
	row(w, "trace", r.TraceHash)
	if r.Lookups.Total > 0 {
		lookupRows(w, r.Lookups)
	}
	if r.Locates.Total > 0 {
		locateRows(w, r.Locates)
	}
	if g := r.Gone; g.Answers > 0 {
		row(w, "gone", fmt.Sprintf("%d answers name a server that is no more, first for up to %.1f s (%d after more than 15 s) and at all for up to %.1f s", g.Answers, g.FirstMaxS, g.FirstLate, g.NamedMaxS))
	}
	if l := r.Litter; l.Stale+l.Stray > 0 {
		row(w, "litter", fmt.Sprintf("of %d pointers %d of servers that are no more, %d where no path leads", l.Pointers, l.Stale, l.Stray))
	}
	if p := r.Publish; p.MessagesPerObject > 0 {
		row(w, "publish", fmt.Sprintf("%s placed; %.1f messages, %.0f bytes and %.1f pointers per copy; seen after %.0f ms, gone after %.0f ms",
			placed(p), p.MessagesPerObject, p.BytesPerObject, p.PointersPerObject, p.VisibleMs.P50, p.GoneMs.P50))
	}
	if b := r.Publish.Batches; b != nil {
		row(w, "batches", fmt.Sprintf("%.2f%% placed after %.0f ms (p99 %.0f); per object and root %.0f bytes and %.3f messages on paths, %.0f and %.3f beside them, %.0f and %.3f to confirm",
			100*b.PlacedRatio, b.Ms.P50, b.Ms.P99, b.PathBytes, b.PathMessages, b.CopyBytes, b.CopyMessages, b.ConfirmBytes, b.ConfirmMessages))
	}
	if j := r.Joins; j.Total+j.Failed > 0 {
		row(w, "joins", fmt.Sprintf("%d, %d given up, %.2f s (p90 %.2f, p99 %.2f), %.0f bytes each",
			j.Total, j.Failed, j.Ms.P50/1000, j.Ms.P90/1000, j.Ms.P99/1000, j.BytesMean))
	}
	row(w, "traffic", fmt.Sprintf("%.0f bytes and %.1f messages per node and second", r.Traffic.BytesPerNodeS, r.Traffic.MessagesPerNodeS))
	if d := r.Detector; d.Deaths+d.FalseDeaths+d.WellDeaths+d.FalseSuspicions > 0 {
		row(w, "deaths", fmt.Sprintf("%d, known after %.1f s (p99 %.1f s); %d false, %d of nodes that do not stall; %d false suspicions, %s",
			d.Deaths, d.DetectionS.P50, d.DetectionS.P99, d.FalseDeaths, d.WellDeaths, d.FalseSuspicions, count(d.Flaps, "flap")))
	}
	row(w, "state", fmt.Sprintf("%.0f links (p99 %.0f, most %d), %.0f bytes of heap per node",
		r.State.LinksMean, r.State.LinksP99, r.State.LinksMax, r.State.HeapBytesPerNode))
	for _, name := range slices.Sorted(maps.Keys(r.Oracles)) {
		row(w, "oracle "+name, count(r.Oracles[name], "violation"))
	}
}

// placed is the share of publishes that succeeded. Of a model none are counted.
func placed(p report.Publish) string { return ifAny(p.Total, "%.2f %%", inPercent(p.PlacedRatio, 2)) }

func lookupRows(w io.Writer, l report.Lookups) {
	row(w, "lookups", fmt.Sprintf("%d, %s completed, %s true, %s consistent", l.Total,
		percent(l.CompletedRatio), percent(l.TrueRatio), percent(l.ConsistentRatio)))
	row(w, "", fmt.Sprintf("%.2f hops (p99 %.0f), %s, stretch %.2f (p90 %.2f)",
		l.HopsMean, l.HopsP99, latencies(l.LatencyMs), l.Stretch.P50, l.Stretch.P90))
}

func locateRows(w io.Writer, l report.Locates) {
	row(w, "locates", fmt.Sprintf("%d, %s found, %d wrongly absent, %d unknown, %.1f messages each",
		l.Total, percent(l.FoundRatio), l.WrongAbsent, l.Unknown, l.MessagesMean))
	if l.LivingFirstRatio > 0 { // no model tells
		row(w, "", fmt.Sprintf("%s name a server that lives, measured %s; %s name it first",
			percent(l.LivingRatio), percent(l.LivingMeasuredRatio), percent(l.LivingFirstRatio)))
	}
	row(w, "", fmt.Sprintf("nearest in %s, measured in %s; first answer %s",
		percent(l.NearestRatio), percent(l.NearestMeasuredRatio), latencies(l.FirstAnswerMs)))
	row(w, "", fmt.Sprintf("stretch to the replica %.2f (p90 %.2f), at most once %.2f (p90 %.2f)",
		l.DeliveryStretch.P50, l.DeliveryStretch.P90, l.DeliveryStretchOnce.P50, l.DeliveryStretchOnce.P90))
}

func percent(share float64) string { return fmt.Sprintf("%.2f %%", inPercent(share, 2)) }

func latencies(q report.Quantiles) string {
	return fmt.Sprintf("%.0f ms (p90 %.0f, p99 %.0f)", q.P50, q.P90, q.P99)
}
