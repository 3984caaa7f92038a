package tapestry_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
	dssync "github.com/ipfs/go-datastore/sync"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/tapestry-dolr/tapestry"
	"github.com/tapestry-dolr/tapestry/internal/p2ptest"
)

// disk is a datastore that can fill up, and of which there can be copies.
type disk struct {
	datastore.Batching
	full atomic.Bool
}

var errFull = errors.New("no space left on device")

func newDisk() *disk { return &disk{Batching: dssync.MutexWrap(datastore.NewMapDatastore())} }

func (d *disk) Put(ctx context.Context, k datastore.Key, b []byte) error {
	if d.full.Load() {
		return errFull
	}
	return d.Batching.Put(ctx, k, b)
}

func (d *disk) Batch(context.Context) (datastore.Batch, error) {
	return datastore.NewBasicBatch(d), nil
}

// records lists what is there below published/objects, as key and letter.
func (d *disk) records(t *testing.T) (all []string) {
	t.Helper()
	for e, err := range datastore.QueryIter(t.Context(), d, query.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(e.Key, "/published/objects/") {
			all = append(all, e.Key[strings.LastIndex(e.Key, "/objects/")+9:][:8]+" "+string(e.Value[:1]))
		}
	}
	slices.Sort(all)
	return all
}

// copied is the disk as it is now: what a process that is killed now will find.
func (d *disk) copied(t *testing.T) *disk {
	t.Helper()
	to := newDisk()
	for e, err := range datastore.QueryIter(t.Context(), d, query.Query{}) {
		if err == nil {
			err = to.Put(t.Context(), datastore.NewKey(e.Key), e.Value)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// around founds an overlay of count hosts, of which the first has its node over d; opts are the others'.
func around(t *testing.T, count int, d *disk, opts ...tapestry.Option) (hosts []host.Host, first *tapestry.Node, others []*tapestry.Node) {
	t.Helper()
	hosts = p2ptest.NewNet(t, p2ptest.Config{Seed: 1}).Hosts(count, tapestry.HostOptions(tapestry.DefaultMaxLinks))
	first = founder(t, hosts[0], tapestry.WithDatastore(d))
	for _, h := range hosts[1:] {
		seeds := tapestry.WithSeeds(tapestry.SeedList{*host.InfoFromHost(hosts[0])})
		others = append(others, founder(t, h, append(slices.Clone(opts), seeds)...))
	}
	time.Sleep(settle) // bubble: that of the test
	return hosts, first, others
}

func guids(count int) (all []tapestry.GUID) {
	for i := range count {
		all = append(all, tapestry.GUIDFromBytes(fmt.Appendf(nil, "kept %d", i)))
	}
	return all
}

// resumed waits until n has published again what it had.
func resumed(t *testing.T, n *tapestry.Node) (tapestry.Resume, time.Duration) {
	t.Helper()
	begin := time.Now()
	for n.Status().Resume.Left > 0 && time.Since(begin) < 10*time.Minute {
		time.Sleep(10 * time.Millisecond) // bubble: that of the test
	}
	return n.Status().Resume, time.Since(begin)
}

// A node that was killed publishes again what it had published, as a batch, and not what it had withdrawn.
func TestAKilledNodePublishesAgainWhatItHad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, all := newDisk(), guids(many+1)
		hosts, first, others := around(t, 8, d)
		if r, err := first.PublishObjects(t.Context(), app, slices.Values(all)); err != nil || r.Placed != many+1 {
			t.Fatalf("%d placed, %v", r.Placed, err)
		}
		gone := all[many]
		if err := first.UnpublishObject(t.Context(), gone, app); err != nil {
			t.Fatal(err)
		}
		after := d.copied(t)
		first.Close()
		time.Sleep(2 * time.Minute) // pointers of the former life are no more
		again := founder(t, hosts[0], tapestry.WithDatastore(after), tapestry.WithSeeds(tapestry.SeedList{*host.InfoFromHost(hosts[1])}))
		if s := again.Status().Resume; s.Left != many {
			t.Fatalf("after the start: %+v", s)
		}
		s, took := resumed(t, again)
		t.Logf("%d objects in %v, at most %d at once, %d failures", many, took, s.Most, s.Failures)
		if s.Done != many || took > 2*time.Second || s.Failures != 0 || again.Status().Published != many {
			t.Errorf("%+v, %d published", s, again.Status().Published)
		}
		for i, g := range all[:many] {
			if ids, err := replicas(t, others[i%7], g, tapestry.First()); err != nil || len(ids) != 1 || ids[0] != again.ID() {
				t.Fatalf("object %d: %v, %v", i, ids, err)
			}
		}
		if ids, err := replicas(t, others[0], gone); !errors.Is(err, tapestry.ErrNotFound) {
			t.Errorf("what was withdrawn: %v, %v", ids, err)
		}
	})
}

