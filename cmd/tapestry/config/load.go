package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2"
)

// Prefix begins the names of settings in the environment.
const Prefix = "TAPESTRY_"

// FileName is the config file that is looked for in the state directory when no
// other is named.
const FileName = "config.yaml"

// fileKey names the config file, as a flag or in the environment.
const fileKey = "config"

// Sources are where settings come from, besides the defaults.
type Sources struct {
	Environ []string       // NAME=value, as os.Environ gives them
	Home    string         // the user's home directory
	Flags   map[string]any // the flags that were set, by setting
}

// Load reads the settings from all sources.
func Load(src Sources) (Config, error) {
	k := koanf.New(".")
	if err := k.Load(confmap.Provider(defaults(DataHome(src.Environ, src.Home)), ""), nil); err != nil {
		return Config{}, err
	}
	file, named := src.file(k.String("state"))
	for _, layer := range []func() (*koanf.Koanf, string, error){
		func() (*koanf.Koanf, string, error) { return fromFile(file, named) },
		src.fromEnvironment,
		src.fromFlags,
	} {
		part, where, err := layer()
		if err == nil {
			err = overlay(k, part)
		}
		if err != nil {
			return Config{}, fmt.Errorf("%s: %w", where, err)
		}
	}
	var c Config
	if err := k.Unmarshal("", &c); err != nil {
		return Config{}, err
	}
	return c, c.validate()
}

// overlay puts one source over k, if the source is sound by itself.
func overlay(k, part *koanf.Koanf) error {
	known := Keys()
	for _, key := range part.Keys() {
		if !slices.Contains(known, key) {
			return fmt.Errorf("unknown key %q (known: %s)", key, strings.Join(known, ", "))
		}
	}
	if err := part.Unmarshal("", new(Config)); err != nil {
		return err
	}
	return k.Merge(part)
}

// Keys lists the settings.
func Keys() []string {
	var keys []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		keys = append(keys, f.Tag.Get("koanf"))
	}
	return keys
}

// file is the config file's path, and whether somebody named it: then it must exist.
func (src Sources) file(state string) (path string, named bool) {
	if f, ok := src.Flags[fileKey].(string); ok {
		return f, true
	}
	if f := lookup(src.Environ, Prefix+strings.ToUpper(fileKey)); f != "" {
		return f, true
	}
	if s := lookup(src.Environ, Prefix+"STATE"); s != "" {
		state = s
	}
	if s, ok := src.Flags["state"].(string); ok {
		state = s
	}
	return filepath.Join(state, FileName), false
}

func fromFile(path string, named bool) (*koanf.Koanf, string, error) {
	where := "config file " + path
	k := koanf.New(".")
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) && !named {
		return k, where, nil
	}
	if err != nil {
		return k, where, err
	}
	return k, where, k.Load(rawbytes.Provider(b), yaml.Parser())
}

func (src Sources) fromEnvironment() (*koanf.Koanf, string, error) {
	k := koanf.New(".")
	err := k.Load(env.Provider("", env.Opt{
		Prefix:      Prefix,
		EnvironFunc: func() []string { return src.Environ },
		TransformFunc: func(name, value string) (string, any) {
			key := strings.ToLower(strings.TrimPrefix(name, Prefix))
			switch {
			case key == fileKey, value == "":
				return "", nil
			case isList(key):
				return key, strings.FieldsFunc(value, func(r rune) bool { return r == ',' })
			}
			return key, value
		},
	}), nil)
	return k, "environment " + Prefix + "*", err
}

func (src Sources) fromFlags() (*koanf.Koanf, string, error) {
	set := map[string]any{}
	for key, value := range src.Flags {
		if key != fileKey {
			set[key] = value
		}
	}
	k := koanf.New(".")
	return k, "flags", k.Load(confmap.Provider(set, ""), nil)
}

// isList reports whether a setting holds several values.
func isList(key string) bool { return key == "listen" || key == "seed" }

// lookup finds the last value of a variable in environ, as the system does.
func lookup(environ []string, name string) string {
	for _, e := range slices.Backward(environ) {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}
