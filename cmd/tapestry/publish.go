package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/tapestry-dolr/tapestry"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/content"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/control"
)

func (c *cli) publish() *cobra.Command {
	many := stream{verb: "published", do: (*control.Client).PublishObjects}
	cmd := &cobra.Command{
		Use:   "publish FILE…",
		Short: "Publish files, and all regular files in folders; or objects that others serve",
		Long: `publish has the daemon serve each file under the SHA-256 of its bytes, cut to 40
hex digits, and tells the overlay. The daemon reads the files where they are; it
serves them until unpublish, and again whenever it is started, even if it was killed.

With --from it tells the overlay of objects that are no files: those of another process
beside the daemon, which --app names. The stream has one GUID, CID or multihash in a
line; empty lines and those that begin with # are left out. They stay published, over
restarts too, until unpublish --from; naming some again does no harm.`,
		Example: `  tapestry publish photos
  ipfs refs local | tapestry publish --app ipfs --from -`,
		Args: many.args(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if many.from != "" {
				return many.run(c, cmd)
			}
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
	many.flags(cmd)
	return cmd
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
	many := stream{verb: "taken back", do: (*control.Client).UnpublishObjects}
	cmd := &cobra.Command{
		Use:   "unpublish GUID|FILE…",
		Short: "Take published files back",
		Long: `unpublish takes files back that this daemon has published, named by their GUIDs or by
the files themselves, as they were when they were published; of a folder all files. With
--from it takes back what publish --from has published.`,
		Args: many.args(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if many.from != "" {
				return many.run(c, cmd)
			}
			guids, err := guidsOf(args)
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
	many.flags(cmd)
	return cmd
}

// guidsOf reads GUIDs, or takes those of files and of what is in folders.
func guidsOf(args []string) (all []tapestry.GUID, err error) {
	for _, a := range args {
		if g, err := tapestry.ParseID(a); err == nil {
			all = append(all, g)
			continue
		}
		items, err := hashed(a)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, usageError{fmt.Errorf("%s is neither a GUID of 40 hex digits nor a file", a)}
		} else if err != nil {
			return nil, err
		}
		for _, i := range items {
			all = append(all, i.GUID)
		}
	}
	return all, nil
}

func hashed(path string) ([]content.Item, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return content.HashAll(os.DirFS(path))
	}
	one, err := content.Hash(os.DirFS(filepath.Dir(path)), filepath.Base(path))
	return []content.Item{one}, err
}
