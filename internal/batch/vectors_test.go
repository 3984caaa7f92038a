package batch_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/tapestry-dolr/tapestry/internal/batch"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
	"google.golang.org/protobuf/proto"
)

// TestVectors runs testdata/vectors, which another implementation should agree with (docs/protocol.md
// §4.7). An object goes by a text, of which its GUID is the hash.
//
//	build roots=2          the objects, one a line: their tries, and the payload of a header
//	cut keep=a/0,b/1       what is left of the batch when only these objects under these salts are kept
//	open salt=0 [count=3]  a list in hex, as it came with that header: what it proves
//
// What the header says of all is network main, application files, server H("server"), generation
// 1795219200, counter 7, a life of 3600 s.
func TestVectors(t *testing.T) {
	v := &vectors{t: t, names: map[idspace.ID]string{}}
	datadriven.RunTest(t, "testdata/vectors", v.run)
}

type vectors struct {
	t     *testing.T
	names map[idspace.ID]string
	whole *batch.Part
}

func (v *vectors) run(t *testing.T, d *datadriven.TestData) string {
	v.t = t
	switch d.Cmd {
	case "build":
		return v.build(d)
	case "cut":
		return v.cut(d)
	case "open":
		return v.open(d)
	}
	d.Fatalf(t, "no command %s", d.Cmd)
	return ""
}

func (v *vectors) build(d *datadriven.TestData) string {
	var guids []idspace.ID
	for name := range strings.Lines(d.Input) {
		name = strings.TrimSpace(name)
		guids = append(guids, idspace.Hash([]byte(name)))
		v.names[guids[len(guids)-1]] = name
	}
	var roots int
	d.ScanArgs(v.t, "roots", &roots)
	whole, err := batch.Build(idspace.Hex, guids, roots)
	if err != nil {
		return err.Error()
	}
	v.whole = whole
	return v.print(whole) + fmt.Sprintf("header %x\n", v.payload())
}

func (v *vectors) payload() []byte {
	server := idspace.Hash([]byte("server"))
	rec := &wire.BatchRecord{
		Network: "main", App: "files", Server: server[:], Generation: 1795219200, Counter: 7, LifeS: 3600,
	}
	v.whole.Commit(rec)
	payload, err := proto.MarshalOptions{Deterministic: true}.Marshal(rec)
	if err != nil {
		v.t.Fatal(err)
	}
	return payload
}

func (v *vectors) print(p *batch.Part) string {
	var b strings.Builder
	for salt, list := range p.Lists() {
		fmt.Fprintf(&b, "salt %d\n", salt)
		b.WriteString(p.Trie(salt))
		fmt.Fprintf(&b, "root %x\nlist %x\n", header(p).Root(salt), list)
	}
	if p.Lists() == nil {
		for l := range p.Leaves() {
			fmt.Fprintf(&b, "salt %d   key %v\n", l.Salt, l.Key)
		}
	}
	return b.String()
}

func (v *vectors) cut(d *datadriven.TestData) string {
	kept := map[string]bool{}
	for _, arg := range d.CmdArgs {
		for _, name := range arg.Vals {
			kept[name] = true
		}
	}
	cut := v.whole.Cut(func(l batch.Leaf) bool { return kept[fmt.Sprintf("%s/%d", v.names[l.GUID], l.Salt)] })
	return v.print(cut)
}

func (v *vectors) open(d *datadriven.TestData) string {
	rec, err := (&wire.SignedRecord{PayloadType: []byte(wire.BatchKind), Payload: v.payload()}).Batch()
	if err != nil {
		v.t.Fatal(err)
	}
	if d.HasArg("count") {
		d.ScanArgs(v.t, "count", &rec.Count)
	}
	var salt int
	d.ScanArgs(v.t, "salt", &salt)
	list, err := hex.DecodeString(strings.Join(strings.Fields(d.Input), ""))
	if err != nil {
		d.Fatalf(v.t, "%v", err)
	}
	lists := make([][]byte, rec.Salts())
	lists[salt] = list
	p, err := batch.Open(idspace.Hex, rec, lists)
	if err != nil {
		return err.Error()
	}
	var names []string
	for l := range p.Leaves() {
		names = append(names, fmt.Sprintf("%s/%d", v.names[l.GUID], l.Salt))
	}
	return strings.Join(names, " ")
}
