package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/tapestry-dolr/tapestry"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/config"
	"github.com/tapestry-dolr/tapestry/internal/p2ptest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tapestry": main})
}

// TestScripts runs the stories in testdata. Beside testscript's own commands they
// know:
//
//	daemon NAME [ARG…]          start a daemon with its state in $WORK/NAME and wait until it is ready;
//	                            sets $NAME_addr, $NAME_id, $NAME_peer; $DISK_BLOCKS, if set,
//	                            bounds its files, as a disk that fills up would (ulimit -f)
//	identity NAME DIGIT         give the daemon to come a key whose node ID begins with this digit
//	says NAME PATTERN           wait until a line of its output or log matches
//	signal NAME TERM|KILL       send it a signal
//	ended NAME CODE             wait for its end; CODE is -1 after KILL
//	exits CODE COMMAND…         the command ends with CODE
//	within TIME CODE COMMAND…   run it again and again until it ends with CODE
//	file NAME SIZE              make a file; sets $NAME to its GUID
//	guids NAME COUNT            make a file of so many GUIDs, one in a line; sets $NAME_last
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			fleet := &fleet{members: map[string]*process{}}
			e.Values[fleetKey{}] = fleet
			e.Defer(fleet.end)
			e.Setenv("XDG_DATA_HOME", filepath.Join(e.WorkDir, "data"))
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name != "root" {
				return false, fmt.Errorf("condition %q: want root", name)
			}
			return os.Geteuid() == 0, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"daemon": startDaemon, "identity": makeIdentity, "says": says, "signal": sendSignal, "ended": ended,
			"exits": exits, "within": within, "file": makeFile, "guids": makeGUIDs,
		},
	})
}

// patience is how long a story waits for what has no limit of its own.
const patience = 60 * time.Second

type fleetKey struct{}

// fleet are the daemons of one story.
type fleet struct{ members map[string]*process }

func (f *fleet) end() {
	for _, p := range f.members {
		p.cmd.Process.Kill()
		<-p.exited
	}
}

// process is one daemon.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when it has ended

	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed and replaced at every new line
}

// follow collects what the process prints until it ends.
func (p *process) follow(out io.Reader) {
	scan := bufio.NewScanner(out)
	for scan.Scan() {
		p.mu.Lock()
		p.lines = append(p.lines, scan.Text())
		if strings.Contains(scan.Text(), `"level":`) {
			fmt.Fprintln(os.Stderr, scan.Text())
		}
		close(p.more)
		p.more = make(chan struct{})
		p.mu.Unlock()
	}
	// Its code is read from the process state; an exit that is not 0 may be wanted.
	_ = p.cmd.Wait()
	close(p.exited)
}

// wait returns the first line that matches, or "" if the process ended or patience did.
func (p *process) wait(match *regexp.Regexp) string {
	limit := time.After(patience)
	for {
		p.mu.Lock()
		more := p.more
		for _, line := range p.lines {
			if match.MatchString(line) {
				p.mu.Unlock()
				return line
			}
		}
		p.mu.Unlock()
		select {
		case <-more:
		case <-p.exited:
			return ""
		case <-limit:
			return ""
		}
	}
}

func startDaemon(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: daemon NAME [ARG…]")
	}
	name := args[0]
	state := ts.MkAbs(name)
	p := &process{exited: make(chan struct{}), more: make(chan struct{})}
	blocks := ts.Getenv("DISK_BLOCKS")
	if blocks == "" {
		blocks = "unlimited"
	}
	p.cmd = exec.Command("sh", append([]string{
		"-c", `ulimit -f "$1" && shift && exec "$@"`, "sh", blocks, lookPath(ts, "tapestry"), "daemon", "--json", "--log-level", "warn", "--state", state, "--listen", "/ip4/127.0.0.1/udp/0/quic-v1", "--listen", "/ip4/127.0.0.1/tcp/0",
	}, args[1:]...)...)
	p.cmd.Dir = ts.MkAbs(".")
	p.cmd.Env = append(os.Environ(), "HOME="+ts.Getenv("WORK"))
	for _, key := range config.Keys() {
		variable := config.Prefix + strings.ToUpper(key)
		p.cmd.Env = append(p.cmd.Env, variable+"="+ts.Getenv(variable))
	}
	out, err := p.cmd.StdoutPipe()
	ts.Check(err)
	p.cmd.Stderr = p.cmd.Stdout
	ts.Check(p.cmd.Start())
	ts.Value(fleetKey{}).(*fleet).members[name] = p
	go p.follow(out)
	line := p.wait(regexp.MustCompile(`"event":"ready"`))
	var ready struct {
		ID, Peer string
		Addrs    []string
	}
	if err := json.Unmarshal([]byte(line), &ready); err != nil || len(ready.Addrs) == 0 {
		ts.Fatalf("daemon %s is not ready: said %q", name, line)
	}
	ts.Setenv(name+"_addr", ready.Addrs[0])
	ts.Setenv(name+"_id", ready.ID)
	ts.Setenv(name+"_peer", ready.Peer)
}

