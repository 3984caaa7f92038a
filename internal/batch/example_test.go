package batch_test

import (
	"fmt"

	"github.com/tapestry-dolr/tapestry/internal/batch"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// A server publishes three objects with one signature; a node gets those under keys that begin with
// 0 to 7, and passes one of them on.
func Example() {
	guids := []idspace.ID{idspace.Hash([]byte("a")), idspace.Hash([]byte("b")), idspace.Hash([]byte("c"))}
	whole, err := batch.Build(idspace.Hex, guids, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	header := &wire.BatchRecord{App: "files"} // and so on
	whole.Commit(header)                      // to be signed

	parts := whole.Split(2, func(l batch.Leaf) int { return int(idspace.Hex.Digit(l.Key, 0)) / 8 })

	got, err := batch.Open(idspace.Hex, header, parts[0].Lists())
	if err != nil {
		fmt.Println(err)
		return
	}
	for l := range got.Leaves() {
		fmt.Println(l.GUID.Short(), "under salt", l.Salt, "at", l.Key.Short())
	}

	on := got.Cut(func(l batch.Leaf) bool { return l.GUID == guids[0] })
	_, err = batch.Open(idspace.Hex, header, on.Lists())
	fmt.Println(on.Len(), "goes on:", err)
	// Output:
	// 2e7d2c03 under salt 0 at 2610f5f1
	// 3e23e816 under salt 0 at 384ef7cf
	// ca978112 under salt 1 at 4d3c741d
	// 1 goes on: <nil>
}
