package published

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"
	leveldb "github.com/ipfs/go-ds-leveldb"
	"pgregory.net/rapid"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
)

var self = idspace.Hash([]byte("self"))

func memory() datastore.Batching { return dssync.MutexWrap(datastore.NewMapDatastore()) }

func open(t testing.TB, s datastore.Batching) *Ledger {
	t.Helper()
	l, _, err := Open(context.Background(), s, "main", self)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func key(i int) pointers.Key {
	return pointers.Key{GUID: idspace.Hash(fmt.Append(nil, i)), App: "files"}
}

func load(t testing.TB, s datastore.Batching) map[pointers.Key]State {
	t.Helper()
	_, all, err := Open(context.Background(), s, "main", self)
	if err != nil {
		t.Fatal(err)
	}
	found := map[pointers.Key]State{}
	for _, r := range all {
		found[r.Key] = r.State
	}
	return found
}

func do(t testing.TB, l *Ledger, k pointers.Key, what func(*Turn, context.Context) error) {
	t.Helper()
	turn := l.Turn(k)
	defer turn.End()
	if err := what(turn, context.Background()); err != nil {
		t.Fatal(err)
	}
}

// Whatever is asked for in whatever order, a ledger that is opened anew says what was
// asked for last. The slow obvious way is a map.
func TestTheLedgerSaysWhatWasAskedForLast(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := memory()
		l, want := open(t, s), map[pointers.Key]State{}
		app := rapid.StringN(1, 8, 64)
		keys := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) pointers.Key {
			return pointers.Key{GUID: idspace.Hash([]byte{rapid.Byte().Draw(rt, "guid") % 4}), App: app.Draw(rt, "app")}
		}), 1, 6).Draw(rt, "keys")
		for range rapid.IntRange(0, 30).Draw(rt, "steps") {
			k := rapid.SampledFrom(keys).Draw(rt, "key")
			switch rapid.IntRange(0, 3).Draw(rt, "verb") {
			case 0:
				do(t, l, k, (*Turn).Publish)
				want[k] = Published
			case 1:
				do(t, l, k, (*Turn).Withdraw)
				if want[k] == Published {
					want[k] = Withdrawn
				}
			case 2:
				do(t, l, k, (*Turn).Forget)
				delete(want, k)
			case 3:
				l = open(t, s)
			}
		}
		got := load(t, s)
		if len(got) != len(want) {
			rt.Fatalf("%v, want %v", got, want)
		}
		for k, state := range want {
			if got[k] != state {
				rt.Fatalf("%v is %q, want %q", k, got[k], state)
			}
		}
	})
}

func TestARecordIsTentativeUntilItIsPlacedOrWithdrawn(t *testing.T) {
	l := open(t, memory())
	tentative := func() bool {
		turn := l.Turn(key(1))
		defer turn.End()
		return turn.Tentative()
	}
	do(t, l, key(1), (*Turn).Publish)
	do(t, l, key(1), (*Turn).Publish)
	if !tentative() {
		t.Error("twice asked for, not acknowledged, and not tentative")
	}
	l.Placed(key(1))
	do(t, l, key(1), (*Turn).Publish)
	if tentative() {
		t.Error("placed, and tentative again")
	}
	do(t, l, key(1), (*Turn).Withdraw)
	do(t, l, key(1), (*Turn).Publish)
	if !tentative() {
		t.Error("published after a withdrawal, and not tentative")
	}
	do(t, l, key(1), (*Turn).Withdraw)
	if tentative() || len(l.turns) != 0 {
		t.Errorf("withdrawn: tentative; %d turns left", len(l.turns))
	}
}

// Nodes of one process may share a datastore, and so may networks.
func TestNodesAndNetworksAreKeptApart(t *testing.T) {
	s := memory()
	do(t, open(t, s), key(1), (*Turn).Publish)
	for _, other := range []struct {
		network string
		self    idspace.ID
	}{{"other", self}, {"main", idspace.Hash([]byte("other"))}} {
		if _, all, err := Open(t.Context(), s, other.network, other.self); err != nil || len(all) != 0 {
			t.Errorf("%s/%s: %v, %v", other.network, other.self, all, err)
		}
	}
}

