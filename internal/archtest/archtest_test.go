package archtest_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/archtest"
	"golang.org/x/tools/txtar"
)

func TestModule(t *testing.T) {
	tree, err := archtest.Load(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range archtest.Rules() {
		t.Run(rule.Name, func(t *testing.T) {
			for _, f := range rule.Check(tree) {
				t.Error(f)
			}
		})
	}
	median, p95, count := archtest.Quantiles(tree)
	t.Logf("%d functions: median %d lines, 95th percentile %d", count, median, p95)
	for _, f := range archtest.Warnings(tree) {
		t.Log(f)
	}
}

// TestRulesBite runs the rules over the small module of each story in testdata and
// demands exactly the findings that the story's last file lists, one "rule
// path:line" a line. Warnings count as findings here.
func TestRulesBite(t *testing.T) {
	stories, err := filepath.Glob(filepath.Join("testdata", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	bitten := map[string]bool{}
	for _, story := range stories {
		t.Run(filepath.Base(story), func(t *testing.T) {
			dir, want := unpack(t, story)
			tree, err := archtest.Load(dir)
			if err != nil {
				t.Fatal(err)
			}
			all := archtest.Warnings(tree)
			for _, rule := range archtest.Rules() {
				all = append(all, rule.Check(tree)...)
			}
			var got []string
			for _, f := range all {
				t.Log(f)
				bitten[f.Rule] = true
				got = append(got, f.Rule+" "+f.Path+":"+strconv.Itoa(f.Line))
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("found\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
			}
		})
	}
	for _, rule := range archtest.Rules() {
		if !bitten[rule.Name] {
			t.Errorf("no story breaks rule %s", rule.Name)
		}
	}
}

// unpack lays a story's files out in a folder of their own; its last file, named
// findings, is what is wanted. A line "//... N" stands for N empty comments.
func unpack(t *testing.T, story string) (dir string, findings []string) {
	t.Helper()
	archive, err := txtar.ParseFile(story)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	files := map[string]string{"go.mod": "module github.com/tapestry-dolr/tapestry\n\ngo 1.26.0\n"}
	for _, f := range archive.Files {
		files[f.Name] = string(f.Data)
	}
	findings = strings.Split(strings.TrimSpace(files["findings"]), "\n")
	slices.Sort(findings)
	delete(files, "findings")
	for name, data := range files {
		data = lengthen(data)
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir, findings
}

var more = regexp.MustCompile(`(?m)^\t*//\.\.\. (\d+)\n`)

func lengthen(data string) string {
	return more.ReplaceAllStringFunc(data, func(line string) string {
		n, _ := strconv.Atoi(more.FindStringSubmatch(line)[1])
		return strings.Repeat("//\n", n)
	})
}

func TestEveryLayerIsInTheTable(t *testing.T) {
	for folder, want := range map[string]int{
		"internal/mono": 0, "internal/wire": 1, "leafset": 2, "surrogate": 3, "routing": 4, "internal/messages": 5,
		"internal/node": 6, "internal/p2p": 7, ".": 8, "cmd/tapestry": 9, "cmd/tapestry/control": 9, "examples/nearest-replica": 9,
	} {
		if room, ok := archtest.RoomOf(folder); !ok || room.Layer != want || room.Kind != archtest.Layered {
			t.Errorf("%s: %+v, %v; want layer %d", folder, room, ok, want)
		}
	}
	for _, folder := range []string{"internal/envtest", "internal/p2p/hosttest"} {
		if room, _ := archtest.RoomOf(folder); room.Kind != archtest.TestOnly {
			t.Errorf("%s: %+v; want a room for tests", folder, room)
		}
	}
	if room, ok := archtest.RoomOf("internal/somewhere"); ok {
		t.Errorf("internal/somewhere: %+v; want none", room)
	}
}
