package main

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/control"
)

func (c *cli) publish() *cobra.Command {
	return &cobra.Command{
		Use:   "publish FILE…",
		Short: "Publish files, and all regular files in folders",
		Long: `publish has the daemon serve each file under the SHA-256 of its bytes, cut to 40
hex digits, and tells the overlay. The daemon reads the files where they are; it
serves them until unpublish, or until it stops.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var q control.PublishRequest
			for _, a := range args {
				path, err := filepath.Abs(a)
				if err != nil {
					return err
				}
				q.Paths = append(q.Paths, path)
			}
			client, err := c.client(cmd, 0)
			if err != nil {
				return err
			}
			a, err := client.Publish(cmd.Context(), q)
			if err != nil {
				return err
			}
			if err := c.print(a, func(w io.Writer) { publishTable(w, a) }); err != nil {
				return err
			}
			if len(a.Failed) > 0 {
				return fmt.Errorf("%s not published, the first because: %s", count(len(a.Failed), "file"), a.Failed[0].Reason)
			}
			return nil
		},
	}
}

func publishTable(w io.Writer, a control.PublishReply) {
	row(w, "GUID", "SIZE", "FILE")
	for _, o := range a.Placed {
		row(w, o.GUID, size(o.Size), o.Path)
	}
	for _, f := range a.Failed {
		row(w, f.GUID, "failed", f.Path+": "+f.Reason)
	}
}

func (c *cli) unpublish() *cobra.Command {
	return &cobra.Command{
		Use:   "unpublish GUID…",
		Short: "Take published files back",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			guids, err := parseGUIDs(args)
			if err != nil {
				return err
			}
			client, err := c.client(cmd, 0)
			if err != nil {
				return err
			}
			a, err := client.Unpublish(cmd.Context(), control.UnpublishRequest{GUIDs: guids})
			if err != nil {
				return err
			}
			return c.print(a, func(w io.Writer) {
				for _, g := range a.GUIDs {
					row(w, g, "unpublished")
				}
			})
		},
	}
}