func TestWhatIsDamagedIsNamedWithWhatToDo(t *testing.T) {
	good := encode(place(key(1)), Published)
	flipped, strange := slices.Clone(good), encode(place(key(1)), 'x')
	flipped[2] ^= 4
	below := "/tapestry/main/" + self.String() + "/published"
	for want, damage := range map[string]struct {
		at    string
		value []byte
	}{
		"2 bytes, want 5":                     {place(key(1)).String(), good[:2]},
		"0 bytes, want 5":                     {place(key(1)).String(), nil},
		"its checksum is wrong":               {place(key(1)).String(), flipped},
		`state 'x', want 'p' or 'w'`:          {place(key(1)).String(), strange},
		"2 records are damaged, one of them:": {place(key(2)).String(), good},
		`"2", this program reads "1"`:         {"/version", []byte("2")},
		"1 bytes, want at least 20":           {"/tally", []byte("x")},
		"damaged: its checksum is wrong":      {"/tally", make([]byte, 30)},
		"its GUID":                            {"/objects/xyz/MZUWY", encode(datastore.RawKey("/objects/xyz/MZUWY"), Published)},
		"its application":                     {"/objects/" + self.String() + "/18", encode(datastore.RawKey("/objects/"+self.String()+"/18"), Published)},
	} {
		s := memory()
		do(t, open(t, s), key(1), (*Turn).Publish)
		if strings.HasPrefix(want, "2 records") {
			if err := s.Put(t.Context(), datastore.NewKey(below+place(key(1)).String()), nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Put(t.Context(), datastore.NewKey(below+damage.at), damage.value); err != nil {
			t.Fatal(err)
		}
		_, _, err := Open(t.Context(), s, "main", self)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), below) {
			t.Errorf("%v does not say %s, and where", err, want)
		}
	}
}

// A datastore that leaves out what it cannot read, as leveldb's does, is found out.
func TestRecordsThatHaveVanishedAreMissed(t *testing.T) {
	below := datastore.NewKey("/tapestry/main/" + self.String() + "/published")
	s := memory()
	l := open(t, s)
	for i := range 10 {
		do(t, l, key(i), (*Turn).Publish)
	}
	whole := load(t, s)
	for _, i := range []int{3, 5} {
		if err := s.Delete(t.Context(), below.Child(place(key(i)))); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err := Open(t.Context(), s, "main", self)
	if err == nil || !strings.Contains(err.Error(), "2 of 9 records are missing; restore it, or delete "+below.String()+"/tally") {
		t.Errorf("%v", err)
	}
	for _, i := range []int{3, 77} {
		if err := s.Put(t.Context(), below.Child(place(key(i))), encode(place(key(i)), Published)); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err = Open(t.Context(), s, "main", self); err == nil || !strings.Contains(err.Error(), "the 9 records are not those that were written") {
		t.Errorf("%v", err)
	}
	if err := s.Delete(t.Context(), below.Child(tallyKey)); err != nil {
		t.Fatal(err)
	}
	if got := load(t, s); len(got) != 10 || len(whole) != 10 {
		t.Errorf("%d records of %d", len(got), len(whole))
	}
}

// dying is a datastore that writes so many values more, one by one even of a batch, and
// then none: what a process leaves that is killed.
type dying struct {
	datastore.Datastore
	left int
}

var errKilled = errors.New("killed")

func (d *dying) die() error {
	if d.left == 0 {
		return errKilled
	}
	d.left--
	return nil
}

func (d *dying) Put(ctx context.Context, k datastore.Key, b []byte) error {
	if err := d.die(); err != nil {
		return err
	}
	return d.Datastore.Put(ctx, k, b)
}

func (d *dying) Delete(ctx context.Context, k datastore.Key) error {
	if err := d.die(); err != nil {
		return err
	}
	return d.Datastore.Delete(ctx, k)
}

func (d *dying) Batch(context.Context) (datastore.Batch, error) {
	return datastore.NewBasicBatch(d), nil
}

// Wherever a process is killed, the next one reads without complaint, and finds what was
// done; of what was not done it finds either.
func TestAKillAnywhereLosesNothingThatWasDone(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		disk, ctx := datastore.NewMapDatastore(), context.Background()
		want := map[pointers.Key]State{}
		for range rapid.IntRange(1, 4).Draw(rt, "lives") {
			d := &dying{disk, rapid.IntRange(1, 30).Draw(rt, "writes")}
			l, _, err := Open(ctx, d, "main", self)
			if err != nil {
				rt.Fatal(err)
			}
			unsure := map[pointers.Key]State{}
			for range rapid.IntRange(0, 8).Draw(rt, "steps") {
				var together []op
				states := []State{None, Published, Withdrawn}
				for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, 9), 1, 5, rapid.ID[int]).Draw(rt, "keys") {
					together = append(together, op{place(key(i)), want[key(i)], rapid.SampledFrom(states).Draw(rt, "state")})
				}
				failed := l.commit(ctx, together)
				for _, o := range together {
					k := keyAt(o.at)
					if failed == nil {
						want[k] = o.is
					} else {
						unsure[k] = o.is
					}
				}
				if failed != nil {
					break
				}
			}
			found := load(t, &dying{disk, 1})
			for i := range 10 {
				k := key(i)
				is, doubtful := unsure[k]
				if found[k] != want[k] && !(doubtful && found[k] == is) {
					rt.Fatalf("%d is %q, want %q, or %q if it was under way: %v", i, found[k], want[k], is, doubtful)
				}
				want[k] = found[k]
			}
		}
	})
}

