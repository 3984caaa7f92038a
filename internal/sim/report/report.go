// Package report is the outcome of simulated runs as plain data: what `tapestry sim
// --json` prints and what internal/sim/plot draws.
//
// Keys once published are kept; new ones may be added. Ratios of nothing are 0: look at
// the total beside them. Quantiles of nothing are 0 too.
//
// Layer 7, part of the room internal/sim: imports nothing of the project.
package report

import (
	"fmt"
	"math"
	"path/filepath"
)

// Report is one run.
type Report struct {
	Protocol    string  `json:"protocol"`
	Nodes       int     `json:"nodes"`
	Seed        uint64  `json:"seed"`
	VirtualS    float64 `json:"virtual_s"`     // of the measured part
	WallS       float64 `json:"wall_s"`        // of the measured part
	SettleWallS float64 `json:"settle_wall_s"` // of what came before, the warm-up included
	Events      uint64  `json:"events"`        // messages and timers of the measured part
	TraceHash   string  `json:"trace_hash"`    // over every event of the whole run
	Command     string  `json:"command"`       // the flags that reproduce it
	// Label is what a person calls the run, where several are drawn together.
	Label string `json:"label,omitempty"`

	Transport      string  `json:"transport"`             // "stream" or "datagram"
	WarmupS        float64 `json:"warmup_s"`              // of load and churn before the measured part
	SessionMedianS float64 `json:"session_median_s"`      // of the nodes, 0: nobody comes or goes, or a trace says who
	ChurnTrace     string  `json:"churn_trace,omitempty"` // whose sessions were played
	Recovery       string  `json:"recovery,omitempty"`    // "periodic" or "reactive", of a model nothing
	BandwidthBitS  float64 `json:"bandwidth_bit_s"`       // of each uplink, 0: unlimited

	Lookups  Lookups        `json:"lookups"`
	Locates  Locates        `json:"locates"`
	Gone     Gone           `json:"gone"`
	Litter   Litter         `json:"litter"`
	Publish  Publish        `json:"publish"`
	Joins    Joins          `json:"joins"`
	Traffic  Traffic        `json:"traffic"`
	Detector Detector       `json:"detector"`
	State    State          `json:"state"`
	Oracles  map[string]int `json:"oracle_violations"` // by oracle; every oracle has a key if --check
	// Violations are the first of each oracle, as text.
	Violations []string `json:"violations,omitempty"`
	Timeline   []Window `json:"timeline"`
}

// Sessions says how long nodes stay, in the words of a table.
func (r *Report) Sessions() string {
	switch {
	case r.ChurnTrace != "":
		return filepath.Base(r.ChurnTrace)
	case r.SessionMedianS == 0:
		return "none"
	case math.Mod(r.SessionMedianS, 60) == 0:
		return fmt.Sprintf("%g min", r.SessionMedianS/60)
	}
	return fmt.Sprintf("%g s", r.SessionMedianS)
}

// Quantiles are those of one measure.
type Quantiles struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
}

// Ends are the two quantiles that matter of a measure with few samples.
type Ends struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// Bin is a stretch at one range of distances.
type Bin struct {
	FromMs float64 `json:"from_ms"` // round-trip time to the target
	ToMs   float64 `json:"to_ms"`   // 0: no upper end
	Count  int     `json:"count"`
	P50    float64 `json:"p50"`
	P90    float64 `json:"p90"`
}

