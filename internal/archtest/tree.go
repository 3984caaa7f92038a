package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Tree is a module as the rules see it: every Go file of it, parsed, whatever its
// build tags, and every text file.
type Tree struct {
	Dir     string // where it lies
	Module  string // its path, from go.mod
	Folders []*Folder
	Texts   []*Text
	fset    *token.FileSet
}

// Folder is one folder with Go files.
type Folder struct {
	Path  string // relative to the module; "." is its root
	Room  Room
	Known bool // Room is in the table
	Files []*File
}

// File is one Go file.
type File struct {
	*ast.File
	Path      string // relative to the module
	Lines     int
	Test      bool // _test.go, or in a room for tests
	Generated bool
	marks     map[int]string // comment on a line or right above it, by line
}

// Text is a file of words: documentation, scripts, schemas.
type Text struct {
	Path  string
	Lines []string
}

// Finding is one breach of a rule.
type Finding struct {
	Rule string
	Path string
	Line int
	Text string
}

// String prints f so that an editor can jump there.
func (f Finding) String() string { return fmt.Sprintf("%s:%d: %s: %s", f.Path, f.Line, f.Rule, f.Text) }

// Load parses the module that lies in dir.
func Load(dir string) (*Tree, error) {
	gomod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return nil, err
	}
	module := regexp.MustCompile(`(?m)^module\s+(\S+)`).FindSubmatch(gomod)
	if module == nil {
		return nil, fmt.Errorf("%s: go.mod names no module", dir)
	}
	t := &Tree{Dir: dir, Module: string(module[1]), fset: token.NewFileSet()}
	err = filepath.WalkDir(dir, t.visit)
	return t, err
}

func (t *Tree) visit(name string, d fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(t.Dir, name)
	if err != nil {
		return err
	}
	rel = filepath.ToSlash(rel)
	switch {
	case d.IsDir():
		if d.Name() == ".git" || d.Name() == "testdata" {
			return filepath.SkipDir
		}
		return nil
	case path.Ext(rel) == ".go":
		return t.addFile(name, rel)
	case isText(rel):
		return t.addText(name, rel)
	}
	return nil
}

func isText(rel string) bool {
	switch path.Ext(rel) {
	case ".md", ".proto", ".sh", ".yml", ".yaml", ".mod":
		return true
	}
	return path.Base(rel) == "Makefile" || strings.HasPrefix(rel, ".ci/")
}

func (t *Tree) addText(name, rel string) error {
	b, err := os.ReadFile(name)
	t.Texts = append(t.Texts, &Text{Path: rel, Lines: strings.Split(string(b), "\n")})
	return err
}

func (t *Tree) addFile(name, rel string) error {
	syntax, err := parser.ParseFile(t.fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	folder := t.folder(path.Dir(rel))
	f := &File{
		File:      syntax,
		Path:      rel,
		Lines:     t.fset.File(syntax.Pos()).LineCount(),
		Test:      strings.HasSuffix(rel, "_test.go") || folder.Room.Kind == TestOnly,
		Generated: ast.IsGenerated(syntax),
		marks:     map[int]string{},
	}
	for _, group := range syntax.Comments {
		for _, c := range group.List {
			line := t.fset.Position(c.Pos()).Line
			f.marks[line] += c.Text
			f.marks[t.fset.Position(group.End()).Line+1] += c.Text
		}
	}
	folder.Files = append(folder.Files, f)
	return nil
}

func (t *Tree) folder(rel string) *Folder {
	for _, f := range t.Folders {
		if f.Path == rel {
			return f
		}
	}
	f := &Folder{Path: rel}
	if f.Room, f.Known = RoomOf(rel); !f.Known {
		f.Room = Room{Path: rel, Kind: Tool}
	}
	t.Folders = append(t.Folders, f)
	return f
}

// production calls do with every file that a user would build or read: neither
// test nor generated.
func (t *Tree) production(do func(*Folder, *File)) {
	for _, d := range t.Folders {
		for _, f := range d.Files {
			if !f.Test && !f.Generated {
				do(d, f)
			}
		}
	}
}

func (t *Tree) line(p token.Pos) int { return t.fset.Position(p).Line }

// find makes a finding at a node; the rule's name is filled in by Check.
func (t *Tree) find(f *File, at ast.Node, format string, args ...any) Finding {
	return Finding{Path: f.Path, Line: t.line(at.Pos()), Text: fmt.Sprintf(format, args...)}
}

// marked reports whether the line of at carries the comment "// word: reason".
func (t *Tree) marked(f *File, at ast.Node, word string) bool {
	_, reason, found := strings.Cut(f.marks[t.line(at.Pos())], "// "+word+":")
	return found && strings.TrimSpace(reason) != ""
}

// local returns the folder of this module that an import names, if it is one.
func (t *Tree) local(imported string) (folder string, ok bool) {
	if imported == t.Module {
		return ".", true
	}
	return strings.CutPrefix(imported, t.Module+"/")
}

// names maps the names under which f knows its imports to their paths.
func (f *File) names() map[string]string {
	all := map[string]string{}
	for _, spec := range f.Imports {
		imported := unquote(spec.Path)
		name := path.Base(imported)
		if len(name) > 1 && name[0] == 'v' && name[1] >= '0' && name[1] <= '9' {
			name = path.Base(path.Dir(imported))
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		all[name] = imported
	}
	return all
}

func unquote(lit *ast.BasicLit) string {
	s, err := strconv.Unquote(lit.Value)
	if err != nil {
		return lit.Value
	}
	return s
}

// calledFrom returns the import path and name of the package-level thing that e
// selects, or "", "".
func calledFrom(names map[string]string, e ast.Expr) (imported, name string) {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	if x, ok := sel.X.(*ast.Ident); ok && names[x.Name] != "" {
		return names[x.Name], sel.Sel.Name
	}
	return "", ""
}

func sorted(all []Finding) []Finding {
	slices.SortFunc(all, func(a, b Finding) int {
		if a.Path != b.Path {
			return strings.Compare(a.Path, b.Path)
		}
		return a.Line - b.Line
	})
	return all
}
