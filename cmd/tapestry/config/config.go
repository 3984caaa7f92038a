// Package config reads the settings of the command: defaults, then the config file,
// then TAPESTRY_* of the environment, then flags, each overruling what came before.
//
// A setting has one name in three spellings: max_links in the file, --max-links as
// a flag, TAPESTRY_MAX_LINKS in the environment, where lists are separated by
// commas and an empty variable counts as none. A name that is no setting is an error
// that says where it stands.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/multiformats/go-multiaddr"
	"github.com/tapestry-dolr/tapestry"
	"github.com/tapestry-dolr/tapestry/internal/seeds"
)

// Config is all that the command can be told besides its arguments.
type Config struct {
	// State is the directory of the daemon's key, lock and control socket.
	State string `koanf:"state"`
	// Socket is the path of the control socket. Empty: control.sock in State.
	Socket string `koanf:"socket"`
	// Network names the overlay; nodes of other networks are never spoken to.
	Network string `koanf:"network"`
	// Listen lists the multiaddrs to listen on.
	Listen []string `koanf:"listen"`
	// Seed lists multiaddrs of nodes to join by: with peer ID, or a /dnsaddr. Without any,
	// and without SeedFile: found an overlay, or come back to the one that is remembered.
	Seed []string `koanf:"seed"`
	// SeedFile is the path of a file with one such multiaddr per line.
	SeedFile string `koanf:"seed_file"`
	// Zone is the node's place, widest part first.
	Zone string `koanf:"zone"`
	// MaxLinks caps the links to other nodes.
	MaxLinks int `koanf:"max_links"`
	// MaxPointers caps how many pointers of others the node keeps.
	MaxPointers int `koanf:"max_pointers"`
	// MaxPointerBytes caps the bytes of their records.
	MaxPointerBytes int `koanf:"max_pointer_bytes"`
	// JoinTimeout is how long the daemon tries to become a member before it gives up.
	JoinTimeout time.Duration `koanf:"join_timeout"`
	// LeaveTimeout is how long a daemon that was told to stop may take to say goodbye.
	LeaveTimeout time.Duration `koanf:"leave_timeout"`
	// LogLevel is debug, info, warn or error.
	LogLevel string `koanf:"log_level"`
}

// defaults are the settings of somebody who said nothing.
func defaults(dataHome string) map[string]any {
	return map[string]any{
		"state":             filepath.Join(dataHome, "tapestry"),
		"socket":            "",
		"network":           "default",
		"listen":            []string{"/ip4/0.0.0.0/udp/4160/quic-v1", "/ip4/0.0.0.0/tcp/4160"},
		"seed":              []string{},
		"seed_file":         "",
		"zone":              "",
		"max_links":         160,
		"max_pointers":      500_000,
		"max_pointer_bytes": 256 << 20,
		"join_timeout":      "1m",
		"leave_timeout":     "10s",
		"log_level":         "info",
	}
}

// DataHome is where programs keep what they must not lose: XDG_DATA_HOME of
// environ, or .local/share in home.
func DataHome(environ []string, home string) string {
	if dir := lookup(environ, "XDG_DATA_HOME"); dir != "" {
		return dir
	}
	return filepath.Join(home, ".local", "share")
}

// Level is LogLevel for slog.
func (c Config) Level() slog.Level {
	var l slog.Level
	if l.UnmarshalText([]byte(c.LogLevel)) != nil {
		return slog.LevelInfo
	}
	return l
}

// Sources are where to look for nodes to join by.
func (c Config) Sources() ([]tapestry.SeedSource, error) {
	var all []tapestry.SeedSource
	addrs, err := c.seeds()
	if len(addrs) > 0 {
		all = append(all, tapestry.SeedAddrs{Addrs: addrs})
	}
	if c.SeedFile != "" {
		all = append(all, tapestry.SeedFile{Path: c.SeedFile})
	}
	return all, err
}

func (c Config) seeds() (addrs []multiaddr.Multiaddr, err error) {
	for _, text := range c.Seed {
		a, err := seeds.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("seed: %q: %w", text, err)
		}
		addrs = append(addrs, a)
	}
	return addrs, nil
}

// CheckSeedFile says where the seed file is wrong, if there is one. Only who joins has to
// know: the file may be made after the config file, or be another machine's.
func (c Config) CheckSeedFile() error {
	if c.SeedFile == "" {
		return nil
	}
	if _, err := seeds.ReadFile(c.SeedFile); err != nil {
		return fmt.Errorf("seed_file: %w", err)
	}
	return nil
}

// ControlSocket is the path of the control socket.
func (c Config) ControlSocket() string {
	if c.Socket != "" {
		return c.Socket
	}
	return filepath.Join(c.State, "control.sock")
}

// validate checks what the overlay itself does not check, and names the setting.
func (c Config) validate() error {
	var errs []error
	if c.State == "" {
		errs = append(errs, errors.New("state: want a directory"))
	}
	if len(c.Listen) == 0 {
		errs = append(errs, errors.New("listen: want at least one address"))
	}
	for _, text := range c.Listen {
		if _, err := multiaddr.NewMultiaddr(text); err != nil {
			errs = append(errs, fmt.Errorf("listen: %q: %w", text, err))
		}
	}
	_, err := c.seeds()
	errs = append(errs, err)
	// A number without a unit reads as nanoseconds, which nobody means.
	if c.JoinTimeout < time.Millisecond {
		errs = append(errs, fmt.Errorf("join_timeout: %v: want a duration such as 30s", c.JoinTimeout))
	}
	if c.LeaveTimeout < time.Millisecond {
		errs = append(errs, fmt.Errorf("leave_timeout: %v: want a duration such as 10s", c.LeaveTimeout))
	}
	var l slog.Level
	if l.UnmarshalText([]byte(c.LogLevel)) != nil {
		errs = append(errs, fmt.Errorf("log_level: %q: want debug, info, warn or error", c.LogLevel))
	}
	return errors.Join(errs...)
}

// HomeDir is the user's home directory, or the current one for a user without.
func HomeDir() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return "."
	}
	return home
}
