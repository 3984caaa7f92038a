package demo_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tapestry-dolr/tapestry/cmd/tapestry/demo"
)

// folder is a folder of small and large files.
func folder() fs.FS {
	files := fstest.MapFS{"large": {Data: []byte(strings.Repeat("0123456789", 20_000))}, "empty": {}}
	for i := range 20 {
		files[fmt.Sprintf("some/%d", i)] = &fstest.MapFile{Data: fmt.Append(nil, "file ", i)}
	}
	return files
}

func TestEveryFileArrivesBeforeAndAfterTheKill(t *testing.T) {
	stages := map[string]int{}
	r, err := demo.Run(t.Context(), demo.Config{
		Nodes: 9, Replicas: 2, Seed: 1, Files: folder(),
		Progress: func(stage string, done, total int) {
			if done > total {
				t.Errorf("%s: %d of %d", stage, done, total)
			}
			stages[stage] = total
		},
	})
	if err != nil || !r.Complete() {
		t.Fatalf("%+v, %v", r, err)
	}
	if r.Objects != 22 || r.Fetched != 22 || r.Verified != 22 || r.Killed != 3 || r.AfterKill.Verified != r.Surviving || r.Surviving < 15 {
		t.Errorf("%+v", r)
	}
	if r.HopsMean < 1 || r.HopsMean > 4 || r.NearestRatio <= 0 || r.NearestRatio > 1 {
		t.Errorf("hops %v, nearest %v", r.HopsMean, r.NearestRatio)
	}
	if s := r.Stretch; s.P50 < 0.5 || s.P90 < s.P50 {
		t.Errorf("stretch %+v", s)
	}
	if len(stages) != 6 || stages["fetching"] != 22 {
		t.Errorf("stages %v", stages)
	}
}

func TestTheReportHasExactlyTheKeysPromised(t *testing.T) {
	b, err := json.Marshal(demo.Report{Failures: []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	var keys map[string]any
	if err := json.Unmarshal(b, &keys); err != nil {
		t.Fatal(err)
	}
	want := []string{"after_kill", "fetched", "hops_mean", "nearest_ratio", "nodes", "objects", "stretch", "verified", "wall_s"}
	if got := slices.Sorted(maps.Keys(keys)); !slices.Equal(got, want) {
		t.Errorf("keys %v, want %v", got, want)
	}
	if after := keys["after_kill"].(map[string]any); len(after) != 2 || after["fetched"] == nil || after["verified"] == nil {
		t.Errorf("after_kill: %v", after)
	}
}

func TestAnIncompleteReportSaysSo(t *testing.T) {
	whole := demo.Report{Objects: 2, Verified: 2, Surviving: 1, AfterKill: demo.Phase{Verified: 1}}
	if !whole.Complete() {
		t.Error("a whole one does not")
	}
	for _, spoil := range []func(*demo.Report){
		func(r *demo.Report) { r.Verified = 1 },
		func(r *demo.Report) { r.AfterKill.Verified = 0 },
		func(r *demo.Report) { r.Failures = []string{"x"} },
	} {
		r := whole
		if spoil(&r); r.Complete() {
			t.Errorf("%+v is complete", r)
		}
	}
}

func TestWhatCannotBeShownIsAnError(t *testing.T) {
	for want, cfg := range map[string]demo.Config{
		"nodes":            {Nodes: 1, Replicas: 1, Files: folder()},
		"replicas: 0":      {Nodes: 3, Files: folder()},
		"replicas: 3":      {Nodes: 3, Replicas: 3, Files: folder()},
		"no regular files": {Nodes: 3, Replicas: 1, Files: fstest.MapFS{}},
	} {
		if _, err := demo.Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := demo.Run(ctx, demo.Config{Nodes: 3, Replicas: 1, Files: folder()}); err == nil {
		t.Error("a canceled demo ends without an error")
	}
}
