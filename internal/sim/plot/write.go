package plot

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tapestry-dolr/tapestry/internal/sim/report"
)

// Write puts report.json, index.html and the pictures into dir, which is made if it
// is not there. With one run report.json is that report, with several their list.
func Write(dir string, runs ...*report.Report) error {
	if len(runs) == 0 {
		return errors.New("no report to draw")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("folder for the report: %w", err)
	}
	var plain any = runs
	if len(runs) == 1 {
		plain = runs[0]
	}
	text, err := json.MarshalIndent(plain, "", "  ")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	files := map[string][]byte{"report.json": append(text, '\n')}
	var drawn []picture
	for _, p := range pictures {
		svg, err := p.draw(runs)
		if err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		if svg == nil {
			continue
		}
		p.SVG = inline(svg)
		drawn = append(drawn, p)
		files[p.Name+".svg"] = svg
	}
	if files["index.html"], err = page(runs, drawn); err != nil {
		return fmt.Errorf("index.html: %w", err)
	}
	for name, data := range files { // in any order: they are different files
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	return nil
}
