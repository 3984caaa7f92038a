package seeds

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	madns "github.com/multiformats/go-multiaddr-dns"
)

// Resolver takes one step from an address with a DNS name in it to what it stands for.
// *madns.Resolver is one.
type Resolver interface {
	Resolve(ctx context.Context, a multiaddr.Multiaddr) ([]multiaddr.Multiaddr, error)
}

var _ Resolver = (*madns.Resolver)(nil)

const (
	// maxLevels is how many names in a row may lead to one another. The public
	// bootstrap nodes of IPFS need two.
	maxLevels = 4
	// maxSeeds bounds the addresses that one call returns, and the names that it asks for.
	maxSeeds = 256
)

// name is the DNS name that a begins with as a /dnsaddr, "" if it does not.
func name(a multiaddr.Multiaddr) string {
	if len(a) == 0 || a[0].Protocol().Code != multiaddr.P_DNSADDR {
		return ""
	}
	return a[0].Value()
}

// Resolve finds the peers that addrs lead to. r may be nil for the system's DNS. The
// error names every address that led nowhere; the peers of the others are returned with it, in
// the order of addrs.
func Resolve(ctx context.Context, r Resolver, addrs []multiaddr.Multiaddr) ([]peer.AddrInfo, error) {
	if r == nil {
		r = madns.DefaultResolver
	}
	w := walk{resolver: r}
	var errs []error
	for _, a := range addrs {
		had := len(w.found)
		err := w.follow(ctx, a, 0)
		// One of several records that lead nowhere is no reason to complain.
		if err != nil && len(w.found) == had {
			errs = append(errs, fmt.Errorf("seed %v: %w", a, err))
		}
	}
	return peers(w.found), errors.Join(errs...)
}

// peers groups addresses, all of which Check has passed, by whose they are. What comes first stays
// first: users name the seeds first that they would rather join by.
func peers(addrs []multiaddr.Multiaddr) (infos []peer.AddrInfo) {
	for _, a := range addrs {
		addr, id := peer.SplitAddr(a)
		i := slices.IndexFunc(infos, func(o peer.AddrInfo) bool { return o.ID == id })
		if i < 0 {
			i = len(infos)
			infos = append(infos, peer.AddrInfo{ID: id})
		}
		infos[i].Addrs = append(infos[i].Addrs, addr)
	}
	return infos
}

// walk is one resolution under way.
type walk struct {
	resolver Resolver
	asked    int // names so far
	found    []multiaddr.Multiaddr
}

// follow adds what a leads to.
func (w *walk) follow(ctx context.Context, a multiaddr.Multiaddr, level int) error {
	at := name(a)
	switch {
	case at == "":
		return w.add(a)
	case level == maxLevels:
		return fmt.Errorf("%s: more than %d names lead to one another", at, maxLevels)
	case w.asked == maxSeeds:
		return fmt.Errorf("%s: more than %d names in all", at, maxSeeds)
	}
	w.asked++
	next, err := w.resolver.Resolve(ctx, a)
	if err != nil {
		return fmt.Errorf("TXT records of _dnsaddr.%s: %w", at, err)
	}
	if len(next) == 0 {
		return fmt.Errorf("no TXT record of _dnsaddr.%s names a fitting multiaddr", at)
	}
	var errs []error
	for _, a := range next {
		errs = append(errs, w.follow(ctx, a, level+1))
	}
	return errors.Join(errs...)
}

func (w *walk) add(a multiaddr.Multiaddr) error {
	if err := Check(a); err != nil {
		return err
	}
	if len(w.found) == maxSeeds {
		return fmt.Errorf("%v: more than %d seeds", a, maxSeeds)
	}
	w.found = append(w.found, a)
	return nil
}
