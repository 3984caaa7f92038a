package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/tapestry-dolr/tapestry"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/control"
)

// getPatience is how long get waits by default: files may be large, and a server
// that died a moment ago costs time.
const getPatience = 10 * time.Minute

func (c *cli) get() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "get GUID [-o FILE]",
		Short: "Fetch a file from the nearest server",
		Long: `get fetches a published file from its nearest server, and from the next nearest if
that one fails, checks that the bytes have the hash that the GUID stands for, and
writes them to FILE or standard output.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if c.json && to == "" {
				return usageError{errors.New("--json needs -o FILE: standard output is the file's own")}
			}
			g, err := tapestry.ParseID(args[0]) // of files: no CID is theirs
			if err != nil {
				return usageError{err}
			}
			client, err := c.client(cmd, getPatience)
			if err != nil {
				return err
			}
			body, got, err := client.Fetch(cmd.Context(), g)
			if err != nil {
				return err
			}
			defer body.Close()
			if to == "" {
				return copyWhole(c.out, body, got)
			}
			if err := writeFile(to, body, got); err != nil {
				return err
			}
			return c.print(got, func(w io.Writer) {
				row(w, fmt.Sprintf("%s, %s from %s, %s away, %s", to, size(got.Size), got.Replica.ID,
					rtt(got.Replica), count(got.Hops, "hop")))
			})
		},
	}
	cmd.Flags().StringVarP(&to, "output", "o", "", "write to this file")
	return cmd
}

// writeFile writes the whole file or none.
func writeFile(path string, body io.Reader, got control.Fetched) error {
	part := path + ".part"
	f, err := os.Create(part)
	if err != nil {
		return err
	}
	err = errors.Join(copyWhole(f, body, got), f.Close())
	if err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		os.Remove(part)
	}
	return err
}

// copyWhole copies what the daemon sends and checks once more that it is the file:
// the way from there to here may be cut short too.
func copyWhole(to io.Writer, body io.Reader, got control.Fetched) error {
	g, err := tapestry.GUIDFromReader(io.TeeReader(body, to))
	if err != nil {
		return err
	}
	if g != got.GUID {
		return fmt.Errorf("the daemon sent %s instead of %s", g, got.GUID)
	}
	return nil
}
