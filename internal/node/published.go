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

// Stands reports whether enough roots have acknowledged the object of key in this life.
func (n *Node) Stands(key pointers.Key) bool {
	o := n.served.Find(key)
	return o != nil && o.Stands
}