// lookPath finds a command on the story's own path.
func lookPath(ts *testscript.TestScript, name string) string {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	ts.Fatalf("no command %s", name)
	return ""
}

func member(ts *testscript.TestScript, name string) *process {
	p := ts.Value(fleetKey{}).(*fleet).members[name]
	if p == nil {
		ts.Fatalf("no daemon %s", name)
	}
	return p
}

func says(ts *testscript.TestScript, _ bool, args []string) {
	match, err := regexp.Compile(args[1])
	ts.Check(err)
	if member(ts, args[0]).wait(match) == "" {
		ts.Fatalf("daemon %s did not say %s", args[0], args[1])
	}
}

func sendSignal(ts *testscript.TestScript, _ bool, args []string) {
	s := map[string]os.Signal{"TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL}[args[1]]
	ts.Check(member(ts, args[0]).cmd.Process.Signal(s))
}

func ended(ts *testscript.TestScript, _ bool, args []string) {
	p := member(ts, args[0])
	select {
	case <-p.exited:
	case <-time.After(patience):
		ts.Fatalf("daemon %s has not ended", args[0])
	}
	if got := strconv.Itoa(p.cmd.ProcessState.ExitCode()); got != args[1] {
		ts.Fatalf("daemon %s ended with %s, want %s", args[0], got, args[1])
	}
}

// codeOf runs a command of the story and returns its exit code.
func codeOf(ts *testscript.TestScript, args []string) string {
	err := ts.Exec(args[0], args[1:]...)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "0"
	case errors.As(err, &exit):
		return strconv.Itoa(exit.ExitCode())
	}
	ts.Fatalf("%v", err)
	return ""
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	if got := codeOf(ts, args[1:]); got != args[0] {
		ts.Fatalf("%s ended with %s, want %s", strings.Join(args[1:], " "), got, args[0])
	}
}

func within(ts *testscript.TestScript, _ bool, args []string) {
	limit, err := time.ParseDuration(args[0])
	ts.Check(err)
	begin, again := time.Now(), time.NewTicker(100*time.Millisecond)
	defer again.Stop()
	for {
		got := codeOf(ts, args[2:])
		if took := time.Since(begin); took > limit {
			ts.Fatalf("%s ended with %s after %v, want %s within %s", strings.Join(args[2:], " "), got, took, args[1], args[0])
		}
		if got == args[1] {
			ts.Logf("after %v", time.Since(begin).Round(time.Millisecond))
			return
		}
		<-again.C
	}
}

func makeFile(ts *testscript.TestScript, _ bool, args []string) {
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	data := []byte(strings.Repeat(args[0]+" ", size/len(args[0])+1)[:size])
	path := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
	ts.Check(os.WriteFile(path, data, 0o644))
	ts.Setenv(filepath.Base(args[0]), tapestry.GUIDFromBytes(data).String())
}

func makeGUIDs(ts *testscript.TestScript, _ bool, args []string) {
	count, err := strconv.Atoi(args[1])
	ts.Check(err)
	var all strings.Builder
	for i := range count {
		g := tapestry.GUIDFromBytes(fmt.Appendf(nil, "%s %d", args[0], i)).String()
		all.WriteString(g + "\n")
		ts.Setenv(args[0]+"_last", g)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(all.String()), 0o644))
}

func makeIdentity(ts *testscript.TestScript, _ bool, args []string) {
	for i := 0; ; i++ {
		key := p2ptest.Key(1, i)
		id, err := peer.IDFromPrivateKey(key)
		ts.Check(err)
		if !strings.HasPrefix(tapestry.NodeIDFromPeer(id).String(), args[1]) {
			continue
		}
		b, err := crypto.MarshalPrivateKey(key)
		ts.Check(err)
		ts.Check(os.MkdirAll(ts.MkAbs(args[0]), 0o700))
		ts.Check(os.WriteFile(filepath.Join(ts.MkAbs(args[0]), "key"), b, 0o600))
		return
	}
}
