package pointers

import "github.com/tapestry-dolr/tapestry/internal/setting"

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
	d := l.WithDefaults()
	return setting.Check("pointers", d.settings())
}

// WithDefaults returns l with every zero replaced by its default.
func (l Limits) WithDefaults() Limits {
	setting.Fill(l.settings())
	return l
}

func (l *Limits) settings() []setting.Setting {
	return []setting.Setting{
		setting.Of("PerServer", &l.PerServer, 100_000),
		setting.Of("PerObject", &l.PerObject, 128),
		setting.Of("PerNode", &l.PerNode, 500_000),
		setting.Of("Bytes", &l.Bytes, 256<<20),
		setting.Of("Served", &l.Served, 1_000_000),
	}
}
