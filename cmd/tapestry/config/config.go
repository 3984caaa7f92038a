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

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
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
	// Seed lists multiaddrs, with peer ID, of nodes to join by. Empty: found an overlay.
	Seed []string `koanf:"seed"`
	// Zone is the node's place, widest part first.
	Zone string `koanf:"zone"`
	// MaxLinks caps the links to other nodes.
	MaxLinks int `koanf:"max_links"`
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
		"state":         filepath.Join(dataHome, "tapestry"),
		"socket":        "",
		"network":       "default",
		"listen":        []string{"/ip4/0.0.0.0/udp/4160/quic-v1", "/ip4/0.0.0.0/tcp/4160"},
		"seed":          []string{},
		"zone":          "",
		"max_links":     160,
		"join_timeout":  "1m",
		"leave_timeout": "10s",
		"log_level":     "info",
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

// Seeds are the nodes to join by.
func (c Config) Seeds() ([]peer.AddrInfo, error) {
	var addrs []multiaddr.Multiaddr
	for _, text := range c.Seed {
		a, err := multiaddr.NewMultiaddr(text)
		if err == nil {
			_, err = peer.AddrInfoFromP2pAddr(a)
		}
		if err != nil {
			return nil, fmt.Errorf("seed: %q: %w", text, err)
		}
		addrs = append(addrs, a)
	}
	return peer.AddrInfosFromP2pAddrs(addrs...)
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
	_, err := c.Seeds()
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
