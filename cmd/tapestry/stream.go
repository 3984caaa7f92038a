package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/tapestry-dolr/tapestry"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/content"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/control"
)

// stream is what publish --from and unpublish --from do: one thing for every object that a file, or
// standard input, names.
type stream struct {
	from, app string
	verb      string // what is done to the objects
	do        func(*control.Client, context.Context, control.ObjectsRequest) (control.ObjectsReply, error)
}

// portion is how many objects the daemon is given at once. It reports after each.
const portion = 500

// streamReport is what became of all.
type streamReport struct {
	Done    int                      `json:"done"`
	Failed  []control.ObjectsFailure `json:"failed"` // the first of them
	More    int                      `json:"more"`   // failures that are not listed
	Invalid int                      `json:"invalid"`
	WallS   float64                  `json:"wall_s"`
}

// flags are those of a stream.
func (s *stream) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.from, "from", "", "the GUIDs, CIDs or multihashes in this file, one in a line; - for standard input")
	cmd.Flags().StringVar(&s.app, "app", "", "with --from: the application that the objects are of")
}

// args are either those of the subcommand, or a stream.
func (s *stream) args(least int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case s.from == "" && s.app != "":
			return fmt.Errorf("--app is for --from: files are of the application %s", content.App)
		case s.from == "":
			return cobra.MinimumNArgs(least)(cmd, args)
		case len(args) > 0:
			return fmt.Errorf("either --from or %q, not both", args[0])
		case s.app == "":
			return fmt.Errorf("--from needs --app: whose objects are they?")
		case s.app == string(content.App):
			return fmt.Errorf("the application %s is of files that the daemon itself serves: name those instead of --from", content.App)
		}
		return nil
	}
}

// run has the daemon do it, a portion at a time, and tells how far it is.
func (s *stream) run(c *cli, cmd *cobra.Command) error {
	in := cmd.InOrStdin()
	if s.from != "-" {
		f, err := os.Open(s.from)
		if err != nil {
			return usageError{err}
		}
		defer f.Close()
		in = f
	}
	client, err := c.client(cmd, 0)
	if err != nil {
		return err
	}
	report, began, show := streamReport{Failed: []control.ObjectsFailure{}}, time.Now(), c.bar()
	stopped := s.portions(c, in, &report, func(guids []tapestry.GUID) error {
		a, err := s.do(client, cmd.Context(), control.ObjectsRequest{App: tapestry.AppID(s.app), GUIDs: guids})
		report.take(a)
		show.count(s.verb, report.total())
		return err
	})
	show.clear()
	report.WallS = time.Since(began).Seconds()
	if err := c.print(report, func(w io.Writer) { streamTable(w, s.verb, report) }); err != nil {
		return err
	}
	return s.failure(report, stopped)
}

// portions reads the stream and has each portion done. Lines that name no object are told, and left out.
func (s *stream) portions(c *cli, in io.Reader, report *streamReport, do func([]tapestry.GUID) error) error {
	lines, number := bufio.NewScanner(in), 0
	var guids []tapestry.GUID
	for lines.Scan() {
		number++
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		g, err := parseGUID(text)
		if err != nil {
			if report.Invalid++; report.Invalid <= mostShown {
				fmt.Fprintf(c.err, "%s, line %d: %v\n", s.from, number, err)
			}
			continue
		}
		if guids = append(guids, g); len(guids) == portion {
			if err := do(guids); err != nil {
				return err
			}
			guids = nil
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s, line %d: %w", s.from, number+1, err)
	}
	if len(guids) == 0 {
		return nil
	}
	return do(guids)
}

// mostShown is how many bad lines, and failures, are shown.
const mostShown = 10

// take adds what became of a portion.
func (r *streamReport) take(a control.ObjectsReply) {
	r.Done += a.Done
	listed := a.Failed[:min(len(a.Failed), tapestry.MaxFailures-len(r.Failed))]
	r.Failed = append(r.Failed, listed...)
	r.More += a.More + len(a.Failed) - len(listed)
}

func (r *streamReport) failed() int { return len(r.Failed) + r.More }

func (r *streamReport) total() int { return r.Done + r.failed() }

// failure is what the command ends with.
func (s *stream) failure(r streamReport, stopped error) error {
	switch {
	case stopped != nil:
		return stopped
	case r.failed() > 0:
		return fmt.Errorf("%s not %s, the first because: %s", count(r.failed(), "object"), s.verb, r.Failed[0].Reason)
	case r.Invalid > 0:
		return fmt.Errorf("%s of %s named no object", count(r.Invalid, "line"), s.from)
	}
	return nil
}

func streamTable(w io.Writer, verb string, r streamReport) {
	row(w, verb, r.Done)
	if n := r.failed(); n > 0 {
		row(w, "failed", n)
	}
	if r.Invalid > 0 {
		row(w, "no objects", count(r.Invalid, "line"))
	}
	row(w, "time", fmt.Sprintf("%.1f s, %.0f a second", r.WallS, float64(r.total())/r.WallS))
	for i, f := range r.Failed {
		if i == mostShown {
			row(w, "…", fmt.Sprintf("and %d more", r.failed()-mostShown))
			break
		}
		row(w, f.GUID, f.Reason)
	}
}
