package seeds

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
)

// Parse reads one seed: a multiaddr with a peer ID, or a /dnsaddr, which may do without.
func Parse(text string) (multiaddr.Multiaddr, error) {
	a, err := multiaddr.NewMultiaddr(text)
	if err != nil {
		return nil, err
	}
	return a, Check(a)
}

// Check says why a is no seed.
func Check(a multiaddr.Multiaddr) error {
	if name(a) != "" {
		return nil
	}
	info, err := peer.AddrInfoFromP2pAddr(a)
	switch {
	case err != nil:
		return fmt.Errorf("%v: want a multiaddr that ends in /p2p/ID, or a /dnsaddr", a)
	case len(info.Addrs) == 0:
		return fmt.Errorf("%v: want an address before /p2p", a)
	}
	return nil
}

// ReadFile reads the seeds in a file: one per line, blank lines and what follows a # left
// out. It goes on after a line that is no seed, which its error names as file:line.
func ReadFile(path string) ([]multiaddr.Multiaddr, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var all []multiaddr.Multiaddr
	var errs []error
	n := 0
	for line := range bytes.Lines(b) {
		n++
		text, _, _ := strings.Cut(string(line), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		a, err := Parse(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %w", path, n, err))
			continue
		}
		all = append(all, a)
	}
	return all, errors.Join(errs...)
}
