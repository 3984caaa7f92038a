package node

import "github.com/tapestry-dolr/tapestry/internal/pointers"

// Published lists what this node serves, by key.
func (n *Node) Published() []pointers.Key {
	var keys []pointers.Key
	for _, o := range n.served.Sorted() {
		keys = append(keys, o.Key)
	}
	return keys
}

// Publishes reports whether this node serves the object of key.
func (n *Node) Publishes(key pointers.Key) bool { return n.served.Has(key) }