// Lookups are routes of random keys, each from ten nodes at once.
type Lookups struct {
	Total           int       `json:"total"`
	CompletedRatio  float64   `json:"completed_ratio"`
	PromptRatio     float64   `json:"completed_10s_ratio"` // of all: a model may complete later
	TrueRatio       float64   `json:"true_ratio"`          // of the completed: the answerer was the root when it answered
	ConsistentRatio float64   `json:"consistent_ratio"`    // of the completed: the answer was the majority's
	RefusedRatio    float64   `json:"refused_ratio"`       // of all: told that the overlay is busy, and when to try again
	LostRatio       float64   `json:"lost_ratio"`          // of all: neither completed nor refused
	GoodputPerS     float64   `json:"goodput_per_s"`       // completed and true, of all nodes together
	HopsMean        float64   `json:"hops_mean"`
	HopsP99         float64   `json:"hops_p99"`
	LatencyMs       Quantiles `json:"latency_ms"` // from the request to its reply
	Stretch         Quantiles `json:"stretch"`    // latency over the round trip to the answerer

	HopsHistogram      []int     `json:"hops_histogram"`       // lookups by number of hops
	LatencyQuantilesMs []float64 `json:"latency_quantiles_ms"` // 101 values: 0 %, 1 % … 100 %; none if no lookup completed
	StretchByDistance  []Bin     `json:"stretch_by_distance"`
}

// Locates are searches for objects.
type Locates struct {
	Total                int       `json:"total"` // of objects with a living server
	FoundRatio           float64   `json:"found_ratio"`
	WrongAbsent          int       `json:"wrong_absent"`
	Unknown              int       `json:"unknown"`
	NearestRatio         float64   `json:"nearest_ratio"`          // the first answer named the nearest replica
	NearestMeasuredRatio float64   `json:"nearest_measured_ratio"` // the gathered and measured answer did
	FirstAnswerMs        Quantiles `json:"first_answer_ms"`
	DeliveryStretch      Quantiles `json:"delivery_stretch"`      // of a raced message, one way
	DeliveryStretchOnce  Quantiles `json:"delivery_stretch_once"` // of an at-most-once message, one way
	RoundtripOverRTT     Quantiles `json:"roundtrip_over_rtt"`    // to the reply of an at-most-once message
	RoundtripMs          Quantiles `json:"roundtrip_ms"`          // the same, itself
	Dials                int       `json:"dials"`                 // connections opened to carry a question, an answer or a message
	DialsMeasuring       int       `json:"dials_measuring"`       // to measure how far servers are
	MessagesMean         float64   `json:"messages_mean"`         // envelopes sent per locate, hop by hop

	LivingRatio         float64 `json:"living_ratio"`          // of those that carry no message and whose object has a server in the end: the answer names one that lives
	LivingFirstRatio    float64 `json:"living_first_ratio"`    // of the same: names it first
	LivingMeasuredRatio float64 `json:"living_measured_ratio"` // of those that are gathered and measured: names one

	FirstAnswerQuantilesMs []float64 `json:"first_answer_quantiles_ms"` // 101 values, or none
	StretchByDistance      []Bin     `json:"stretch_by_distance"`       // delivery_stretch by round trip to the nearest replica
	StretchByAsked         []Asked   `json:"stretch_by_asked"`          // the same, by how often the object was looked for before
}

// Gone is how long servers that have crashed, or withdrawn an object, were still named to
// those who asked. Of a message to an object nothing is counted.
type Gone struct {
	Answers   int     `json:"answers"`     // that named one
	FirstLate int     `json:"first_late"`  // before all others, more than 15 s after its end
	FirstMaxS float64 `json:"first_max_s"` // the longest after its end that one was named before all others
	NamedMaxS float64 `json:"named_max_s"` // and at all
}

// Litter is what lies at living nodes when the run is over.
type Litter struct {
	Pointers int `json:"pointers"`
	Stale    int `json:"stale"` // to servers that have been no more for longer than a pointer lives
	Stray    int `json:"stray"` // that lie where no path of their server to a root leads by now
	// StrayMaxS is the longest that one was seen to do so; looked at only with --check.
	StrayMaxS float64 `json:"stray_max_s"`
}

// Asked are stretches of searches whose object was looked for From times before, or up to ten
// times as often.
type Asked struct {
	From    int       `json:"from"`
	Count   int       `json:"count"`
	Stretch Quantiles `json:"stretch"`
	Bins    []Bin     `json:"bins"`
}

