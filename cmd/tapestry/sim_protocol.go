package main

import (
	"fmt"
	"strings"

	"github.com/tapestry-dolr/tapestry/internal/sim"
	"github.com/tapestry-dolr/tapestry/internal/sim/model/rivals"
	"github.com/tapestry-dolr/tapestry/internal/sim/model/tournament"
	"github.com/tapestry-dolr/tapestry/internal/sim/report"
)

// ours is the protocol that is run; all others are models.
var ours = sim.Default().Protocol

// play runs a scenario with the protocol that it names.
func play(cfg sim.Config) (report.Report, error) {
	if cfg.Protocol == ours {
		return sim.Run(cfg)
	}
	return tournament.Run(cfg)
}

// knownProtocol refuses a protocol that there is not; flag is what named it.
func knownProtocol(flag, name string) error {
	if _, ok := rivals.Named(name); ok || name == ours {
		return nil
	}
	names := []string{ours}
	for _, p := range rivals.All() {
		names = append(names, p.Name)
	}
	last := len(names) - 1
	return fmt.Errorf("--%s %q: want %s or %s", flag, name, strings.Join(names[:last], ", "), names[last])
}

// validScenario names the flag that makes no sense, with the protocol that is to run.
func validScenario(cfg sim.Config) error {
	if err := knownProtocol("protocol", cfg.Protocol); err != nil {
		return err
	}
	if cfg.Protocol != ours && len(cfg.Surge) > 0 {
		return fmt.Errorf("--surge: the models, %s among them, have one rate of lookups", cfg.Protocol)
	}
	if cfg.Protocol != ours && (cfg.Reorder > 0 || cfg.Duplicate > 0 || len(cfg.OneWay) > 0) {
		return fmt.Errorf("--reorder, --duplicate and --one-way: the network under the models, %s among them, does none of these", cfg.Protocol)
	}
	if cfg.Protocol != ours && (cfg.ShuffleEvery > 0 || cfg.Roots != sim.Default().Roots || cfg.Deny+cfg.DropObjects > 0) {
		return fmt.Errorf("--roots, --shuffle-every, --deny and --drop-objects: the models, %s among them, know of none of these", cfg.Protocol)
	}
	cfg.Protocol = ours // what sim.Config demands; the rest is the same for the models
	return cfg.Validate()
}

// alone refuses what a model by itself cannot do.
func (s *simulation) alone() error {
	switch {
	case s.cfg.Protocol == ours:
		return nil
	case s.cfg.Check:
		return fmt.Errorf("--check: there are no oracles for the model of %s", s.cfg.Protocol)
	case s.cfg.Recovery != sim.Default().Recovery:
		return fmt.Errorf("--recovery: the model of %s repairs itself in its own way", s.cfg.Protocol)
	case s.trace != "":
		return fmt.Errorf("--trace: the model of %s writes none", s.cfg.Protocol)
	case s.cfg.CPUProfile != "" || s.cfg.MemProfile != "":
		return fmt.Errorf("--cpuprofile and --memprofile: of the model of %s there are none", s.cfg.Protocol)
	}
	return nil
}

// protocolName marks a model as one.
func protocolName(name string) string {
	if name == ours {
		return name
	}
	return name + " (model)"
}
