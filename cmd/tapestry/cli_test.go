package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/spf13/cobra"
	"github.com/tapestry-dolr/tapestry"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/config"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/control"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/daemon"
)

func TestEachEndHasItsExitCode(t *testing.T) {
	for err, want := range map[error]code{
		nil:                               exitOK,
		errors.New("broken"):              exitError,
		usageError{errors.New("flag")}:    exitUsage,
		tapestry.ErrNotFound:              exitNotFound,
		tapestry.ErrUnknown:               exitTimeout,
		tapestry.ErrMaybeDelivered:        exitTimeout,
		context.DeadlineExceeded:          exitTimeout,
		tapestry.ErrNoRoute:               exitError,
		tapestry.ErrOption:                exitUsage,
		daemon.ErrLocked:                  exitError,
		&control.Error{Code: "no_daemon"}: exitNoDaemon,
		&control.Error{Code: "not_found"}: exitNotFound,
		&control.Error{Code: "unheard"}:   exitError,
	} {
		if err != nil {
			err = fmt.Errorf("wrapped: %w", err)
		}
		if got := exitCode(err); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
}

func TestFiguresReadWell(t *testing.T) {
	for got, want := range map[string]string{
		ms(0.1234):                     "123µs",
		ms(1.23456):                    "1.23ms",
		ms(123.456):                    "123ms",
		ms(1234.56):                    "1.235s",
		size(12):                       "12 B",
		size(1536):                     "1.5 KiB",
		size(3 << 30):                  "3.0 GiB",
		count(1, "file"):               "1 file",
		count(0, "file"):               "0 files",
		rtt(control.Replica{RTTMs: 1}): "~1ms",
		firstAddr(control.Replica{}):   "-",
		firstAddr(control.Replica{Addrs: []string{"a", "b"}}): "a (+1)",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestANodeMayBeNamedByItsPeer(t *testing.T) {
	const text = "12D3KooWSzD8u284yCwwX4XjtRnUQQFvFRtDC2DrRxeDmjS3Rnvw"
	p, err := peer.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	if id, target, err := parseTarget(text); err != nil || target != control.ToNode || id != tapestry.NodeIDFromPeer(p) {
		t.Errorf("%s, %s, %v", id, target, err)
	}
	if id, target, err := parseTarget(tapestry.ID{5}.String()); err != nil || target != control.ToObject || id != (tapestry.ID{5}) {
		t.Errorf("%s, %s, %v", id, target, err)
	}
	if _, _, err := parseTarget("nobody"); err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("%v", err)
	}
}

// find returns a subcommand.
func find(t *testing.T, name string) *cobra.Command {
	t.Helper()
	cmd, _, err := (&cli{out: io.Discard, err: io.Discard}).root().Find([]string{name})
	if err != nil {
		t.Fatal(err)
	}
	return cmd
}

func TestEverySettingIsAFlagOfTheDaemon(t *testing.T) {
	cmd := find(t, "daemon")
	for _, key := range config.Keys() {
		name := strings.ReplaceAll(key, "_", "-")
		if cmd.Flags().Lookup(name) == nil && cmd.InheritedFlags().Lookup(name) == nil {
			t.Errorf("no flag --%s", name)
		}
	}
}

func TestEverySubcommandIsDescribed(t *testing.T) {
	for _, cmd := range (&cli{out: io.Discard, err: io.Discard}).root().Commands() {
		if cmd.Short == "" || cmd.RunE == nil {
			t.Errorf("%s is not described, or does nothing", cmd.Name())
		}
	}
}
