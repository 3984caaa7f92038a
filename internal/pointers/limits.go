package pointers

import "fmt"

// Limits bound what others can make this node keep (design §8). What the node
// publishes itself counts only against Served. Zero means the default.
type Limits struct {
	PerServer int // pointers of one server; default 100 000
	PerObject int // pointers to one object of one application; default 128
	PerNode   int // pointers altogether; default 500 000
	Bytes     int // bytes of their signed records and of their servers' altogether; default 256 MiB
	Served    int // objects that this node publishes; default 1 000 000
}

// Validate names the first field that makes no sense.
func (l Limits) Validate() error {
	for _, f := range l.fields() {
		if *f.value < 0 {
			return fmt.Errorf("pointers: %s is %d, must not be negative", f.name, *f.value)
		}
	}
	return nil
}

// WithDefaults returns l with every zero replaced by its default.
func (l Limits) WithDefaults() Limits {
	for _, f := range l.fields() {
		if *f.value == 0 {
			*f.value = f.def
		}
	}
	return l
}

type limitField struct {
	name  string
	value *int
	def   int
}

func (l *Limits) fields() []limitField {
	return []limitField{
		{"PerServer", &l.PerServer, 100_000},
		{"PerObject", &l.PerObject, 128},
		{"PerNode", &l.PerNode, 500_000},
		{"Bytes", &l.Bytes, 256 << 20},
		{"Served", &l.Served, 1_000_000},
	}
}
