package ledger

import (
	"context"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"starling"
)

// eachShared runs a test against the stores that gateways share.
func eachShared(t *testing.T, test func(t *testing.T, p place)) {
	eachStore(t, func(t *testing.T, p place) {
		if p.URL == "" {
			t.Skip("SQLite has one gateway")
		}
		test(t, p)
	})
}

// still stops a ledger's upkeep, so that it looks for the dead, and for keys that others
// made, only when the test says so.
func still(l *Ledger) *Ledger {
	l.stopKeeper()
	<-l.kept
	return l
}

// payPart has a part of the whole cost an amount, and waits until that is stored.
func payPart(t *testing.T, whole *Account, amount starling.Money) {
	t.Helper()
	part, err := whole.Part()
	must(t, err)
	must(t, part.Reserve(context.Background(), amount))
	part.Spend(amount)
	_, err = part.Settle(costing(amount))
	must(t, err)
	must(t, whole.ledger.Flush(context.Background()))
}

// find has another gateway find the whole's silent, and returns what it will write off.
func find(t *testing.T, other *Ledger, whole *Account) []*entry {
	t.Helper()
	silent(t, whole.ledger)
	gone, err := other.store.engine.beat(context.Background(), other.chain.number)
	must(t, err)
	if len(gone) != 1 || gone[0].ID != whole.ID() {
		t.Fatalf("%+v is written off", gone)
	}
	return []*entry{gone[0].writtenOff()}
}

// TestAPartIsPaidOnceInWhateverOrderItAndAWriteOffAreStored has another gateway write off
// a whole of 100 at each place between its parts of 30.
func TestAPartIsPaidOnceInWhateverOrderItAndAWriteOffAreStored(t *testing.T) {
	eachShared(t, func(t *testing.T, p place) {
		ctx, cap := context.Background(), Budget{Scope: ForAll, Limit: 1000, Per: InTotal}
		own, other := still(p.open(t, cap)), still(p.beside(t).open(t, cap))
		var total starling.Money
		var receipts int64
		for _, c := range []struct {
			steps string // p: a part settles and is stored; f: the whole is found; w: its write-off is stored
			kept  int64  // parts that have a receipt in the end
		}{
			{"pfw", 1}, {"fpw", 1}, {"fwp", 0}, {"pfpwp", 2}, {"pfppw", 3},
		} {
			whole := own.Begin(ada, "")
			must(t, whole.Reserve(ctx, 100))
			total, receipts = total+100, receipts+1+c.kept
			var off []*entry
			for i, step := range c.steps {
				switch step {
				case 'p':
					payPart(t, whole, 30)
				case 'f':
					off = find(t, other, whole)
				case 'w':
					other.journal.enqueue(off)
					must(t, other.Flush(ctx))
				}
				if s, err := other.Standing(ctx); err != nil || s[0].Spent+s[0].Held != total {
					t.Fatalf("%s, after step %d: %+v, %v; want %s", c.steps, i, s, err, total)
				}
			}
			_, err := whole.Settle(costing(0)) // it was not dead, only silent
			must(t, err)
			must(t, own.Flush(ctx))
			if s, err := other.Standing(ctx); err != nil || s[0].Spent != total || s[0].Held != 0 {
				t.Fatalf("%s: %+v, %v; want %s", c.steps, s, err, total)
			}
			if report := verified(t, other.Records); report.Receipts != receipts {
				t.Fatalf("%s: %d receipts, want %d", c.steps, report.Receipts, receipts)
			}
		}
	})
}

// perWhole is what each whole of a reading gateway reserves, and costs with its parts: so
// what is spent and held is at every moment a multiple of it.
const perWhole starling.Money = 1000

const readerKills = 8

// readAll takes wholes through the ledger until it is killed, each with parts at once.
func readAll(l *Ledger) {
	for {
		whole := l.Begin(ada, "")
		if whole.Reserve(context.Background(), perWhole) != nil {
			continue
		}
		var parts sync.WaitGroup
		for range 2 {
			parts.Go(func() {
				for range 3 {
					part, err := whole.Part()
					if err != nil || part.Reserve(context.Background(), 100) != nil {
						panic("no part, or no room for it")
					}
					part.Spend(starling.Money(rand.Int64N(100)))
					part.Settle(costing(part.spent))
				}
			})
		}
		parts.Wait()
		rest := perWhole - whole.cost
		whole.Spend(rest)
		whole.Settle(costing(rest))
	}
}

// TestKilledAtAnyMomentPartsAndWholesAreCountedOnceForEveryReader kills a gateway that
// reads in parts, again and again, while another reads the sums and, now and then, takes
// it for dead, be it so or not.
func TestKilledAtAnyMomentPartsAndWholesAreCountedOnceForEveryReader(t *testing.T) {
	eachShared(t, func(t *testing.T, p place) {
		other := p.beside(t).open(t, killCap)
		looked := 0
		for round := range readerKills {
			kill := startReading(t, p)
			until := time.Now().Add(time.Duration(50+rand.Int64N(100)) * time.Millisecond)
			for i := 0; time.Now().Before(until) || i < 10; i++ {
				if round%2 == 1 && i%5 == 0 {
					_, err := other.store.db.Exec("UPDATE chains SET seen = now() - interval '3 minutes' WHERE number <> $1", other.chain.number)
					must(t, err)
					must(t, other.beat(context.Background()))
				}
				s, err := other.Standing(context.Background())
				must(t, err)
				if sum := s[0].Spent + s[0].Held; sum%perWhole != 0 {
					t.Fatalf("spent %d and held %d of wholes of %d", s[0].Spent, s[0].Held, perWhole)
				}
				looked++
			}
			kill()
		}
		l := p.open(t, killCap)
		l.settledDown(t)
		s := other.settledDown(t)
		if s[0].Spent == 0 || s[0].Spent%perWhole != 0 || s[0].Held != 0 {
			t.Fatalf("spent %d and held %d of wholes of %d", s[0].Spent, s[0].Held, perWhole)
		}
		report := verified(t, other.Records)
		t.Logf("%d kills, %d looks, %d receipts, spent %s", readerKills, looked, report.Receipts, s[0].Spent)
	})
}

// startReading starts a gateway that reads, and returns how it is killed.
func startReading(t *testing.T, p place) (kill func()) {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childDir+"="+p.Dir, childDir+"_URL="+p.URL, childDir+"_READS=1")
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line := make([]byte, len("open\n"))
	if _, err := io.ReadFull(out, line); err != nil || string(line) != "open\n" {
		t.Errorf("the child says %q, %v", line, err)
	}
	kill = sync.OnceFunc(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	t.Cleanup(kill)
	return kill
}