// Publish is what laying, keeping and taking away pointers costs.
type Publish struct {
	Total                   int     `json:"total"`               // those at the beginning included
	PlacedRatio             float64 `json:"placed_ratio"`        // of them: enough roots acknowledged in time
	RequestsPerObject       float64 `json:"requests_per_object"` // RPCs: messages that are no replies
	MessagesPerObject       float64 `json:"messages_per_object"`
	BytesPerObject          float64 `json:"bytes_per_object"`
	PointersPerObject       float64 `json:"pointers_per_object"`
	RefreshBytesPerNodeS    float64 `json:"refresh_bytes_per_node_s"`
	RefreshMessagesPerNodeS float64 `json:"refresh_messages_per_node_s"`
	VisibleMs               Ends    `json:"visible_ms"` // until the roots acknowledged
	GoneMs                  Ends    `json:"gone_ms"`    // until the withdrawal was acknowledged

	Batches *Batches `json:"batches,omitempty"` // as which the objects of the beginning were published
}

// Batches is what publishing objects as batches came to; bytes and messages of all nodes per object, server and root, packet headers aside.
type Batches struct {
	Size            int     `json:"size"`
	PlacedRatio     float64 `json:"placed_ratio"`
	Ms              Ends    `json:"ms"`         // of a batch, until it was known to have arrived
	PathBytes       float64 `json:"path_bytes"` // of deposits on the paths
	PathMessages    float64 `json:"path_messages"`
	CopyBytes       float64 `json:"copy_bytes"` // of deposits at heirs, backups and near nodes
	CopyMessages    float64 `json:"copy_messages"`
	ConfirmBytes    float64 `json:"confirm_bytes"` // of what confirms either, and says that they have arrived; digests of that time included
	ConfirmMessages float64 `json:"confirm_messages"`
}

// Joins are the nodes that came in the measured part.
type Joins struct {
	Total     int       `json:"total"`  // that became members
	Failed    int       `json:"failed"` // that gave up
	Ms        Quantiles `json:"ms"`     // from the request until the node was a member
	BytesMean float64   `json:"bytes_mean"`
}

// Traffic is what nodes send, packet headers included.
type Traffic struct {
	BytesPerNodeS    float64            `json:"bytes_per_node_s"`
	MessagesPerNodeS float64            `json:"messages_per_node_s"`
	Dials            int                `json:"dials"`   // connections opened in the measured part, for whatever
	ByKind           map[string]float64 `json:"by_kind"` // bytes per node and second by kind of message; "packet" is the headers
	MessagesByKind   map[string]float64 `json:"messages_by_kind"`
}

// Detector is how well death was found out.
type Detector struct {
	Deaths          int  `json:"deaths"`
	DetectionS      Ends `json:"detection_s"`          // until a neighbor took it for dead
	FalseDeaths     int  `json:"false_deaths"`         // where neither side stalls
	WellDeaths      int  `json:"false_deaths_of_well"` // of nodes that do not stall, whoever took them for dead
	FalseSuspicions int  `json:"false_suspicions"`
	Flaps           int  `json:"flaps"`    // a node dropped a living neighbor twice within a minute
	Relapses        int  `json:"relapses"` // of these, it had taken it back in between
}

// State is what a node keeps.
type State struct {
	LinksMean        float64 `json:"links_mean"`
	LinksP99         float64 `json:"links_p99"`
	LinksMax         int     `json:"links_max"`
	HeapBytesPerNode float64 `json:"heap_bytes_per_node"`
}

// Window is five seconds of the timeline.
type Window struct {
	FromS         float64 `json:"from_s"`
	Live          int     `json:"live"`           // nodes when it begins
	Lookups       int     `json:"lookups"`        // begun in it and judged
	LookupSuccess float64 `json:"lookup_success"` // of them completed and true
	LookupRefused float64 `json:"lookup_refused"` // of them told that the overlay is busy
	Locates       int     `json:"locates"`
	LocateSuccess float64 `json:"locate_success"` // of them found
	Asks          int     `json:"asks"`           // locates that carry no message
	LivingRatio   float64 `json:"living_ratio"`   // of them: the answer names a server that lives
	BytesPerS     float64 `json:"bytes_per_s"`    // of all nodes together
}
