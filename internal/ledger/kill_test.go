package ledger

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"starling"
)

// childDir names the variable that turns the test binary into a gateway that
// will be killed.
const childDir = "STARLING_LEDGER_CHILD"

var killCap = Budget{Scope: ForAll, Limit: starling.Dollar, Per: InTotal}

// child takes exchanges through the ledger until it is killed or the cap is
// reached, and prints the id of each receipt that it was promised.
func child() {
	l, err := Open(context.Background(), Options{Dir: os.Getenv(childDir), URL: os.Getenv(childDir + "_URL"), Log: quiet(), Budgets: []Budget{killCap}})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("open")
	work := spendAll
	if os.Getenv(childDir+"_READS") != "" {
		work = readAll
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() { work(l) })
	}
	all.Wait()
	select {}
}

func spendAll(l *Ledger) {
	for i := 0; ; i++ {
		a := l.Begin(ada, "")
		if err := a.Reserve(context.Background(), 900_000); err != nil {
			fmt.Println("refused", starling.KindOf(err))
			return
		}
		if part, err := a.Part(); i%4 == 1 && err == nil && part.Reserve(context.Background(), 200_000) == nil {
			part.Spend(50_000)
			if r, err := part.Settle(&starling.Exchange{Attempts: []starling.Attempt{{Outcome: starling.Answered, Cost: part.spent}}}); err == nil {
				fmt.Println("settled", r.ID)
			}
		}
		a.Spend(100_000)
		if i%3 == 0 && a.Reserve(context.Background(), 500_000) == nil {
			a.Spend(100_000)
		}
		if r, err := a.Settle(&starling.Exchange{Attempts: []starling.Attempt{{Outcome: starling.Answered, Cost: a.spent}}}); err == nil {
			fmt.Println("settled", r.ID)
		}
	}
}

// TestKilledAtAnyMomentNothingPromisedIsLostAndTheCapHolds kills a gateway again
// and again, each time at another moment, over the same books.
func TestKilledAtAnyMomentNothingPromisedIsLostAndTheCapHolds(t *testing.T) {
	const kills = 20
	eachStore(t, func(t *testing.T, p place) {
		settled := map[string]bool{}
		for range kills {
			killOne(t, p, settled)
		}
		l := p.open(t, killCap)
		standing := l.settledDown(t)
		if s := standing[0]; s.Spent > killCap.Limit || s.Held != 0 {
			t.Fatalf("spent %s and holding %s of %s", s.Spent, s.Held, s.Limit)
		}
		report := verified(t, l.Records)
		for id := range settled {
			s, err := l.Receipt(context.Background(), id)
			must(t, err)
			if r, err := s.Receipt(); err != nil || r.Outcome == starling.Interrupted {
				t.Fatalf("the settled %s became %+v, %v", id, r, err)
			}
		}
		if len(settled) == 0 || report.Receipts < int64(len(settled)) {
			t.Fatalf("%d receipts, %d were promised", report.Receipts, len(settled))
		}
		t.Logf("%d kills, %d promised, %d receipts, spent %s of %s", kills, len(settled), report.Receipts, standing[0].Spent, killCap.Limit)
	})
}

// settledDown beats until nothing is held any more, or gives up: a server may finish what
// a dead gateway had asked of it after the first beat, and the next ones write it off.
func (l *Ledger) settledDown(t *testing.T) []Standing {
	t.Helper()
	for try := 0; ; try++ {
		must(t, l.beat(context.Background()))
		must(t, l.Flush(context.Background()))
		standing, err := l.Standing(context.Background())
		must(t, err)
		if standing[0].Held == 0 || try == 3600 {
			return standing
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// busy is how long a gateway takes to be in the middle of everything.
func (p place) busy() time.Duration {
	if p.URL != "" {
		return 100 * time.Millisecond
	}
	return 30 * time.Millisecond
}

func killOne(t *testing.T, p place, settled map[string]bool) {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childDir+"="+p.Dir, childDir+"_URL="+p.URL)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	var after *time.Timer
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "open":
			after = time.AfterFunc(time.Duration(rand.Int64N(int64(p.busy()))), func() { cmd.Process.Kill() })
		case "settled":
			settled[rest] = true
		case "refused":
			if rest != string(starling.OverBudget) {
				t.Errorf("refused: %s", rest)
			}
		default:
			t.Errorf("the child says %q", lines.Text())
		}
	}
	if after != nil {
		after.Stop()
	}
	cmd.Process.Kill()
	cmd.Wait()
}
