package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/tapestry-dolr/tapestry"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/control"
)

func (c *cli) status() *cobra.Command {
	var q control.StatusRequest
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Tell how the daemon is",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := c.askStatus(cmd, q)
			if err != nil {
				return err
			}
			return c.print(a, func(w io.Writer) { statusTable(w, a) })
		},
	}
	cmd.Flags().BoolVar(&q.Wait, "wait", false, "wait until it is a member")
	return cmd
}

func (c *cli) peers() *cobra.Command {
	return &cobra.Command{
		Use:   "peers",
		Short: "List the nodes that the daemon is linked to",
		Long: `peers lists the daemon's links: the round-trip time, what each side uses the link
for (leaf set, the only node for a slot of the map, a spare, or nothing), and the
level of the neighbor map.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := c.askStatus(cmd, control.StatusRequest{})
			if err != nil {
				return err
			}
			return c.print(a.Node.Neighbors, func(w io.Writer) { peersTable(w, a.Node.Neighbors) })
		},
	}
}

func (c *cli) askStatus(cmd *cobra.Command, q control.StatusRequest) (control.StatusReply, error) {
	client, err := c.client(cmd, tapestry.DefaultTimeout)
	if err != nil {
		return control.StatusReply{}, err
	}
	return client.Status(cmd.Context(), q)
}

func statusTable(w io.Writer, a control.StatusReply) {
	n := a.Node
	state := n.State
	if n.Ready {
		state += ", ready"
	}
	row(w, "node", n.ID)
	row(w, "network", n.Network)
	row(w, "state", state)
	row(w, "uptime", time.Duration(a.UptimeS*float64(time.Second)).Round(time.Second))
	row(w, "links", fmt.Sprintf("%d of %d (most %d)", n.Links, n.MaxLinks, n.MostLinks))
	row(w, "leaf set", count(len(n.LeafSet), "node"))
	row(w, "neighbor map", count(n.Levels, "level"))
	row(w, "pointers", pointersText(n))
	row(w, "published", publishedText(n))
	if r := n.Resume; r.Done+r.Left > 0 {
		row(w, "after the restart", resumeText(r))
	}
	row(w, "version", a.Version)
	row(w, "address", lines(a.Addrs))
}

func pointersText(n tapestry.Status) string {
	text := fmt.Sprintf("%d for others, %s", n.Pointers, size(int64(n.Store.Bytes)))
	if n.Store.Refused+n.Store.Evicted > 0 {
		text += fmt.Sprintf("; for want of room %d refused, %d given up", n.Store.Refused, n.Store.Evicted)
	}
	return text
}

func resumeText(r tapestry.Resume) string {
	text := fmt.Sprintf("%d of %s published again", r.Done, count(r.Done+r.Left, "object"))
	if r.LastError != "" {
		text += "; the last failure of " + fmt.Sprint(r.Failures) + ": " + r.LastError
	}
	return text
}

func peersTable(w io.Writer, neighbors []tapestry.Neighbor) {
	row(w, "NODE", "RTT", "MINE", "THEIRS", "LEVEL", "STATE")
	for _, nb := range neighbors {
		level, state, rtt := fmt.Sprint(nb.Level), "ok", "-"
		if nb.Level < 0 {
			level = "-"
		}
		if nb.Suspect {
			state = "suspected"
		}
		if nb.RTTMs > 0 {
			rtt = ms(nb.RTTMs)
		}
		row(w, nb.ID, rtt, nb.Mine, nb.Theirs, level, state)
	}
}

// publishedText says how many objects there are, and if they are published again too late.
func publishedText(n tapestry.Status) string {
	text := count(n.Published, "object")
	if late := time.Duration(n.LateS * float64(time.Second)); late >= time.Minute {
		text += fmt.Sprintf(", published again %v too late", late.Round(time.Second))
	}
	return text
}