// A withdrawal that the roots had no time to learn of is told them by the next life.
func TestAWithdrawalOutlivesAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, g := newDisk(), guids(1)[0]
		hosts, first, others := around(t, 4, d)
		if err := first.PublishObject(t.Context(), g, app); err != nil {
			t.Fatal(err)
		}
		// Killed between what is written down and what is sent.
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := first.UnpublishObject(ctx, g, app); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if got := d.records(t); !slices.Equal(got, []string{g.Short() + " p"}) {
			t.Errorf("a withdrawal that was not begun is recorded: %v", got)
		}
		var killed *disk
		unpublished := make(chan error, 1)
		go func() { unpublished <- first.UnpublishObject(t.Context(), g, app) }()
		for killed == nil {
			synctest.Wait()
			if got := d.records(t); slices.Equal(got, []string{g.Short() + " w"}) {
				killed = d.copied(t)
			}
			time.Sleep(time.Millisecond)
		}
		if err := <-unpublished; err != nil {
			t.Fatal(err)
		}
		if got := d.records(t); len(got) != 0 {
			t.Errorf("known to all roots and still recorded: %v", got)
		}
		first.Close()
		again := founder(t, hosts[0], tapestry.WithDatastore(killed), tapestry.WithSeeds(tapestry.SeedList{*host.InfoFromHost(hosts[1])}))
		if s, _ := resumed(t, again); s.Done != 1 || again.Status().Published != 0 {
			t.Errorf("%+v, %d published", s, again.Status().Published)
		}
		if ids, err := replicas(t, others[0], g); !errors.Is(err, tapestry.ErrNotFound) {
			t.Errorf("%v, %v", ids, err)
		}
		if got := killed.records(t); len(got) != 0 {
			t.Errorf("still recorded: %v", got)
		}
	})
}

// Leaving takes back what was published, but not for good.
func TestWhoLeftPublishesAgainWhenItIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, g := newDisk(), guids(1)[0]
		hosts, first, others := around(t, 3, d)
		err := errors.Join(first.PublishObject(t.Context(), g, app), first.Leave(t.Context()))
		if err := errors.Join(err, first.Close()); err != nil {
			t.Fatal(err)
		}
		if ids, err := replicas(t, others[0], g); err == nil {
			t.Errorf("it has left and is found: %v", ids)
		}
		again := founder(t, hosts[0], tapestry.WithDatastore(d))
		var published []tapestry.GUID
		for p := range again.Published() {
			published = append(published, p)
		}
		if !slices.Equal(published, []tapestry.GUID{g}) {
			t.Errorf("published: %v", published)
		}
		resumed(t, again)
		if ids, err := replicas(t, others[1], g); err != nil || len(ids) != 1 {
			t.Errorf("%v, %v", ids, err)
		}
	})
}

func TestADiskThatIsFullFailsTheVerbAndLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, all := newDisk(), guids(2)
		hosts, first, others := around(t, 3, d)
		if err := first.PublishObject(t.Context(), all[0], app); err != nil {
			t.Fatal(err)
		}
		d.full.Store(true)
		for what, err := range map[string]error{
			"publish":   first.PublishObject(t.Context(), all[1], app),
			"unpublish": first.UnpublishObject(t.Context(), all[0], app),
		} {
			if !errors.Is(err, tapestry.ErrDatastore) || !errors.Is(err, errFull) || !strings.Contains(err.Error(), "published/objects/") {
				t.Errorf("%s: %v", what, err)
			}
		}
		r, err := first.PublishObjects(t.Context(), app, slices.Values(guids(62)[2:]))
		if !errors.Is(err, tapestry.ErrDatastore) || r.Placed != 0 || len(r.Failed) != 60 || !errors.Is(r.Failed[59].Err, errFull) {
			t.Errorf("a batch: %+v, %v", r, err)
		}
		if err := first.PublishObject(t.Context(), all[0], app); err != nil {
			t.Errorf("what is written down already needs no room: %v", err)
		}
		if s := first.Status(); s.Published != 1 {
			t.Errorf("%d published", s.Published)
		}
		if ids, err := replicas(t, others[0], all[0]); err != nil || len(ids) != 1 {
			t.Errorf("%v, %v", ids, err)
		}
		if got := d.records(t); !slices.Equal(got, []string{all[0].Short() + " p"}) {
			t.Errorf("recorded: %v", got)
		}
		first.Close()
		if _, err := tapestry.New(hosts[0], tapestry.WithDatastore(d)); !errors.Is(err, tapestry.ErrDatastore) || !errors.Is(err, errFull) {
			t.Errorf("a start that cannot be remembered: %v", err)
		}
	})
}

