package main

import (
	"io"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/spf13/cobra"
	"github.com/tapestry-dolr/tapestry"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/daemon"
)

func (c *cli) id() *cobra.Command {
	return &cobra.Command{
		Use:   "id",
		Short: "Print the node's and its host's identifiers",
		Long: `id reads the key in the state directory, so it needs no running daemon. The node's
ID is the hash of the host's peer ID.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.settings(cmd)
			if err != nil {
				return err
			}
			key, err := daemon.ReadKey(cfg.State)
			if err != nil {
				return err
			}
			p, err := peer.IDFromPrivateKey(key)
			if err != nil {
				return err
			}
			who := struct {
				ID   tapestry.ID `json:"id"`
				Peer string      `json:"peer"`
			}{tapestry.NodeIDFromPeer(p), p.String()}
			return c.print(who, func(w io.Writer) {
				row(w, "node", who.ID)
				row(w, "peer", who.Peer)
			})
		},
	}
}
