package topology_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/sim/topology"
)

// measured finds a file of measured data: in $TAPESTRY_DATA, else in the folder
// shared/data beside the module.
func measured(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("TAPESTRY_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no measured data: %v", err)
	}
	return path
}

// near reports whether got is within a hundredth of want ms.
func near(got time.Duration, want float64) bool {
	return float64(got) > 0.99*want*1e6 && float64(got) < 1.01*want*1e6
}

func TestPlanetLab(t *testing.T) {
	m, err := topology.LoadMatrix(measured(t, "planetlab-490.rtt.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	q := quantiles(m, 0.5, 0.9, 0.99, 1)
	if m.Hosts() != 490 || !near(q[0], 133.9) || !near(q[1], 290.8) || !near(q[2], 403.9) || !near(q[3], 675.2) {
		t.Errorf("%d hosts, %v; want 490 with 133.9, 290.8, 403.9 and 675.2 ms", m.Hosts(), q)
	}
}

func TestSkitter(t *testing.T) {
	c, err := topology.LoadCoords(measured(t, "skitter-2d-15000.coords.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	q := quantiles(c, 0.5, 0.9)
	if c.Hosts() != 14_992 || q[0] < 130*ms || q[0] > 150*ms || q[1] < 295*ms || q[1] > 330*ms {
		t.Errorf("%d hosts, %v; want 14992 with about 139.4 and 313.5 ms", c.Hosts(), q)
	}
}

func TestSkypeChurn(t *testing.T) {
	all, err := topology.LoadChurn(measured(t, "churn-skype.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	nodes := map[int]bool{}
	var up time.Duration
	for _, s := range all {
		nodes[s.Node] = true
		up += s.End - s.Start
	}
	if mean := up / time.Duration(len(all)); len(nodes) != 2081 || len(all) != 29_217 || mean.Round(time.Second) != 58_569*time.Second {
		t.Errorf("%d nodes, %d sessions of %v; want 2081, 29217 of 16h16m9s", len(nodes), len(all), mean)
	}
}
