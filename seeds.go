package tapestry

import (
	"context"
	"errors"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	"github.com/tapestry-dolr/tapestry/internal/seeds"
)

// SeedSource finds nodes to join by. It is asked anew at every Join, now and then while
// the node runs, and whenever the node has lost everybody, so that it may change its
// mind. What it returns beside an error is used.
type SeedSource interface {
	Seeds(ctx context.Context) ([]peer.AddrInfo, error)
}

// The sources that there are.
var (
	_ SeedSource = SeedList(nil)
	_ SeedSource = SeedAddrs{}
	_ SeedSource = SeedFile{}
	_ SeedSource = SeedFunc(nil)
)

// SeedList is a source that always says the same.
type SeedList []peer.AddrInfo

// Seeds returns l.
func (l SeedList) Seeds(context.Context) ([]peer.AddrInfo, error) { return l, nil }

// SeedFunc is a source of the program's own: a registry, a discovery service.
type SeedFunc func(ctx context.Context) ([]peer.AddrInfo, error)

// Seeds calls f.
func (f SeedFunc) Seeds(ctx context.Context) ([]peer.AddrInfo, error) { return f(ctx) }

// Resolver takes one step from a multiaddr with a DNS name in it to what the name stands
// for. *madns.Resolver of go-multiaddr-dns is one.
type Resolver = seeds.Resolver

// SeedAddrs is a source of multiaddrs, each with a peer ID at its end. A /dnsaddr/NAME
// may do without: the TXT records of _dnsaddr.NAME say who is there, if need be by way of
// other names.
type SeedAddrs struct {
	Addrs    []multiaddr.Multiaddr
	Resolver Resolver // nil: the system's DNS
}

// Seeds resolves the addresses.
func (s SeedAddrs) Seeds(ctx context.Context) ([]peer.AddrInfo, error) {
	return seeds.Resolve(ctx, s.Resolver, s.Addrs)
}

// SeedFile is a source of multiaddrs in a file, as those of SeedAddrs: one per line, with
// blank lines, and comments after a #. It is read anew every time.
type SeedFile struct {
	Path     string
	Resolver Resolver // nil: the system's DNS
}

// Seeds reads the file and resolves what it says. An error names file and line.
func (s SeedFile) Seeds(ctx context.Context) ([]peer.AddrInfo, error) {
	addrs, bad := seeds.ReadFile(s.Path)
	infos, err := seeds.Resolve(ctx, s.Resolver, addrs)
	return infos, errors.Join(bad, err)
}

// WithSeeds gives the node sources of nodes to join by, besides the seeds given to Join.
// It joins by any of them, and it comes back by them when it has lost everybody. A node
// with sources that name nobody does not found an overlay: Join returns ErrNoSeeds. One
// whose sources name it alone does.
func WithSeeds(sources ...SeedSource) Option {
	return func(s *settings) error {
		s.seeds = append(s.seeds, sources...)
		return nil
	}
}

// lookUp asks all sources; nil if there are none.
func lookUp(sources []SeedSource) func(context.Context) ([]peer.AddrInfo, error) {
	if len(sources) == 0 {
		return nil
	}
	return func(ctx context.Context) (all []peer.AddrInfo, err error) {
		var errs []error
		for _, s := range sources {
			infos, err := s.Seeds(ctx)
			all, errs = append(all, infos...), append(errs, err)
		}
		return all, errors.Join(errs...)
	}
}
