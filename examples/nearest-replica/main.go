// Command nearest-replica starts eight hosts in one process, lets three of them
// serve the same object, sends a message to the object from each of the others, and
// does it again after the first server has left.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/tapestry-dolr/tapestry"
)

const app tapestry.AppID = "weather"

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run tells on out what happens.
func run(ctx context.Context, out io.Writer) error {
	var nodes []*tapestry.Node
	var seeds []peer.AddrInfo
	for range 8 {
		h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"),
			tapestry.HostOptions(tapestry.DefaultMaxLinks))
		if err != nil {
			return err
		}
		defer h.Close()
		n, err := tapestry.New(h, tapestry.WithNetwork("weather"))
		if err != nil {
			return err
		}
		defer n.Close()
		if err := n.Join(ctx, seeds...); err != nil {
			return err
		}
		if err := n.WaitReady(ctx); err != nil {
			return err
		}
		seeds = []peer.AddrInfo{*host.InfoFromHost(h)}
		nodes = append(nodes, n)
	}
	servers, clients := nodes[:3], nodes[3:]

	// The name is all that servers and clients have in common.
	report := tapestry.GUIDFromBytes([]byte("today's weather report"))
	for _, n := range servers {
		n.Handle(app, tapestry.HandlerFunc(func(context.Context, tapestry.Message) ([]byte, error) {
			return []byte("sunny, says " + n.ID().Short()), nil
		}))
		if err := n.PublishObject(ctx, report, app); err != nil {
			return err
		}
	}
	if err := ask(ctx, clients, report, out); err != nil {
		return err
	}
	fmt.Fprintln(out, servers[0].ID().Short(), "leaves")
	if err := servers[0].Leave(ctx); err != nil {
		return err
	}
	return ask(ctx, clients, report, out)
}

// ask has each client send a message to the object.
func ask(ctx context.Context, clients []*tapestry.Node, report tapestry.GUID, out io.Writer) error {
	for _, n := range clients {
		d, err := n.RouteToObject(ctx, report, app, []byte("how will it be?"))
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s heard: %s, %d hops, %v\n", n.ID().Short(), d.Reply, d.Hops, d.RTT.Round(time.Microsecond))
	}
	return nil
}
