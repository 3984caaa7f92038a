package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/tapestry-dolr/tapestry/internal/sim/report"
)

func (c *cli) simDraw() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "draw [NAME=]REPORT...",
		Short: "Draw saved reports together",
		Long: `draw reads reports that tapestry sim --json or --out has written, and writes a page and
pictures of all of them into the folder of --out: of one scenario with other flags, say,
or of overlays of several sizes. What stands before a = is the name of a report in legends.`,
		Example: `  for n in 100 1000 10000; do tapestry sim --nodes $n --warm --join-every 1s --json >$n.json; done
  tapestry sim draw --out sizes 100.json 1000.json 10000.json
  tapestry sim draw --out roots "one root"=1.json "four roots"=4.json`,
		Args: cobra.MinimumNArgs(1),
		RunE: c.ran(func(_ *cobra.Command, files []string) error { return c.draw(dir, files) }),
	}
	cmd.Flags().StringVar(&dir, "out", "", "write the page and the pictures into `DIR`")
	return cmd
}

func (c *cli) draw(dir string, files []string) error {
	if dir == "" {
		return usageError{errors.New("--out: say where to draw")}
	}
	var all []report.Report
	for _, name := range files {
		label, name := labeled(name)
		some, err := readReports(name)
		if err != nil {
			return usageError{fmt.Errorf("%s: %w", name, err)}
		}
		for i := range some {
			some[i].Label = cmp.Or(label, some[i].Label)
		}
		all = append(all, some...)
	}
	if err := drawTogether(dir, all); err != nil {
		return err
	}
	drawn := struct {
		Reports int    `json:"reports"`
		Dir     string `json:"dir"`
	}{len(all), dir}
	return c.print(drawn, func(w io.Writer) { row(w, fmt.Sprintf("%d reports drawn in %s", drawn.Reports, drawn.Dir)) })
}

// labeled takes NAME=FILE apart, unless that is a file.
func labeled(name string) (label, file string) {
	if _, err := os.Stat(name); err == nil {
		return "", name
	}
	if label, file, ok := strings.Cut(name, "="); ok {
		return label, file
	}
	return "", name
}

// readReports reads a file of one report, or of a list of them.
func readReports(name string) (all []report.Report, err error) {
	data, err := os.ReadFile(name)
	if failed := new(fs.PathError); errors.As(err, &failed) {
		return nil, failed.Err // the name is said by the caller
	} else if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) {
		err = json.Unmarshal(data, &all)
	} else {
		all = make([]report.Report, 1)
		err = json.Unmarshal(data, &all[0])
	}
	if err != nil {
		return nil, fmt.Errorf("no report: %w", err)
	}
	for i := range all {
		if all[i].Protocol == "" {
			return nil, errors.New("no report: it names no protocol")
		}
	}
	if len(all) == 0 {
		return nil, errors.New("an empty list of reports")
	}
	return all, nil
}
