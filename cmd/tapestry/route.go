package main

import (
	"errors"
	"io"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/spf13/cobra"
	"github.com/tapestry-dolr/tapestry"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/control"
)

func (c *cli) route() *cobra.Command {
	var app string
	var node, surrogate, raced bool
	cmd := &cobra.Command{
		Use:   "route GUID|NODE MESSAGE",
		Short: "Send a message to the nearest server of an object, or to a node",
		Long: `route carries a message of up to 64 KiB and prints the reply. It goes to the nearest
server of the object GUID; with --node to the node of that ID, which may also be
given as a libp2p peer ID; with --surrogate to the node that answers for that ID,
whether there is a node of that ID or not. A message to an object is delivered at most
once; with --raced it is faster, and several servers may get it.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if node && surrogate {
				return usageError{errors.New("--node and --surrogate: choose one")}
			}
			if raced && (node || surrogate) {
				return usageError{errors.New("--raced is for messages to objects")}
			}
			to, target, err := parseTarget(args[0])
			if err != nil {
				return usageError{err}
			}
			switch {
			case surrogate:
				target = control.ToSurrogate
			case node:
				target = control.ToNode
			}
			client, err := c.client(cmd, tapestry.DefaultTimeout)
			if err != nil {
				return err
			}
			a, err := client.Route(cmd.Context(), control.RouteRequest{
				To: to, Target: target, App: tapestry.AppID(app), Message: args[1], Raced: raced,
			})
			if err != nil {
				return err
			}
			return c.print(a, func(w io.Writer) { routeTable(w, a) })
		},
	}
	appFlag(cmd, &app)
	cmd.Flags().BoolVar(&node, "node", false, "send to the node of that ID")
	cmd.Flags().BoolVar(&surrogate, "surrogate", false, "send to the node that answers for that ID")
	cmd.Flags().BoolVar(&raced, "raced", false, "send copies on several ways at once, for messages that do no harm twice")
	return cmd
}

// parseTarget reads 40 hex digits, which name an object unless a flag says
// otherwise, or a peer ID, which names a node.
func parseTarget(text string) (tapestry.ID, control.Target, error) {
	id, err := tapestry.ParseID(text)
	if err == nil {
		return id, control.ToObject, nil
	}
	if p, bad := peer.Decode(text); bad == nil {
		return tapestry.NodeIDFromPeer(p), control.ToNode, nil
	}
	return id, "", err
}

func routeTable(w io.Writer, a control.RouteReply) {
	row(w, "reply", a.Reply)
	row(w, "from", a.Replica.ID)
	row(w, "rtt", ms(a.RTTMs))
	row(w, "hops", a.Hops)
	for i, id := range a.Path {
		row(w, map[bool]string{true: "path", false: ""}[i == 0], id)
	}
}