func keyAt(at datastore.Key) pointers.Key {
	r, err := decode(at, encode(at, Published))
	if err != nil {
		panic(err)
	}
	return r.Key
}

// broken is a datastore whose commits fail while it is told so.
type broken struct {
	datastore.Batching
	err     atomic.Pointer[error]
	commits atomic.Int64
	half    atomic.Bool   // the next one that fails has an effect nevertheless
	slow    chan struct{} // a commit takes one of it, if not nil
}

func (b *broken) Batch(ctx context.Context) (datastore.Batch, error) {
	inner, err := b.Batching.Batch(ctx)
	return &brokenBatch{inner, b}, err
}

type brokenBatch struct {
	datastore.Batch
	of *broken
}

func (b *brokenBatch) Commit(ctx context.Context) error {
	b.of.commits.Add(1)
	if b.of.slow != nil {
		<-b.of.slow
	}
	if err := b.of.err.Load(); err != nil {
		if b.of.half.Swap(false) {
			return errors.Join(*err, b.Batch.Commit(ctx))
		}
		return *err
	}
	return b.Batch.Commit(ctx)
}

func TestAFailedWriteChangesNothing(t *testing.T) {
	s := &broken{Batching: datastore.NewMapDatastore()}
	l := open(t, s)
	do(t, l, key(1), (*Turn).Publish)
	full := errors.New("no space left on device")
	s.err.Store(&full)
	for _, failing := range []func(*Turn, context.Context) error{(*Turn).Withdraw, (*Turn).Forget} {
		turn := l.Turn(key(1))
		if err := failing(turn, t.Context()); !errors.Is(err, full) || !strings.Contains(err.Error(), key(1).GUID.String()) {
			t.Errorf("%v", err)
		}
		turn.End()
	}
	turn := l.Turn(key(2))
	if err := turn.Publish(t.Context()); !errors.Is(err, full) || turn.Tentative() {
		t.Errorf("%v, tentative %v", err, turn.Tentative())
	}
	turn.End()
	if got := load(t, s); len(got) != 1 || got[key(1)] != Published {
		t.Errorf("%v", got)
	}
	s.err.Store(nil)
	do(t, l, key(2), (*Turn).Publish)
	if got := load(t, s); len(got) != 2 {
		t.Errorf("with room again: %v", got)
	}
}

// A record that was written though that failed, and could not be taken back, stays tentative: whoever
// gives the publish up forgets it.
func TestWhatCouldNotBeTakenBackIsForgottenLater(t *testing.T) {
	s := &broken{Batching: datastore.NewMapDatastore()}
	l := open(t, s)
	full := errors.New("no space left on device")
	s.err.Store(&full)
	s.half.Store(true)
	turn := l.Turn(key(1))
	defer turn.End()
	if err := turn.Publish(t.Context()); !errors.Is(err, full) || !turn.Tentative() {
		t.Errorf("%v, tentative %v", err, turn.Tentative())
	}
	if got := load(t, s); got[key(1)] != Published {
		t.Errorf("before it is given up: %v", got)
	}
	s.err.Store(nil)
	if err := turn.Forget(t.Context()); err != nil || turn.Tentative() || len(load(t, s)) > 0 {
		t.Errorf("%v, tentative %v, %v", err, turn.Tentative(), load(t, s))
	}
}

