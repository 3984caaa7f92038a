package archtest

import (
	"fmt"
	"go/ast"
	"strings"
)

// packageDocs: each folder says in exactly one place what it is, and a room with a
// layer says which.
func packageDocs(t *Tree) (found []Finding) {
	for _, d := range t.Folders {
		var documented []*File
		var first *File
		for _, f := range d.Files {
			if strings.HasSuffix(f.Path, "_test.go") {
				continue
			}
			if first == nil {
				first = f
			}
			if f.Doc != nil && f.Doc.Text() != "" && !f.Generated {
				documented = append(documented, f)
			}
		}
		switch {
		case first == nil:
		case len(documented) == 0:
			found = append(found, t.find(first, first.Name, "folder %s has no package doc", d.Path))
		case len(documented) > 1:
			found = append(found, t.find(documented[1], documented[1].Doc, "folder %s has a second package doc", d.Path))
		default:
			found = append(found, t.packageDoc(d, documented[0])...)
		}
	}
	return found
}

func (t *Tree) packageDoc(d *Folder, f *File) (found []Finding) {
	begin, text := "Package "+f.Name.Name+" ", f.Doc.Text()
	if f.Name.Name == "main" {
		begin = "Command "
	}
	if !strings.HasPrefix(text, begin) {
		found = append(found, t.find(f, f.Doc, "package doc does not begin with %q", begin))
	}
	if layer := fmt.Sprintf("Layer %d", d.Room.Layer); d.Room.Pure() && !hasWord(text, layer) {
		found = append(found, t.find(f, f.Doc, "package doc does not say %q", layer))
	}
	return found
}

// exportedDocs: every exported name of layers 0 to 8 is documented, at itself or at
// its group. A method that only fulfills an interface is documented there.
func exportedDocs(t *Tree) (found []Finding) {
	for _, d := range t.Folders {
		if d.Room.Kind != Layered || d.Room.Layer > 8 {
			continue
		}
		promised := promisedMethods(d)
		for _, f := range d.Files {
			if f.Test || f.Generated {
				continue
			}
			for _, decl := range f.Decls {
				found = append(found, t.undocumented(f, decl, promised)...)
			}
		}
	}
	return found
}

// promisedMethods are the methods that an interface of the folder declares, and
// those whose meaning the standard library fixes.
func promisedMethods(d *Folder) map[string]bool {
	promised := map[string]bool{"Error": true, "Unwrap": true, "Is": true, "Len": true, "Less": true, "Swap": true}
	for _, f := range d.Files {
		ast.Inspect(f.File, func(n ast.Node) bool {
			if i, ok := n.(*ast.InterfaceType); ok {
				for _, m := range i.Methods.List {
					for _, name := range m.Names {
						promised[name.Name] = true
					}
				}
			}
			return true
		})
	}
	return promised
}

func (t *Tree) undocumented(f *File, decl ast.Decl, promised map[string]bool) (found []Finding) {
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		method := decl.Recv != nil
		if method && (promised[decl.Name.Name] || !ast.IsExported(receiver(decl))) {
			return nil
		}
		if decl.Name.IsExported() && decl.Doc == nil {
			found = append(found, t.find(f, decl, "%s is not documented", decl.Name.Name))
		}
	case *ast.GenDecl:
		if decl.Doc != nil && decl.Lparen.IsValid() {
			return nil
		}
		for _, spec := range decl.Specs {
			if name := exportedBare(decl, spec); name != "" {
				found = append(found, t.find(f, spec, "%s is not documented", name))
			}
		}
	}
	return found
}

// exportedBare returns the exported name that spec declares without a comment.
func exportedBare(decl *ast.GenDecl, spec ast.Spec) string {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		if spec.Name.IsExported() && spec.Doc == nil && spec.Comment == nil && decl.Doc == nil {
			return spec.Name.Name
		}
	case *ast.ValueSpec:
		if spec.Doc != nil || spec.Comment != nil || decl.Doc != nil {
			return ""
		}
		for _, name := range spec.Names {
			if name.IsExported() {
				return name.Name
			}
		}
	}
	return ""
}

// receiver names the type that a method belongs to.
func receiver(decl *ast.FuncDecl) string {
	e := decl.Recv.List[0].Type
	for {
		switch inner := e.(type) {
		case *ast.StarExpr:
			e = inner.X
		case *ast.IndexExpr:
			e = inner.X
		case *ast.IndexListExpr:
			e = inner.X
		case *ast.Ident:
			return inner.Name
		default:
			return ""
		}
	}
}