// What could not be published is not published by the next life either.
func TestAPublishThatFailsIsNotRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, g := newDisk(), guids(1)[0]
		h := p2ptest.NewNet(t, p2ptest.Config{Seed: 1}).Host()
		n, err := tapestry.New(h, tapestry.WithDatastore(d))
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		if err := n.PublishObject(t.Context(), g, app); !errors.Is(err, tapestry.ErrNotJoined) {
			t.Errorf("%v", err)
		}
		r, err := n.PublishObjects(t.Context(), app, slices.Values(guids(60)))
		if !errors.Is(err, tapestry.ErrNotJoined) || r.Placed != 0 || len(r.Failed) != 60 {
			t.Errorf("a batch: %+v, %v", r, err)
		}
		if got := d.records(t); len(got) != 0 {
			t.Errorf("recorded: %v", got)
		}
		if err := n.UnpublishObject(t.Context(), g, app); !errors.Is(err, tapestry.ErrNotJoined) {
			t.Errorf("%v", err)
		}
	})
}

func TestADamagedRecordIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, g := newDisk(), guids(1)[0]
		hosts, first, _ := around(t, 1, d)
		if err := errors.Join(first.PublishObject(t.Context(), g, app), first.Close()); err != nil {
			t.Fatal(err)
		}
		for e := range datastore.QueryIter(t.Context(), d, query.Query{}) {
			if strings.Contains(e.Key, "/objects/") {
				if err := d.Put(t.Context(), datastore.NewKey(e.Key), e.Value[:3]); err != nil {
					t.Fatal(err)
				}
			}
		}
		_, err := tapestry.New(hosts[0], tapestry.WithDatastore(d))
		for _, want := range []string{"datastore: ", "/tapestry/default/" + first.ID().String() + "/published/objects/" + g.String(), "3 bytes, want 5", "delete it"} {
			if !errors.Is(err, tapestry.ErrDatastore) || !strings.Contains(err.Error(), want) {
				t.Errorf("%v does not say %s", err, want)
			}
		}
	})
}

// Whoever asks for both at once gets either, but the record and the core agree.
func TestRecordAndCoreAgreeWhoeverAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, all := newDisk(), guids(40)
		_, first, _ := around(t, 3, d)
		done := make(chan struct{})
		asks := 0
		for i, g := range all {
			for turn := range 6 {
				asks++
				go func() {
					defer func() { done <- struct{}{} }()
					time.Sleep(time.Duration((turn*7+i)%5) * time.Millisecond)
					if (turn+i)%2 == 0 {
						first.PublishObject(t.Context(), g, app)
					} else {
						first.UnpublishObject(t.Context(), g, app)
					}
				}()
			}
		}
		for turn := range 5 {
			asks++
			go func() {
				defer func() { done <- struct{}{} }()
				time.Sleep(time.Duration(turn) * time.Millisecond)
				first.PublishObjects(t.Context(), app, slices.Values(all))
			}()
		}
		for range asks {
			<-done
		}
		var want []string
		for g := range first.Published() {
			want = append(want, g.Short()+" p")
		}
		slices.Sort(want)
		got := slices.DeleteFunc(d.records(t), func(r string) bool { return strings.HasSuffix(r, "w") })
		if !slices.Equal(got, want) {
			t.Errorf("recorded %v, published %v", got, want)
		}
		t.Logf("%d of %d published at the end", len(want), len(all))
	})
}
