package main

import (
	"fmt"
	"os"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// readScenario sets the flags that a YAML file names and the command line does not. A
// flag that may be repeated takes a list.
func readScenario(path string, flags *pflag.FlagSet) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("--scenario: %w", err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if len(doc.Content) == 0 {
		return nil
	}
	top := doc.Content[0]
	if top.Kind != yaml.MappingNode {
		return fmt.Errorf("%s:%d: want flags and their values, such as nodes: 100", path, top.Line)
	}
	given := map[string]bool{}
	flags.Visit(func(f *pflag.Flag) { given[f.Name] = true })
	for i := 0; i+1 < len(top.Content); i += 2 {
		name := top.Content[i].Value
		if given[name] {
			continue
		}
		if err := setFlag(flags, name, top.Content[i+1]); err != nil {
			return fmt.Errorf("%s:%d: %w", path, top.Content[i].Line, err)
		}
	}
	return nil
}

func setFlag(flags *pflag.FlagSet, name string, value *yaml.Node) error {
	if flags.Lookup(name) == nil || apart[name] {
		return fmt.Errorf("no flag %q", name)
	}
	values := []*yaml.Node{value}
	if value.Kind == yaml.SequenceNode {
		values = value.Content
	}
	for _, v := range values {
		if v.Kind != yaml.ScalarNode {
			return fmt.Errorf("%s: want a value", name)
		}
		if err := flags.Set(name, v.Value); err != nil {
			return err
		}
	}
	return nil
}
