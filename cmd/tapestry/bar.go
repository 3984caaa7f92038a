package main

import (
	"fmt"
	"io"
	"os"

	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"
)

// bar shows how far a command is, on a terminal only. A terminal that cannot be drawn on is no reason to stop.
type bar struct {
	to    io.Writer
	stage string
	now   *progressbar.ProgressBar
}

func (c *cli) bar() *bar {
	if f, ok := c.err.(*os.File); ok && isatty.IsTerminal(f.Fd()) {
		return &bar{to: f}
	}
	return new(bar)
}

// advance shows how much of a stage is done.
func (b *bar) advance(stage string, done, total int) {
	if b.to == nil {
		return
	}
	if b.now == nil || stage != b.stage {
		b.clear()
		b.stage = stage
		b.now = progressbar.NewOptions(total, progressbar.OptionSetWriter(b.to), progressbar.OptionSetDescription(fmt.Sprintf("%-16s", stage)),
			progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(), progressbar.OptionFullWidth())
	}
	_ = b.now.Set(done)
}

// count shows how many there were so far, of nobody knows how many.
func (b *bar) count(stage string, done int) {
	if b.to == nil {
		return
	}
	if b.now == nil {
		b.now = progressbar.NewOptions(-1, progressbar.OptionSetWriter(b.to), progressbar.OptionSetDescription(stage),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionClearOnFinish())
	}
	_ = b.now.Set(done)
}

func (b *bar) clear() {
	if b.now != nil {
		_ = b.now.Clear()
	}
}