// Who comes while a commit is under way shares the next one.
func TestWritesThatComeTogetherAreCommittedTogether(t *testing.T) {
	s := &broken{Batching: dssync.MutexWrap(datastore.NewMapDatastore())}
	l := open(t, s)
	s.slow = make(chan struct{})
	before := s.commits.Load()
	var all sync.WaitGroup
	begin := func(i int) {
		all.Go(func() {
			turn := l.Turn(key(i))
			defer turn.End()
			if err := turn.Publish(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	begin(0)
	for s.commits.Load() == before { // the first is at its commit soon, and stays there
		runtime.Gosched()
	}
	for i := 1; i < 100; i++ {
		begin(i)
	}
	for queued := 0; queued < 99; runtime.Gosched() {
		l.mu.Lock()
		if l.next != nil {
			queued = len(l.next.ops)
		}
		l.mu.Unlock()
	}
	close(s.slow)
	all.Wait()
	if got := s.commits.Load() - before; got != 2 {
		t.Errorf("%d commits for 100 writes, want 2", got)
	}
	if got := load(t, s); len(got) != 100 {
		t.Errorf("%d records", len(got))
	}
}

func BenchmarkPublishOnDisk(b *testing.B) {
	s, err := leveldb.NewDatastore(b.TempDir(), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	l := open(b, s)
	var next atomic.Int64
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			turn := l.Turn(key(int(next.Add(1))))
			if err := turn.Publish(context.Background()); err != nil {
				b.Error(err)
			}
			turn.End()
		}
	})
}

// lifeVariable has TestMain publish in the datastore that it names until it is killed.
const lifeVariable = "PUBLISHED_TEST_LIFE"

func TestMain(m *testing.M) {
	if path := os.Getenv(lifeVariable); path != "" {
		live(path)
	}
	os.Exit(m.Run())
}

// live publishes object after object and withdraws every third, and prints a line for each
// that has been written down.
func live(path string) {
	s, err := leveldb.NewDatastore(path, nil)
	if err != nil {
		panic(err)
	}
	l, all, err := Open(context.Background(), s, "main", self)
	if err != nil {
		panic(err)
	}
	for i := len(all); ; i++ {
		for _, verb := range []struct {
			name string
			do   func(*Turn, context.Context) error
		}{{"published", (*Turn).Publish}, {"withdrawn", (*Turn).Withdraw}} {
			if verb.name == "withdrawn" && i%3 != 0 {
				continue
			}
			turn := l.Turn(key(i))
			if err := verb.do(turn, context.Background()); err != nil {
				panic(err)
			}
			turn.End()
			fmt.Println(i, verb.name)
		}
	}
}

// The same with processes that are really killed, and leveldb.
func TestAKilledProcessHasWrittenDownWhatItSaid(t *testing.T) {
	path, said := t.TempDir(), map[pointers.Key]State{}
	for life := range 5 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), lifeVariable+"="+path)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err := errors.Join(err, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if n == 50*life+17 {
				cmd.Process.Kill()
			}
			var i int
			var verb string
			if _, err := fmt.Sscan(lines.Text(), &i, &verb); err != nil {
				t.Fatal(err)
			}
			said[key(i)] = map[string]State{"published": Published, "withdrawn": Withdrawn}[verb]
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("it ended by itself")
		}
		found, more := leftBehind(t, path), 0
		for k, state := range said {
			if found[k] != state && !(state == Published && found[k] == Withdrawn) {
				t.Errorf("life %d: %v was said to be %q and is %q", life, k, state, found[k])
			}
		}
		for k, state := range found {
			if said[k] != state {
				more++ // written down, and killed before it was said
			}
			said[k] = state
		}
		if more > 1 {
			t.Errorf("life %d: %d records that nobody was told of", life, more)
		}
	}
	t.Logf("%d records after 5 kills", len(said))
}

func leftBehind(t *testing.T, path string) map[pointers.Key]State {
	t.Helper()
	s, err := leveldb.NewDatastore(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	return load(t, s)
}

func BenchmarkOpen100000(b *testing.B) {
	s, err := leveldb.NewDatastore(b.TempDir(), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	var ops []op
	for i := range 100_000 {
		ops = append(ops, op{place(key(i)), None, Published})
	}
	if err := open(b, s).apply(context.Background(), ops); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		open(b, s)
	}
}
