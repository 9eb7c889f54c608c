//go:build unix

package ledger

import (
	"context"
	"syscall"
	"testing"
	"time"

	"starling"
)

// cpu is what this process has used of all processors.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkExchange takes whole exchanges through SQLite, storing included.
func BenchmarkExchange(b *testing.B) {
	for _, v := range []struct {
		name string
		opts Options
	}{{"sqlite", Options{}}, {"postgres", Options{URL: "postgres"}}} {
		b.Run(v.name, func(b *testing.B) {
			o := v.opts
			o.Dir, o.Log = b.TempDir(), quiet()
			if o.URL != "" {
				o.URL = emptyPostgres(b)
			}
			benchmark(b, o)
		})
	}
}

func benchmark(b *testing.B, o Options) {
	o.Budgets = []Budget{{Scope: ForTeam, Name: "sales", Limit: highest, Per: PerMonth}}
	l, err := Open(context.Background(), o)
	must(b, err)
	defer l.Close()
	b.ReportAllocs()
	before := cpu(b)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			a := l.Begin(ada, "")
			if err := a.Reserve(context.Background(), 900_000); err != nil {
				b.Error(err)
			}
			a.Spend(240_000)
			if _, err := a.Settle(exchange(a, 240_000)); err != nil {
				b.Error(err)
			}
		}
	})
	must(b, l.Flush(context.Background()))
	b.StopTimer()
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "µs-cpu/op")
}

// BenchmarkReserve is what a request waits for before it is sent.
func BenchmarkReserve(b *testing.B) {
	l, err := Open(context.Background(), Options{Dir: b.TempDir(), Log: quiet(), Budgets: []Budget{{Scope: ForAll, Limit: highest, Per: PerDay}}})
	must(b, err)
	defer l.Close()
	a, amount := l.Begin(ada, ""), starling.Money(1000)
	b.ReportAllocs()
	for b.Loop() {
		if err := a.Reserve(context.Background(), amount); err != nil {
			b.Fatal(err)
		}
		amount ^= 1 // what is there already is not written again
	}
}

// BenchmarkReceipt is the making and encoding of a receipt.
func BenchmarkReceipt(b *testing.B) {
	l, err := Open(context.Background(), Options{Dir: b.TempDir(), Log: quiet()})
	must(b, err)
	defer l.Close()
	a := l.Begin(ada, "")
	ex := exchange(a, 240_000)
	b.ReportAllocs()
	var size int
	for b.Loop() {
		size = len(newEntry(a.receiptOf(ex)).payload)
	}
	b.ReportMetric(float64(size), "bytes")
}
