package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tapestry-dolr/tapestry/cmd/tapestry/control"
)

// print shows a result: v as one line of JSON if the user wants that, else what
// human writes.
func (c *cli) print(v any, human func(w io.Writer)) error {
	if c.json {
		return c.printJSONTo(c.out, v)
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	human(w)
	return w.Flush()
}

func (c *cli) printJSONTo(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// row writes one line of a table.
func row(w io.Writer, cells ...any) {
	for i, cell := range cells {
		if i > 0 {
			fmt.Fprint(w, "\t")
		}
		fmt.Fprint(w, cell)
	}
	fmt.Fprintln(w)
}

// ms prints milliseconds as a person would.
func ms(v float64) string {
	d := time.Duration(v * float64(time.Millisecond))
	switch {
	case d >= 100*time.Millisecond:
		return d.Round(time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Microsecond).String()
}

// rtt prints a replica's round-trip time, marked if it is only an estimate.
func rtt(r control.Replica) string {
	if r.Measured {
		return ms(r.RTTMs)
	}
	return "~" + ms(r.RTTMs)
}

// size prints a number of bytes as a person would.
func size(bytes int64) string {
	const units = "KMGTPE"
	if bytes < 1024 {
		return fmt.Sprintf("%d B", bytes)
	}
	v, unit := float64(bytes)/1024, 0
	for v >= 1024 && unit < len(units)-1 {
		v, unit = v/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", v, units[unit])
}

// count prints a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// firstAddr is one address of a replica, with how many more there are.
func firstAddr(r control.Replica) string {
	if len(r.Addrs) == 0 {
		return "-"
	}
	if len(r.Addrs) == 1 {
		return r.Addrs[0]
	}
	return fmt.Sprintf("%s (+%d)", r.Addrs[0], len(r.Addrs)-1)
}

// replicaTable writes replicas, nearest first as they came.
func replicaTable(w io.Writer, replicas []control.Replica) {
	row(w, "SERVER", "RTT", "PEER", "ADDRESS")
	for _, r := range replicas {
		row(w, r.ID, rtt(r), r.Peer, firstAddr(r))
	}
}

// lines joins texts as the lines of one cell would be: one below the other.
func lines(texts []string) string { return strings.Join(texts, "\n\t") }
