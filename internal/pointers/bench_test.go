package pointers_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/mono"
	"github.com/tapestry-dolr/tapestry/internal/pointers"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// benched is how many pointers of a thousand servers lie in the benchmarks' store, and go on to one of a few dozen nodes.
const benched = 100_000

func benchPut(i int) put {
	d := long(fmt.Sprint(i), fmt.Sprint(i*7%1000))
	d.app, d.from, d.roots, d.salt = "files", fmt.Sprint("from", i%30), 4, i%4
	return d
}

func BenchmarkLive(b *testing.B) {
	s := pointers.New(idspace.ID{}, pointers.Limits{})
	keys := make([]pointers.Key, benched)
	for i := range keys {
		for r := range 2 {
			p := long(fmt.Sprint(i), fmt.Sprint(i*7%1000+r))
			keys[i] = p.key()
			s.Put(p.deposit(b, s), 0)
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if len(s.Live(keys[i*7919%len(keys)], 1, 4)) == 0 {
			b.Fatal("nothing found")
		}
	}
}

// BenchmarkPut renews what is held; BenchmarkPutNew takes in what is not, and lays it onward.
func BenchmarkPut(b *testing.B) {
	s := pointers.New(idspace.ID{}, pointers.Limits{})
	deposits := make([]pointers.Deposit, benched)
	for i := range deposits {
		deposits[i] = benchPut(i).deposit(b, s)
		s.Put(deposits[i], 0)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		d := deposits[i%len(deposits)]
		d.Record.Counter++
		if s.Put(d, mono.Time(i)).Kind != pointers.Renewed {
			b.Fatal("not renewed")
		}
	}
}

func BenchmarkPutNew(b *testing.B) {
	deposits := make([]pointers.Deposit, benched)
	servers := pointers.New(idspace.ID{}, pointers.Limits{}) // it keeps nothing: each deposit has a server of its own
	for i := range deposits {
		deposits[i] = benchPut(i).deposit(b, servers)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; done += benched {
		b.StopTimer()
		s := pointers.New(idspace.ID{}, pointers.Limits{})
		runtime.GC()
		before := heap()
		b.StartTimer()
		for i := range min(benched, b.N-done) {
			d := deposits[i]
			if known := s.Server(wire.ServerRefTo(d.Server.ID)); known != nil {
				d.Server = known
			}
			p := s.Put(d, 0).Pointer
			s.Lay(p, named30[i%30], wire.Copy_COPY_PATH, d.Salt, d.Roots)
		}
		b.StopTimer()
		if s.Len() == benched {
			runtime.GC()
			b.ReportMetric(float64(heap()-before)/benched, "heap-B/pointer")
		}
		runtime.KeepAlive(s)
		runtime.KeepAlive(deposits)
		b.StartTimer()
	}
}

// named30 is to whom pointers go on.
var named30 = func() (ids [30]idspace.ID) {
	for i := range ids {
		ids[i] = named(fmt.Sprint("to", i))
	}
	return ids
}()

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkExpire has the branches of one server after another run out.
func BenchmarkExpire(b *testing.B) {
	b.ReportAllocs()
	for done := 0; done < b.N; done += benched {
		b.StopTimer()
		s := pointers.New(idspace.ID{}, pointers.Limits{})
		for i := range min(benched, b.N-done) {
			d := benchPut(i)
			d.until = mono.Time(time.Duration(1+i*7%1000) * time.Second)
			s.Put(d.deposit(b, s), 0)
		}
		b.StartTimer()
		for at, ok := s.NextExpiry(); ok; at, ok = s.NextExpiry() {
			s.Expire(at, 256)
		}
	}
}

// BenchmarkHeap says how many bytes of heap a pointer takes that came in a lot of so many, on one path and not passed on.
func BenchmarkHeap(b *testing.B) {
	for _, size := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			const all = 200_000
			for b.Loop() {
				runtime.GC()
				before := heap()
				s := pointers.New(named("me"), pointers.Limits{PerServer: 2 * all, PerNode: 2 * all, Bytes: 1 << 40})
				for n := range all / size {
					putBatch(b, s, n, size)
				}
				runtime.GC()
				b.ReportMetric(float64(heap()-before)/all, "B/pointer")
				runtime.KeepAlive(s)
			}
		})
	}
}
