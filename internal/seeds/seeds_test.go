package seeds_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	madns "github.com/multiformats/go-multiaddr-dns"

	"github.com/tapestry-dolr/tapestry/internal/p2ptest"
	"github.com/tapestry-dolr/tapestry/internal/seeds"
)

// id is the i-th peer of the tests.
func id(t *testing.T, i int) string {
	t.Helper()
	p, err := peer.IDFromPrivateKey(p2ptest.Key(1, i))
	if err != nil {
		t.Fatal(err)
	}
	return p.String()
}

// zone is a DNS of TXT records that counts how often it is asked.
type zone struct {
	txt   map[string][]string
	asked int
}

func (z *zone) LookupIPAddr(context.Context, string) ([]net.IPAddr, error) {
	return nil, errors.New("nobody should ask")
}

func (z *zone) LookupTXT(_ context.Context, name string) ([]string, error) {
	z.asked++
	if txt, ok := z.txt[name]; ok {
		return txt, nil
	}
	return nil, fmt.Errorf("lookup %s: no such host", name)
}

func (z *zone) resolver(t *testing.T) *madns.Resolver {
	t.Helper()
	r, err := madns.NewResolver(madns.WithDefaultResolver(z))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func resolve(t *testing.T, z *zone, texts ...string) (string, error) {
	t.Helper()
	var addrs []multiaddr.Multiaddr
	for _, text := range texts {
		addrs = append(addrs, multiaddr.StringCast(text))
	}
	infos, err := seeds.Resolve(t.Context(), z.resolver(t), addrs)
	var lines []string
	for _, info := range infos {
		for _, a := range info.Addrs {
			lines = append(lines, fmt.Sprintf("%v/p2p/%v", a, info.ID))
		}
	}
	return strings.Join(lines, " "), err
}

func TestNamesLeadToPeersOverSeveralLevels(t *testing.T) {
	one, two := "/ip4/192.0.2.1/tcp/1/p2p/"+id(t, 1), "/dns4/two.example/tcp/2/p2p/"+id(t, 2)
	z := &zone{txt: map[string][]string{
		"_dnsaddr.boot.example": {"dnsaddr=/dnsaddr/a.example", "dnsaddr=/dnsaddr/b.example", "v=spf1 -all"},
		"_dnsaddr.a.example":    {"dnsaddr=" + one},
		"_dnsaddr.b.example":    {"dnsaddr=" + two, "dnsaddr=/dnsaddr/gone.example"},
	}}
	got, err := resolve(t, z, "/dnsaddr/boot.example")
	if err != nil || got != one+" "+two {
		t.Errorf("got %s, %v", got, err)
	}
	if got, err := resolve(t, z, "/dnsaddr/a.example/p2p/"+id(t, 1)); err != nil || got != one {
		t.Errorf("with the peer's ID: %s, %v", got, err)
	}
	if got, err := resolve(t, z, "/dnsaddr/a.example/p2p/"+id(t, 2)); err == nil || got != "" {
		t.Errorf("with another peer's ID: %s, %v", got, err)
	}
}

func TestWhatCannotBeResolvedIsNamedAndTheRestIsThere(t *testing.T) {
	one := "/ip4/192.0.2.1/tcp/1/p2p/" + id(t, 1)
	z := &zone{txt: map[string][]string{"_dnsaddr.empty.example": {"hello"}, "_dnsaddr.bare.example": {"dnsaddr=/ip4/192.0.2.1/tcp/1"}}}
	got, err := resolve(t, z, "/dnsaddr/gone.example", one, "/dnsaddr/empty.example", "/dnsaddr/bare.example")
	if got != one || err == nil {
		t.Fatalf("got %s, %v", got, err)
	}
	for _, want := range []string{
		"seed /dnsaddr/gone.example: TXT records of _dnsaddr.gone.example", "no such host",
		"no TXT record of _dnsaddr.empty.example", "/ip4/192.0.2.1/tcp/1: want a multiaddr that ends in /p2p/ID",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

func TestRecordsThatLeadInCirclesEnd(t *testing.T) {
	z := &zone{txt: map[string][]string{"_dnsaddr.a.example": {"dnsaddr=/dnsaddr/b.example"}, "_dnsaddr.b.example": {"dnsaddr=/dnsaddr/a.example"}}}
	_, err := resolve(t, z, "/dnsaddr/a.example")
	if err == nil || !strings.Contains(err.Error(), "more than 4 names") || z.asked != 4 {
		t.Errorf("asked %d times, %v", z.asked, err)
	}
	// Each name leads to fifty others: what is asked stays bounded all the same.
	wide := &zone{txt: map[string][]string{}}
	var txt []string
	for i := range 50 {
		txt = append(txt, fmt.Sprintf("dnsaddr=/dnsaddr/n%d.example", i))
	}
	for i := range 50 {
		wide.txt[fmt.Sprintf("_dnsaddr.n%d.example", i)] = txt
	}
	if _, err := resolve(t, wide, "/dnsaddr/n0.example"); err == nil || wide.asked > 256 {
		t.Errorf("asked %d times, %v", wide.asked, err)
	}
}

func TestFilesOfSeedsSayWhichLineIsNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seeds")
	text := "# ours\n\n/ip4/192.0.2.1/udp/1/quic-v1/p2p/" + id(t, 1) + " # the first\r\nnonsense\n/dnsaddr/boot.example\n/ip4/192.0.2.1/tcp/1\n/p2p/" + id(t, 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := seeds.ReadFile(path)
	if len(all) != 2 || err == nil {
		t.Fatalf("%v, %v", all, err)
	}
	for _, want := range []string{path + ":4: ", path + ":6: ", "ends in /p2p/ID", path + ":7: ", "want an address"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	if _, err := seeds.ReadFile(path + "none"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("/dnsaddr/boot.example")
	f.Add("/ip4/192.0.2.1/tcp/1/p2p/12D3KooWQJ6bVEwEFiwCYBCPUbxWAU2eCSKxzCECfJwXbRGrpPsj")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := seeds.Parse(text)
		if err != nil {
			return
		}
		if again, err := seeds.Parse(a.String()); err != nil || !again.Equal(a) {
			t.Errorf("%q reads as %v, and that as %v: %v", text, a, again, err)
		}
	})
}
