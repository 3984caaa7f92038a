package archtest

import (
	"fmt"
	"go/ast"
	"go/types"
	"os"
	"path/filepath"

	"golang.org/x/tools/go/packages"
)

// mapOrder: at or below layer 6 no map is ranged over, nor walked by the iterators
// of package maps, unless their result is sorted at once or the line says why the
// order cannot be seen (design §4; the same seed must give the same run).
func mapOrder(t *Tree) (found []Finding) {
	files := map[string]*File{}
	var patterns []string
	t.production(func(d *Folder, f *File) {
		if !d.Room.Pure() {
			return
		}
		name := filepath.Join(t.Dir, filepath.FromSlash(f.Path))
		if files[name] = f; len(patterns) == 0 || patterns[len(patterns)-1] != "./"+d.Path {
			patterns = append(patterns, "./"+d.Path)
		}
	})
	if len(patterns) == 0 {
		return nil
	}
	loaded, err := packages.Load(&packages.Config{
		Mode: packages.LoadSyntax,
		Dir:  t.Dir,
		Env:  append(os.Environ(), "GOWORK=off"),
		Fset: t.fset,
	}, patterns...)
	if err != nil {
		return []Finding{{Path: "go.mod", Line: 1, Text: err.Error()}}
	}
	for _, p := range loaded {
		for _, e := range p.Errors {
			found = append(found, Finding{Path: p.PkgPath, Text: fmt.Sprintf("does not compile: %v", e)})
		}
		for _, syntax := range p.Syntax {
			if f := files[t.fset.Position(syntax.Package).Filename]; f != nil {
				found = append(found, t.unordered(f, syntax, p.TypesInfo)...)
			}
		}
	}
	return found
}

// unordered looks through one file, as the type checker read it.
func (t *Tree) unordered(f *File, syntax *ast.File, info *types.Info) (found []Finding) {
	names := f.names()
	inOrder := map[ast.Node]bool{} // calls whose result is sorted at once
	ast.Inspect(syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.RangeStmt:
			if n.Key != nil && isMap(info.TypeOf(n.X)) && !t.marked(f, n, "unordered") {
				found = append(found, t.find(f, n, "ranges over a map: sort its keys, or say // unordered: why it does not matter"))
			}
		case *ast.CallExpr:
			imported, name := calledFrom(names, n.Fun)
			if imported == "slices" && len(n.Args) > 0 && (name == "Sorted" || name == "SortedFunc") {
				inOrder[n.Args[0]] = true
			}
			if imported == "maps" && isIterator(name) && !inOrder[n] && !t.marked(f, n, "unordered") {
				found = append(found, t.find(f, n, "maps.%s in no order: sort it, or say // unordered: why it does not matter", name))
			}
		}
		return true
	})
	return found
}

func isIterator(name string) bool { return name == "Keys" || name == "Values" || name == "All" }

func isMap(t types.Type) bool {
	if t == nil {
		return false
	}
	_, ok := t.Underlying().(*types.Map)
	return ok
}
