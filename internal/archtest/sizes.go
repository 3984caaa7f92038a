package archtest

import (
	"go/ast"
	"go/token"
	"slices"
)

// What grows beyond these is where the message switch and the state end up living
// together; the first two fail the build, the others warn.
const (
	maxFunction   = 80
	maxFile       = 600
	maxComplexity = 15
	maxParams     = 4
)

// sizes: no function and no file too long to read in one go, tests aside.
func sizes(t *Tree) (found []Finding) {
	t.production(func(_ *Folder, f *File) {
		if f.Lines > maxFile {
			found = append(found, t.find(f, f.Name, "%d lines, at most %d allowed", f.Lines, maxFile))
		}
		for _, fn := range functions(f) {
			if n := t.length(fn); n > maxFunction {
				found = append(found, t.find(f, fn, "%s has %d lines, at most %d allowed", fn.Name.Name, n, maxFunction))
			}
		}
	})
	return found
}

// Warnings lists what should be looked at and does not fail the build.
func Warnings(t *Tree) (found []Finding) {
	for _, d := range t.Folders {
		for _, f := range d.Files {
			if f.Generated {
				continue
			}
			if f.Test && f.Lines > maxFile {
				found = append(found, t.find(f, f.Name, "%d lines", f.Lines))
			}
			for _, fn := range functions(f) {
				found = append(found, t.warnings(f, fn)...)
			}
		}
	}
	for i := range found {
		found[i].Rule = "warning"
	}
	return sorted(found)
}

func (t *Tree) warnings(f *File, fn *ast.FuncDecl) (found []Finding) {
	name := fn.Name.Name
	if n := t.length(fn); f.Test && n > maxFunction {
		found = append(found, t.find(f, fn, "%s has %d lines", name, n))
	}
	if f.Test {
		return found
	}
	if n := complexity(fn); n > maxComplexity {
		found = append(found, t.find(f, fn, "%s has a cyclomatic complexity of %d", name, n))
	}
	if n := fn.Type.Params.NumFields(); n > maxParams {
		found = append(found, t.find(f, fn, "%s takes %d parameters", name, n))
	}
	for _, p := range fn.Type.Params.List {
		if typ, ok := p.Type.(*ast.Ident); ok && typ.Name == "bool" {
			found = append(found, t.find(f, fn, "%s takes a bool: name its two meanings by a type", name))
		}
	}
	return found
}

// Quantiles returns the median and the 95th percentile of the lengths of all
// functions that are neither test nor generated, and how many there are.
func Quantiles(t *Tree) (median, p95, count int) {
	var all []int
	t.production(func(_ *Folder, f *File) {
		for _, fn := range functions(f) {
			all = append(all, t.length(fn))
		}
	})
	if len(all) == 0 {
		return 0, 0, 0
	}
	slices.Sort(all)
	return all[len(all)/2], all[len(all)*95/100], len(all)
}

func functions(f *File) (all []*ast.FuncDecl) {
	for _, decl := range f.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok {
			all = append(all, fn)
		}
	}
	return all
}

// length counts from the declaration to the last line, its comment aside.
func (t *Tree) length(fn *ast.FuncDecl) int { return t.line(fn.End()) - t.line(fn.Type.Func) + 1 }

// complexity is 1 plus the branches and the && and ||.
func complexity(fn *ast.FuncDecl) int {
	n := 1
	ast.Inspect(fn, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt:
			n++
		case *ast.CaseClause:
			if node.List != nil {
				n++
			}
		case *ast.CommClause:
			if node.Comm != nil {
				n++
			}
		case *ast.BinaryExpr:
			if node.Op == token.LAND || node.Op == token.LOR {
				n++
			}
		}
		return true
	})
	return n
}
