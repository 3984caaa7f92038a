package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/tapestry-dolr/tapestry"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/control"
)

func (c *cli) multicast() *cobra.Command {
	var app, prefix string
	cmd := &cobra.Command{
		Use:   "multicast MESSAGE",
		Short: "Send a message to every node, or to all whose ID begins alike",
		Long: `multicast carries a message of up to 64 KiB to every node of the overlay, this daemon's
included, or with --prefix to those whose ID begins with the hex digits given. It waits
until all have answered, and prints how many have the message and how many of those
handled it. If a part of the overlay did not answer in time it exits with 4.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := tapestry.ParsePrefix(prefix); err != nil {
				return usageError{err}
			}
			client, err := c.client(cmd, tapestry.DefaultTimeout)
			if err != nil {
				return err
			}
			a, err := client.Multicast(cmd.Context(), control.MulticastRequest{
				Prefix: prefix, App: tapestry.AppID(app), Message: args[0],
			})
			if err != nil {
				return err
			}
			if err := c.print(a, func(w io.Writer) { multicastTable(w, a) }); err != nil || a.Failed == 0 {
				return err
			}
			return &control.Error{Code: control.Unknown, Message: fmt.Sprintf("%d parts of the overlay did not answer", a.Failed)}
		},
	}
	appFlag(cmd, &app)
	cmd.Flags().StringVar(&prefix, "prefix", "", "hex digits that the nodes' IDs begin with (default: everybody)")
	return cmd
}

func multicastTable(w io.Writer, a control.MulticastReply) {
	row(w, "reached", a.Reached)
	row(w, "handled", a.Handled)
	if a.Failed > 0 {
		row(w, "failed", a.Failed)
	}
}
