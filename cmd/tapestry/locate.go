package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/tapestry-dolr/tapestry"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/control"
)

func (c *cli) locate() *cobra.Command {
	var q control.LocateRequest
	var app, prefer, only string
	cmd := &cobra.Command{
		Use:   "locate GUID",
		Short: "List the servers of an object, nearest first",
		Long: `locate asks the overlay who serves an object and measures the nearest servers. It
ends with exit code 3 if the object's roots agree that there is none, and with 4 if
they could not be asked. A time with ~ before it is an estimate. With --prefer servers
whose zone begins like the one named come first; with --local-only no others count.
--fresh asks the roots themselves: whoever has taken the object back is not named.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			guids, err := parseGUIDs(args)
			if err != nil {
				return err
			}
			client, err := c.client(cmd, tapestry.DefaultTimeout)
			if err != nil {
				return err
			}
			q.GUID, q.App, q.Zone, q.LocalOnly = guids[0], tapestry.AppID(app), prefer, false
			if only != "" {
				q.Zone, q.LocalOnly = only, true
			}
			a, err := client.Locate(cmd.Context(), q)
			if err != nil {
				return err
			}
			return c.print(a, func(w io.Writer) { replicaTable(w, a.Replicas) })
		},
	}
	appFlag(cmd, &app)
	cmd.Flags().BoolVar(&q.First, "first", false, "take the first answer and measure nothing")
	cmd.Flags().BoolVar(&q.All, "all", false, "list every server that any root knows, in the order in which they are named")
	cmd.Flags().BoolVar(&q.Fresh, "fresh", false, "believe only the object's roots")
	cmd.Flags().StringVar(&prefer, "prefer", "", "name servers in this zone first")
	cmd.Flags().StringVar(&only, "local-only", "", "name no servers but those in this zone")
	cmd.MarkFlagsMutuallyExclusive("prefer", "local-only")
	cmd.Flags().IntVar(&q.Limit, "limit", 0, "list at most so many servers (default: 4)")
	return cmd
}

func (c *cli) explain() *cobra.Command {
	var app string
	cmd := &cobra.Command{
		Use:   "explain GUID",
		Short: "Tell hop by hop how a search for an object goes",
		Long: `explain searches for an object and shows the way to each of its roots: at every
node the rule by which it chose the next one, how many pointers to the object it
held, and how long it took. That there is no such object is an answer here.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			guids, err := parseGUIDs(args)
			if err != nil {
				return err
			}
			client, err := c.client(cmd, tapestry.DefaultTimeout)
			if err != nil {
				return err
			}
			a, err := client.Explain(cmd.Context(), control.ExplainRequest{GUID: guids[0], App: tapestry.AppID(app)})
			if err != nil {
				return err
			}
			text := a.Text
			a.Text = ""
			return c.print(a, func(w io.Writer) { fmt.Fprint(w, text) })
		},
	}
	appFlag(cmd, &app)
	return cmd
}
