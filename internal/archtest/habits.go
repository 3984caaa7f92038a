package archtest

import (
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// vague are folder names that say what a technique is, not what the room is for.
var vague = regexp.MustCompile(`^(util|utils|common|helper|helpers|misc|manager|managers|handler|handlers|types|models)$`)

// given are names that another module's interface asks for.
var given = []string{"GetValue"} // routing.ValueStore of libp2p

// naming: rooms bear the field's nouns; no Get prefix.
func naming(t *Tree) (found []Finding) {
	for _, d := range t.Folders {
		if name := path.Base(d.Path); vague.MatchString(name) {
			found = append(found, t.find(d.Files[0], d.Files[0].Name, "folder named %s", name))
		}
	}
	t.production(func(_ *Folder, f *File) {
		for _, fn := range functions(f) {
			rest, get := strings.CutPrefix(fn.Name.Name, "Get")
			if get && !slices.Contains(given, fn.Name.Name) && rest != "" && unicode.IsUpper(rune(rest[0])) {
				found = append(found, t.find(f, fn, "%s: leave Get away", fn.Name.Name))
			}
		}
	})
	return found
}

// errorTexts: lower case, and what happened rather than that it "failed to".
func errorTexts(t *Tree) (found []Finding) {
	t.production(func(_ *Folder, f *File) {
		names := f.names()
		ast.Inspect(f.File, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			imported, name := calledFrom(names, call.Fun)
			if imported+"."+name != "errors.New" && imported+"."+name != "fmt.Errorf" {
				return true
			}
			if lit, ok := call.Args[0].(*ast.BasicLit); ok && badError(unquote(lit)) {
				found = append(found, t.find(f, call, "error text %s", lit.Value))
			}
			return true
		})
	})
	return found
}

// capital is a text that begins like a sentence; a Go name may begin it.
var capital = regexp.MustCompile(`^[A-Z][a-z]+[ ,.]`)

func badError(text string) bool {
	return capital.MatchString(text) || strings.Contains(text, "failed to") || strings.HasSuffix(text, ".") || strings.HasSuffix(text, "\n")
}

// tests: no sleep outside a bubble of virtual time, where a function says so that is called
// from one, and no test that is skipped, unless it is for want of measured data.
func tests(t *Tree) (found []Finding) {
	for _, d := range t.Folders {
		for _, f := range d.Files {
			if f.Test {
				found = append(found, t.sleepsAndSkips(f)...)
			}
		}
	}
	return found
}

func (t *Tree) sleepsAndSkips(f *File) (found []Finding) {
	names := f.names()
	var bubbles []ast.Node
	ast.Inspect(f.File, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		switch imported, name := calledFrom(names, call.Fun); {
		case imported == "testing/synctest" && name == "Test":
			bubbles = append(bubbles, call)
		case imported == "time" && name == "Sleep" && !inside(bubbles, call) && !t.marked(f, call, "bubble"):
			found = append(found, t.find(f, call, "time.Sleep outside a bubble"))
		}
		if skips(call) {
			found = append(found, t.find(f, call, "skipped test"))
		}
		return true
	})
	return found
}

func inside(places []ast.Node, n ast.Node) bool {
	return slices.ContainsFunc(places, func(p ast.Node) bool { return p.Pos() <= n.Pos() && n.End() <= p.End() })
}

func skips(call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != "Skip" && sel.Sel.Name != "Skipf" && sel.Sel.Name != "SkipNow" {
		return false
	}
	for _, arg := range call.Args {
		if lit, ok := arg.(*ast.BasicLit); ok && strings.Contains(lit.Value, "measured data") {
			return false
		}
	}
	return true
}

// fuzzed: every message of a link and every body of an envelope, which is what has
// a check method in internal/wire, has a fuzz test named for it.
func fuzzed(t *Tree) (found []Finding) {
	for _, d := range t.Folders {
		if d.Path != "internal/wire" {
			continue
		}
		have := map[string]bool{}
		for _, f := range d.Files {
			for _, fn := range functions(f) {
				have[fn.Name.Name] = true
			}
		}
		for _, f := range d.Files {
			for _, fn := range functions(f) {
				if fn.Name.Name != "check" || fn.Recv == nil || have["Fuzz"+receiver(fn)] {
					continue
				}
				found = append(found, t.find(f, fn, "no Fuzz%s", receiver(fn)))
			}
		}
	}
	return found
}

// marks of unfinished work, spelled so that this file does not bear them.
var unfinishedWord = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)

// unfinished: nothing is left for later in a comment.
func unfinished(t *Tree) (found []Finding) {
	for _, d := range t.Folders {
		for _, f := range d.Files {
			for _, group := range f.Comments {
				for _, c := range group.List {
					if word := unfinishedWord.FindString(c.Text); word != "" {
						found = append(found, t.find(f, c, "%s", word))
					}
				}
			}
		}
	}
	for _, text := range t.Texts {
		for i, line := range text.Lines {
			if word := unfinishedWord.FindString(line); word != "" {
				found = append(found, Finding{Path: text.Path, Line: i + 1, Text: word})
			}
		}
	}
	return found
}

// hasWord reports whether word stands in text with no letter or digit beside it.
func hasWord(text, word string) bool {
	return regexp.MustCompile(`\b` + regexp.QuoteMeta(word) + `\b`).MatchString(text)
}
