package archtest

import (
	"go/ast"
	"go/token"
	"strings"
)

// closedImports are packages that the sans-I/O core must not import, nor anything
// below them in the tree of packages: the world does all of it (design §4).
var closedImports = []string{
	"context", "crypto/rand", "github.com/libp2p", "io/ioutil", "log", "math/rand", "net", "os",
	"runtime", "sync", "syscall", "testing",
}

// open are the exceptions below closedImports: methods of a *rand.Rand that env
// hands out are fine, only the package's own functions are not.
var open = map[string]bool{"math/rand/v2": true}

// closedNames are the functions that the core must not call though it may import
// their packages.
var closedNames = map[string][]string{
	"time": {"Now", "After", "Sleep", "NewTimer", "NewTicker", "Tick", "AfterFunc", "Since", "Until"},
}

// seeded are the names of math/rand/v2 that do not draw from global randomness.
var seeded = map[string]bool{
	"Rand": true, "Source": true, "PCG": true, "ChaCha8": true, "Zipf": true,
	"New": true, "NewPCG": true, "NewChaCha8": true, "NewZipf": true,
}

// purity: at or below layer 6 no goroutine, channel, select, lock, context, wall
// clock, global randomness, socket, file or libp2p.
func purity(t *Tree) (found []Finding) {
	t.production(func(d *Folder, f *File) {
		if !d.Room.Pure() {
			return
		}
		for _, spec := range f.Imports {
			if imported := unquote(spec.Path); closed(imported) {
				found = append(found, t.find(f, spec, "imports %s", imported))
			}
		}
		names := f.names()
		ast.Inspect(f.File, func(n ast.Node) bool {
			if why := impure(names, n); why != "" {
				found = append(found, t.find(f, n, "%s", why))
			}
			return true
		})
	})
	return found
}

func closed(imported string) bool {
	if open[imported] {
		return false
	}
	for _, c := range closedImports {
		if imported == c || strings.HasPrefix(imported, c+"/") {
			return true
		}
	}
	return false
}

func impure(names map[string]string, n ast.Node) string {
	switch n := n.(type) {
	case *ast.GoStmt:
		return "go statement"
	case *ast.SelectStmt:
		return "select"
	case *ast.ChanType:
		return "channel"
	case *ast.SendStmt:
		return "send to a channel"
	case *ast.UnaryExpr:
		if n.Op == token.ARROW {
			return "receive from a channel"
		}
	case *ast.SelectorExpr:
		return impureName(calledFrom(names, n))
	}
	return ""
}

func impureName(imported, name string) string {
	if contains(closedNames[imported], name) || imported == "math/rand/v2" && !seeded[name] {
		return imported + "." + name
	}
	return ""
}
