package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"starling"
)

// A place is an empty store and the directory of a gateway at it.
type place struct {
	Options
	kind string
}

// eachStore runs a test against both databases. It is the conformance suite of
// the engines: every promise of the Ledger that a store takes part in is tested
// through it.
func eachStore(t *testing.T, test func(t *testing.T, p place)) {
	t.Run("sqlite", func(t *testing.T) {
		test(t, place{kind: "sqlite", Options: Options{Dir: t.TempDir(), Log: quiet()}})
	})
	t.Run("postgres", func(t *testing.T) {
		test(t, place{kind: "postgres", Options: Options{Dir: t.TempDir(), URL: emptyPostgres(t), Log: quiet()}})
	})
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

var schemas atomic.Int64

// emptyPostgres returns the URL of a schema of the test's own.
func emptyPostgres(t testing.TB) string {
	t.Helper()
	server := os.Getenv("STARLING_TEST_POSTGRES")
	if server == "" {
		t.Skip("STARLING_TEST_POSTGRES holds no URL of a Postgres to test with")
	}
	db, err := sql.Open("pgx", server)
	must(t, err)
	name := fmt.Sprintf("starling_test_%d_%d", os.Getpid(), schemas.Add(1))
	_, err = db.Exec("CREATE SCHEMA " + name)
	must(t, err)
	t.Cleanup(func() {
		_, err := db.Exec("DROP SCHEMA " + name + " CASCADE")
		db.Close()
		must(t, err)
	})
	u, err := url.Parse(server)
	must(t, err)
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String()
}

// open opens the place; the test closes it, at its end at the latest.
func (p place) open(t testing.TB, budgets ...Budget) *Ledger {
	t.Helper()
	o := p.Options
	o.Budgets = budgets
	l, err := Open(context.Background(), o)
	must(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// beside returns another gateway's place at the same store.
func (p place) beside(t testing.TB) place {
	p.Dir = t.TempDir()
	return p
}

// crash leaves the directory as kill -9 would: what the store does not have yet
// it never hears of, and the journal stays.
func (l *Ledger) crash(t testing.TB) {
	t.Helper()
	l.journal.mu.Lock()
	l.journal.file = broken{l.journal.file}
	l.journal.open["one that keeps the file"] = hold{}
	l.journal.mu.Unlock()
	l.store.db.Close()
	l.Close()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantKind(t testing.TB, err error, want starling.Kind) {
	t.Helper()
	if got := starling.KindOf(err); got != want {
		t.Fatalf("got an error of kind %q (%v), want %q", got, err, want)
	}
}

const canary = "canary-7f3a-prompt-text"

var (
	ada   = starling.Caller{Key: "key_ada", Name: "Ada", Team: "sales"}
	bob   = starling.Caller{Key: "key_bob", Name: "Bob", Team: "sales"}
	clerk = starling.Caller{}
)

func model(provider string, input, output starling.Rate) starling.Model {
	return starling.Model{Provider: provider, Name: "model-of-some-length", Dialect: starling.OpenAI, Zone: starling.Cloud,
		Price: starling.Price{Rates: starling.Rates{Input: input, Output: output}, Source: "https://example.com/prices", AsOf: "2026-11-01"}, Context: 200_000, MaxOutput: 32_000}
}

// exchange returns a finished exchange of one attempt that cost an amount.
func exchange(a *Account, cost starling.Money) *starling.Exchange {
	cheap, dear := model("cheap", 100_000_000, 400_000_000), model("dear", 3_000_000_000, 15_000_000_000)
	usage := starling.Usage{Input: 1200, Output: 300}
	return &starling.Exchange{
		ID: a.ID(), Started: a.Began(),
		Request: starling.Request{Dialect: starling.OpenAI, Body: []byte(`{"model":"auto","messages":[{"role":"user","content":"` + canary + `"}]}`), Model: "auto", Stream: true},
		Screen:  starling.Screen{Class: "internal", Furthest: starling.Cloud, From: []string{"key internal"}},
		Plan: starling.Plan{Rule: "cheapest that is good enough", Rubric: strings.Repeat("ab", 32), Reference: &dear, Limit: starling.Dollar,
			Candidates: []starling.Candidate{
				{Model: cheap, Verify: []string{"schema"}, Probability: 0.93, Basis: "240 cases", Expected: 240_000, Worst: 900_000, Why: "cheapest with evidence"},
				{Model: dear, Probability: 0.99, Basis: "reference", Expected: 8_100_000, Worst: 40_000_000, Why: "the reference"},
			}},
		Attempts: []starling.Attempt{{
			Model: cheap.ID(), Zone: starling.Cloud, Offset: time.Millisecond, FirstByte: 200 * time.Millisecond, Took: time.Second, Outcome: starling.Answered,
			Verdicts: []starling.Verdict{{Verifier: "schema", Accept: true}}, Finish: starling.Stopped, Usage: usage,
			Lines: []starling.CostLine{{What: "input", Tokens: 1200, Rate: 100_000_000, Amount: 120_000}, {What: "output", Tokens: 300, Rate: 400_000_000, Amount: 120_000}},
			Cost:  cost, Upstream: "chatcmpl-0123456789abcdef", Said: "model-of-some-length-2026-10-01",
		}},
		Response: starling.Response{Model: cheap.ID(), Provider: "cheap", Zone: starling.Cloud, Reason: "cheapest that passed schema", Finish: starling.Stopped, Cost: cost},
		Waited:   time.Second,
	}
}

// run takes one exchange through the ledger.
func run(t testing.TB, l *Ledger, c starling.Caller, worst, cost starling.Money) *starling.Receipt {
	t.Helper()
	a := l.Begin(c, "")
	must(t, a.Reserve(context.Background(), worst))
	a.Spend(cost)
	r, err := a.Settle(exchange(a, cost))
	must(t, err)
	return r
}

// verified fails the test unless the books are in order, and returns the report.
func verified(t testing.TB, r *Records) *Report {
	t.Helper()
	report, err := r.Verify(context.Background(), Audit{})
	must(t, err)
	if !report.OK() {
		t.Fatalf("the books are not in order: %+v", report.Faults)
	}
	return report
}

// broken is a segment that a dead process cannot write any more.
type broken struct{ segment }

func (b broken) Write([]byte) (int, error) { return 0, os.ErrClosed }

func journals(t testing.TB, dir string) []string {
	t.Helper()
	files, err := filesLike(dir, journalGlob)
	must(t, err)
	return files
}
