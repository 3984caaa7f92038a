// Package kademlia models Kademlia as libp2p runs it: iterative lookups ten at a
// time, buckets of twenty, provider records on the twenty nodes nearest to a key.
// Sources: P. Maymounkov, D. Mazières, "Kademlia" (IPTPS 2002, docs/papers.md [10])
// for the metric and the buckets; go-libp2p-kad-dht v0.42 with its defaults for all
// else: query.go (when a lookup ends, and the follow-up), routing.go (provide, find
// providers), rtrefresh (refresh and liveness), go-libp2p's connection manager.
//
// Where it departs: every node is a server and is taken into a bucket without a
// check query; a response that comes after its query has ended still counts as a
// sign of life; at most twenty providers are named in one response.
//
// Layer 7, inside the room of the simulator.
package kademlia
