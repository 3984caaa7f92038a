package archtest

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var (
	citation = regexp.MustCompile(`docs/([\w/.-]+\.md)(?: §(\d+(?:\.\d+)*))?`)
	byDesign = regexp.MustCompile(`\bdesign §(\d+(?:\.\d+)*)`)
	measured = regexp.MustCompile(`\bfindings ([A-Z](?:\.\d+)?)`)
	heading  = regexp.MustCompile(`^#+ ((?:\d+|[A-Z]\b)(?:\.\d+)*)\.? `)
	link     = regexp.MustCompile(`\]\(([^)\s#]+)(?:#[^)\s]*)?\)`)
)

// citations: a document that a comment names exists, and has the section that the
// comment points at; a relative link in a document leads to a file.
func citations(t *Tree) (found []Finding) {
	sections := map[string]map[string]bool{}
	for _, text := range t.Texts {
		sections[text.Path] = map[string]bool{}
		for _, line := range text.Lines {
			if m := heading.FindStringSubmatch(line); m != nil {
				sections[text.Path][m[1]] = true
			}
		}
	}
	for _, d := range t.Folders {
		for _, f := range d.Files {
			for _, group := range f.Comments {
				for _, c := range group.List {
					for _, bad := range badCitations(sections, c.Text) {
						found = append(found, t.find(f, c, "%s", bad))
					}
				}
			}
		}
	}
	for _, text := range t.Texts {
		found = append(found, t.textCitations(sections, text)...)
	}
	return found
}

func badCitations(sections map[string]map[string]bool, comment string) (bad []string) {
	for _, m := range citation.FindAllStringSubmatch(comment, -1) {
		if known, ok := sections["docs/"+m[1]]; !ok || m[2] != "" && !known[m[2]] {
			bad = append(bad, "cites "+m[0]+", which does not exist")
		}
	}
	for _, m := range measured.FindAllStringSubmatch(comment, -1) {
		if !sections["docs/findings.md"][m[1]] {
			bad = append(bad, "cites "+m[0]+", which docs/findings.md does not have")
		}
	}
	for _, m := range byDesign.FindAllStringSubmatch(comment, -1) {
		if !sections["docs/design.md"][m[1]] {
			bad = append(bad, "cites "+m[0]+", which docs/design.md does not have")
		}
	}
	slices.Sort(bad)
	return slices.Compact(bad)
}

func (t *Tree) textCitations(sections map[string]map[string]bool, text *Text) (found []Finding) {
	for i, line := range text.Lines {
		for _, bad := range badCitations(sections, line) {
			found = append(found, Finding{Path: text.Path, Line: i + 1, Text: bad})
		}
		if path.Ext(text.Path) != ".md" {
			continue
		}
		for _, m := range link.FindAllStringSubmatch(line, -1) {
			to := path.Join(path.Dir(text.Path), m[1])
			if strings.Contains(m[1], ":") {
				continue
			}
			if _, err := os.Stat(filepath.Join(t.Dir, filepath.FromSlash(to))); err != nil {
				found = append(found, Finding{Path: text.Path, Line: i + 1, Text: "links to " + m[1] + ", which does not exist"})
			}
		}
	}
	return found
}
