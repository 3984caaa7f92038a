package config_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/cmd/tapestry/config"
)

// sources are settings from all places that are not defaults.
func sources(t *testing.T, file string) config.Sources {
	t.Helper()
	state := t.TempDir()
	if file != "" {
		if err := os.WriteFile(filepath.Join(state, config.FileName), []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return config.Sources{Home: "/home/me", Environ: []string{"TAPESTRY_STATE=" + state}, Flags: map[string]any{}}
}

// Addresses of two seeds.
const (
	seedA = "/ip4/127.0.0.1/tcp/1/p2p/12D3KooWSzD8u284yCwwX4XjtRnUQQFvFRtDC2DrRxeDmjS3Rnvw"
	seedB = "/ip4/127.0.0.1/tcp/2/p2p/12D3KooWSzD8u284yCwwX4XjtRnUQQFvFRtDC2DrRxeDmjS3Rnvw"
)

func TestEachSourceOverrulesTheOneBefore(t *testing.T) {
	src := sources(t, "network: file\nzone: file\nmax_links: 70\nlisten: [/ip4/127.0.0.1/tcp/1]\nleave_timeout: 3s\n")
	src.Environ = append(src.Environ, "TAPESTRY_ZONE=env", "TAPESTRY_MAX_LINKS=80", "TAPESTRY_SEED="+seedA+","+seedB, "OTHER=1")
	src.Flags["max_links"] = 90
	c, err := config.Load(src)
	if err != nil {
		t.Fatal(err)
	}
	if c.Network != "file" || c.Zone != "env" || c.MaxLinks != 90 || c.LeaveTimeout != 3*time.Second {
		t.Errorf("got %+v", c)
	}
	if strings.Join(c.Seed, " ") != seedA+" "+seedB || strings.Join(c.Listen, " ") != "/ip4/127.0.0.1/tcp/1" {
		t.Errorf("lists: seed %v, listen %v", c.Seed, c.Listen)
	}
	if c.JoinTimeout != time.Minute || c.LogLevel != "info" {
		t.Errorf("defaults: %+v", c)
	}
}

func TestUnknownKeysAreErrorsThatSayWhere(t *testing.T) {
	file := sources(t, "max_link: 70\n")
	variable := sources(t, "")
	variable.Environ = append(variable.Environ, "TAPESTRY_NETWRK=x")
	nested := sources(t, "network:\n  name: x\n")
	for name, test := range map[string]struct {
		src  config.Sources
		want []string
	}{
		"file":     {file, []string{`"max_link"`, config.FileName}},
		"variable": {variable, []string{"netwrk", "TAPESTRY_"}},
		"nested":   {nested, []string{"network.name", config.FileName}},
	} {
		_, err := config.Load(test.src)
		for _, w := range test.want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: error %v does not name %s", name, err, w)
			}
		}
	}
}

func TestImpossibleValuesAreNamed(t *testing.T) {
	for line, want := range map[string]string{
		"max_links: many":            "max_links",
		"leave_timeout: 1":           "leave_timeout",
		"leave_timeout: 0s":          "leave_timeout",
		"join_timeout: soon":         "join_timeout",
		"log_level: loud":            "log_level",
		"listen: []":                 "listen",
		"network: [":                 config.FileName,
		"listen: [here]":             "listen",
		"seed: [/ip4/1.2.3.4/tcp/1]": "seed",
	} {
		_, err := config.Load(sources(t, line+"\n"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v does not name %s", line, err, want)
		}
	}
}

func TestAFileThatIsNamedMustExist(t *testing.T) {
	src := sources(t, "")
	if _, err := config.Load(src); err != nil {
		t.Errorf("no file, none named: %v", err)
	}
	src.Flags["config"] = filepath.Join(t.TempDir(), "none.yaml")
	if _, err := config.Load(src); err == nil || !strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("no file, one named: %v", err)
	}
	byName := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(byName, []byte("zone: here\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	src.Flags["config"] = byName
	if c, err := config.Load(src); err != nil || c.Zone != "here" {
		t.Errorf("file by flag: %+v, %v", c, err)
	}
}

func TestStateDefaultsToTheDataDirectory(t *testing.T) {
	c, err := config.Load(config.Sources{Home: "/home/me"})
	if err != nil || c.State != "/home/me/.local/share/tapestry" || c.ControlSocket() != c.State+"/control.sock" {
		t.Errorf("%+v, %v", c, err)
	}
	c, err = config.Load(config.Sources{Home: "/home/me", Environ: []string{"XDG_DATA_HOME=/data"}})
	if err != nil || c.State != "/data/tapestry" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestEverySettingHasADefault(t *testing.T) {
	src := config.Sources{Home: "/home/me", Flags: map[string]any{}}
	c, err := config.Load(src)
	if err != nil {
		t.Fatal(err)
	}
	v := reflect.ValueOf(c)
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if mayBeEmpty := name == "Socket" || name == "Seed" || name == "SeedFile" || name == "Zone"; v.Field(i).IsZero() && !mayBeEmpty {
			t.Errorf("%s has no default", name)
		}
	}
}
