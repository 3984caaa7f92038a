package tapestry_test

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/tapestry-dolr/tapestry"
)

// loopback starts so many nodes on hosts of this machine.
func loopback(b *testing.B, count int) (nodes []*tapestry.Node) {
	b.Helper()
	var seeds []peer.AddrInfo
	for range count {
		h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), tapestry.HostOptions(tapestry.DefaultMaxLinks))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { h.Close() })
		n, err := tapestry.New(h)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { n.Close() })
		if err := n.Join(b.Context(), seeds...); err != nil {
			b.Fatal(err)
		}
		if err := n.WaitReady(b.Context()); err != nil {
			b.Fatal(err)
		}
		seeds = []peer.AddrInfo{*host.InfoFromHost(h)}
		nodes = append(nodes, n)
	}
	return nodes
}

// BenchmarkPublishBatch has one of eight nodes publish 20 000 objects at a time, and says how many are placed in a second.
func BenchmarkPublishBatch(b *testing.B) {
	const objects = 20_000
	nodes := loopback(b, 8)
	next := uint64(0)
	placed := 0
	began := time.Now()
	for b.Loop() {
		gs := make([]tapestry.GUID, objects)
		for i := range gs {
			next++
			binary.BigEndian.PutUint64(gs[i][:], next*0x9e3779b97f4a7c15)
		}
		report, err := nodes[0].PublishObjects(b.Context(), "bench", slices.Values(gs))
		if err != nil {
			b.Fatal(err)
		}
		placed += report.Placed
	}
	b.ReportMetric(float64(placed)/time.Since(began).Seconds(), "objects/s")
}
