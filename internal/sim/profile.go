package sim

import (
	"errors"
	"os"
	"runtime"
	"runtime/pprof"
)

// profiled does the measured part, with a profile of the processor's time if one is
// asked for, and takes one of the heap at its end, while all nodes are still there.
func (r *run) profiled(do func()) (err error) {
	if r.cfg.CPUProfile != "" {
		f, err := os.Create(r.cfg.CPUProfile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
	}
	do()
	if r.cfg.CPUProfile != "" {
		pprof.StopCPUProfile()
	}
	if r.cfg.MemProfile == "" {
		return nil
	}
	f, err := os.Create(r.cfg.MemProfile)
	if err != nil {
		return err
	}
	runtime.GC() // what the last collection had not seen yet is garbage as well
	return errors.Join(pprof.Lookup("heap").WriteTo(f, 0), f.Close())
}
