package explore

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/sim"
)

// Scenario is a run that was drawn, as the flags of tapestry sim.
type Scenario struct {
	Seed    uint64
	Nodes   int
	Seconds int
	Objects int
	Grown   bool // the nodes join; else they begin settled
	Faults  []Fault
}

// Fault is one thing that goes wrong, and the flags that make it so.
type Fault struct {
	Name  string
	Flags []Flag
}

// Flag is one flag of tapestry sim.
type Flag struct{ Name, Value string }

// Command is the line that plays the scenario.
func (s Scenario) Command() string {
	warm := "always"
	if s.Grown {
		warm = "never"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "tapestry sim --check --nodes=%d --duration=%ds --seed=%d --objects=%d --warm=%s",
		s.Nodes, s.Seconds, s.Seed, s.Objects, warm)
	for _, f := range s.Faults {
		for _, x := range f.Flags {
			fmt.Fprintf(&b, " --%s=%s", x.Name, x.Value)
		}
	}
	return b.String()
}

// Config is what that line says.
func (s Scenario) Config() (sim.Config, error) {
	c := sim.Default()
	c.Check, c.Nodes, c.Seed, c.Objects = true, s.Nodes, s.Seed, s.Objects
	c.Duration, c.Warm, c.Command = time.Duration(s.Seconds)*time.Second, "always", s.Command()
	if s.Grown {
		c.Warm = "never"
	}
	for _, f := range s.Faults {
		for _, x := range f.Flags {
			if err := x.set(&c); err != nil {
				return c, fmt.Errorf("--%s=%s: %w", x.Name, x.Value, err)
			}
		}
	}
	return c, nil
}

func (x Flag) set(c *sim.Config) (err error) {
	shares := map[string]*float64{
		"loss": &c.Loss, "jitter": &c.Jitter, "reorder": &c.Reorder, "duplicate": &c.Duplicate,
	}
	several := map[string]interface{ Set(string) error }{
		"kill": &c.Kill, "join": &c.Join, "leave": &c.Leave, "partition": &c.Partition, "stall": &c.Stall,
	}
	switch {
	case shares[x.Name] != nil:
		*shares[x.Name], err = strconv.ParseFloat(x.Value, 64)
	case several[x.Name] != nil:
		err = several[x.Name].Set(x.Value)
	case x.Name == "transport":
		c.Transport = x.Value
	case x.Name == "session-median":
		c.SessionMedian, err = time.ParseDuration(x.Value)
	case x.Name == "shuffle-every":
		c.ShuffleEvery, err = time.ParseDuration(x.Value)
	default:
		err = fmt.Errorf("no fault sets this")
	}
	return err
}
