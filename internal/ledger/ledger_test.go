package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"go.uber.org/goleak"

	"starling"
)

func TestMain(m *testing.M) {
	if os.Getenv(childDir) != "" {
		child()
		return
	}
	goleak.VerifyTestMain(m)
}

func TestAReceiptIsStoredWithItsProof(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		l := p.open(t)
		for range 3 {
			r := run(t, l, ada, 1000, 400)
			s, err := l.Receipt(context.Background(), r.ID)
			must(t, err)
			must(t, s.Check())
			back, err := s.Receipt()
			must(t, err)
			if back.ID != r.ID || back.Cost != 400 || back.Key != ada.Key || back.Outcome != starling.Answered {
				t.Fatalf("got %+v", back)
			}
			s.Payload = bytes.Replace(s.Payload, []byte(`:400`), []byte(`:401`), 1)
			if s.Check() == nil {
				t.Fatal("a changed receipt passes its check")
			}
		}
		if report := verified(t, l.Records); report.Receipts != 3 || report.Checkpoints != 3 {
			t.Fatalf("got %+v, want three receipts, each with its own signature", report)
		}
		_, err := l.Receipt(context.Background(), "rcp_none")
		wantKind(t, err, starling.NotFound)
	})
}

func TestAThousandAtOnceSpendNoMoreThanTheCap(t *testing.T) {
	const worst, cost = 3 * starling.Dollar / 1000, 2 * starling.Dollar / 1000
	eachStore(t, func(t *testing.T, p place) {
		cap := Budget{Scope: ForTeam, Name: "sales", Limit: starling.Dollar, Per: InTotal}
		gateways := []*Ledger{p.open(t, cap)}
		if p.URL != "" {
			gateways = append(gateways, p.beside(t).open(t, cap))
		}
		var all sync.WaitGroup
		for i := range 1000 {
			all.Go(func() {
				l := gateways[i%len(gateways)]
				a := l.Begin(ada, "")
				switch err := a.Reserve(context.Background(), worst); {
				case err == nil:
					a.Spend(cost)
					_, err := a.Settle(exchange(a, cost))
					if err != nil {
						t.Error(err)
					}
				case starling.KindOf(err) != starling.OverBudget:
					t.Error(err)
				}
			})
		}
		all.Wait()
		for _, l := range gateways {
			must(t, l.Flush(context.Background()))
		}
		standing, err := gateways[0].Standing(context.Background())
		must(t, err)
		if s := standing[0]; s.Spent > starling.Dollar || s.Spent < starling.Dollar/4 || s.Held != 0 {
			t.Fatalf("spent %s and holding %s of $1.00", s.Spent, s.Held)
		}
		verified(t, gateways[0].Records)
	})
}

func TestAReservationFitsUnderEveryCapOrChangesNone(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		l := p.open(t,
			Budget{Scope: ForAll, Limit: 1000, Per: PerMonth},
			Budget{Scope: ForTeam, Name: "sales", Limit: 500, Per: PerDay},
			Budget{Scope: ForSkill, Name: "triage", Limit: 100, Per: InTotal})
		ctx := context.Background()
		held := func() (out []starling.Money) {
			standing, err := l.Standing(ctx)
			must(t, err)
			for _, s := range standing {
				out = append(out, s.Held)
			}
			return out
		}
		a, b, c := l.Begin(ada, "triage"), l.Begin(ada, ""), l.Begin(clerk, "")
		must(t, a.Reserve(ctx, 90))
		must(t, b.Reserve(ctx, 410))
		for _, step := range []struct {
			name string
			err  error
			want starling.Kind
		}{
			{"the skill is full", l.Begin(bob, "triage").Reserve(ctx, 11), starling.OverBudget},
			{"the team is full", l.Begin(bob, "").Reserve(ctx, 1), starling.OverBudget},
			{"nothing more still fits", b.Reserve(ctx, 410), ""},
			{"nobody's team has room", c.Reserve(ctx, 500), ""},
			{"all is full", l.Begin(clerk, "").Reserve(ctx, 1), starling.OverBudget},
			{"what is free may run", l.Begin(clerk, "").Reserve(ctx, 0), ""},
		} {
			if got := starling.KindOf(step.err); got != step.want {
				t.Errorf("%s: got %v, want %q", step.name, step.err, step.want)
			}
		}
		if got := held(); got[0] != 1000 || got[1] != 90 || got[2] != 500 {
			t.Fatalf("held %v after refusals, want what was granted", got)
		}
		a.Spend(10)
		_, err := a.Settle(exchange(a, 10))
		must(t, err)
		must(t, l.Begin(bob, "triage").Reserve(ctx, 80))
	})
}

func TestARefusalNamesTheCap(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		l := p.open(t, Budget{Scope: ForTeam, Name: "sales", Limit: 10 * starling.Dollar, Per: PerMonth})
		run(t, l, ada, 9*starling.Dollar, 9*starling.Dollar)
		must(t, l.Begin(bob, "").Reserve(context.Background(), starling.Dollar/2))
		err := l.Begin(ada, "").Reserve(context.Background(), starling.Dollar)
		want := "budget of team sales per month: cap $10.00, spent $9.00, held $0.50, asked $1.00"
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Fatalf("got %v, want %s", err, want)
		}
	})
}

func TestANewCapCountsWhatWasSpentBeforeIt(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		l := p.open(t)
		ctx := context.Background()
		run(t, l, ada, 60, 60)
		must(t, l.Flush(ctx))
		must(t, l.Cap([]Budget{{Scope: ForTeam, Name: "sales", Limit: 100, Per: PerDay}}))
		wantKind(t, l.Begin(ada, "").Reserve(ctx, 41), starling.OverBudget)
		must(t, l.Begin(ada, "").Reserve(ctx, 40))
		wantKind(t, l.Cap([]Budget{{Scope: "moon", Limit: 1, Per: PerDay}}), starling.Invalid)
		wantKind(t, l.Begin(ada, "").Reserve(ctx, 1), starling.OverBudget) // the old cap is still there
		must(t, l.Cap(nil))
		must(t, l.Begin(ada, "").Reserve(ctx, 1000))
	})
}

func TestWhatNothingBoundsIsRefusedInWordsRatherThanInAnAmount(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		l := p.open(t, Budget{Scope: ForAll, Limit: 100, Per: InTotal})
		err := l.Begin(ada, "").Reserve(context.Background(), math.MaxInt64)
		wantKind(t, err, starling.OverBudget)
		if said := err.Error(); !strings.Contains(said, "asked what nothing bounds") || !strings.Contains(said, "web_search") || strings.Contains(said, "9223372036") {
			t.Error(said)
		}
		must(t, l.Begin(ada, "").Reserve(context.Background(), 100)) // nothing of it is held
	})
}

func TestTheNextCallIsReservedOnTopOfWhatWasSpent(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		l := p.open(t, Budget{Scope: ForAll, Limit: 100, Per: InTotal})
		ctx := context.Background()
		a := l.Begin(ada, "")
		must(t, a.Reserve(ctx, 60))
		a.Spend(50)
		wantKind(t, a.Reserve(ctx, 51), starling.OverBudget)
		wantKind(t, l.Begin(bob, "").Reserve(ctx, 41), starling.OverBudget) // 60 are held until that is written down
		must(t, a.Reserve(ctx, 5))
		must(t, l.Begin(bob, "").Reserve(ctx, 45))
		a.Spend(5)
		r, err := a.Settle(&starling.Exchange{Attempts: []starling.Attempt{{Cost: 50}, {Cost: 5}}})
		must(t, err)
		if r.Cost != 55 {
			t.Fatalf("cost %v, want 55", r.Cost)
		}
		again, err := a.Settle(&starling.Exchange{})
		must(t, err)
		if again != r {
			t.Fatal("the second Settle made another receipt")
		}
		wantKind(t, a.Reserve(ctx, 1), starling.Internal)
		verified(t, l.Records)
	})
}

func TestACallThatCostsMoreThanItsWorstIsBookedInFull(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		l := p.open(t, Budget{Scope: ForAll, Limit: 100, Per: InTotal})
		if r := run(t, l, ada, 80, 130); r.Cost != 130 {
			t.Fatalf("cost %v", r.Cost)
		}
		wantKind(t, l.Begin(ada, "").Reserve(context.Background(), 1), starling.OverBudget)
		standing, err := l.Standing(context.Background())
		must(t, err)
		if standing[0].Spent != 130 || standing[0].Held != 0 {
			t.Fatalf("got %+v", standing[0])
		}
		verified(t, l.Records)
	})
}

func TestAbsurdWorstCasesDoNotOverflow(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		l := p.open(t, Budget{Scope: ForTeam, Name: "sales", Limit: highest, Per: InTotal})
		for range 20 { // without a cap nothing stops them
			must(t, l.Begin(clerk, "").Reserve(context.Background(), 1<<63-1))
		}
		wantKind(t, l.Begin(ada, "").Reserve(context.Background(), 1<<63-1), starling.OverBudget)
		must(t, l.Begin(ada, "").Reserve(context.Background(), 1000))
		r := run(t, l, clerk, 0, 1<<63-1)
		must(t, l.Flush(context.Background()))
		if r.Cost != 1<<63-1 {
			t.Fatalf("cost %v", r.Cost)
		}
		verified(t, l.Records)
	})
}

func TestWhatWasOpenWhenTheProcessDiedIsBookedAtItsWorst(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		cap := Budget{Scope: ForAll, Limit: 1000, Per: InTotal}
		l := p.open(t, cap)
		ctx := context.Background()
		first := run(t, l, ada, 100, 40)
		must(t, l.Flush(ctx))
		second := run(t, l, ada, 100, 50)
		open := l.Begin(bob, "triage")
		must(t, open.Reserve(ctx, 200))
		open.Spend(30)
		must(t, open.Reserve(ctx, 300))
		l.crash(t)

		l = p.open(t, cap)
		for _, id := range []string{first.ID, second.ID} {
			_, err := l.Receipt(ctx, id)
			must(t, err)
		}
		s, err := l.Receipt(ctx, open.ID())
		must(t, err)
		r, err := s.Receipt()
		must(t, err)
		if r.Outcome != starling.Interrupted || r.Cost != 330 || r.Key != bob.Key || r.Plan.Skill != "triage" || !r.Time.Equal(open.Began()) {
			t.Fatalf("got %+v", r)
		}
		standing, err := l.Standing(ctx)
		must(t, err)
		if standing[0].Spent != 40+50+330 || standing[0].Held != 0 {
			t.Fatalf("got %+v", standing[0])
		}
		verified(t, l.Records)
		must(t, l.Close())
		if left := journals(t, p.Dir); len(left) != 0 {
			t.Fatalf("a drained journal stays: %v", left)
		}
	})
}

func TestOpeningTwiceAfterACrashBooksOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		l := p.open(t)
		run(t, l, ada, 10, 5)
		must(t, l.Begin(ada, "").Reserve(context.Background(), 7))
		files := map[string][]byte{}
		for _, path := range journals(t, p.Dir) {
			data, err := os.ReadFile(path)
			must(t, err)
			files[path] = data
		}
		must(t, l.Close())
		for range 2 { // as if the process had died before it could remove the journal
			for path, data := range files {
				must(t, os.WriteFile(path, data, 0o600))
			}
			l = p.open(t)
			if report := verified(t, l.Records); report.Receipts != 2 {
				t.Fatalf("%d receipts, want 2", report.Receipts)
			}
			must(t, l.Close())
		}
	})
}

func TestTwoProcessesCannotShareADirectory(t *testing.T) {
	p := place{Options: Options{Dir: t.TempDir(), Log: quiet()}}
	l := p.open(t)
	_, err := Open(context.Background(), p.Options)
	wantKind(t, err, starling.Overloaded)
	if !strings.Contains(err.Error(), "stop the other starling") {
		t.Fatalf("no hint in %v", err)
	}
	must(t, l.Close())
	p.open(t)
}

func TestNothingOfAQuestionAndNoKeyIsKept(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		l := p.open(t)
		secret, k, err := l.CreateKey(context.Background(), KeySpec{Name: "ada", Team: "sales"})
		must(t, err)
		caller, err := l.Lookup(context.Background(), secret)
		must(t, err)
		a := l.Begin(caller, "")
		must(t, a.Reserve(context.Background(), 10))
		a.AnswerDigest().Write([]byte(canary))
		_, err = a.Settle(exchange(a, 5))
		must(t, err)
		must(t, l.Flush(context.Background()))
		if r, err := l.Receipt(context.Background(), a.ID()); err != nil || !bytes.Contains(r.Payload, []byte(k.ID)) || bytes.Contains(r.Payload, []byte(canary)) {
			t.Fatalf("the receipt: %v %s", err, r.Payload)
		}
		must(t, filepath.WalkDir(p.Dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, word := range []string{canary, secret, secret[len(secretPrefix):]} {
				if bytes.Contains(data, []byte(word)) {
					t.Errorf("%s holds %q", filepath.Base(path), word)
				}
			}
			info, err := d.Info()
			if err == nil && info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s can be read by others: %v", filepath.Base(path), info.Mode())
			}
			return err
		}))
	})
}

func TestMACsTellTheSameQuestionFromAnother(t *testing.T) {
	p := place{Options: Options{Dir: t.TempDir(), Log: quiet()}}
	l := p.open(t)
	settle := func(body, answer string) *starling.Receipt {
		a := l.Begin(ada, "")
		a.AnswerDigest().Write([]byte(answer))
		r, err := a.Settle(&starling.Exchange{Request: starling.Request{Body: []byte(body)}})
		must(t, err)
		return r
	}
	a, b, c := settle("q", "yes"), settle("q", "no"), settle("p", "yes")
	if a.RequestMAC != b.RequestMAC || a.RequestMAC == c.RequestMAC || a.AnswerMAC != c.AnswerMAC || a.AnswerMAC == b.AnswerMAC || len(a.AnswerMAC) != 64 {
		t.Fatalf("%+v %+v %+v", a, b, c)
	}
	other := place{Options: Options{Dir: t.TempDir(), Log: quiet()}}.open(t)
	d := other.Begin(ada, "")
	r, err := d.Settle(&starling.Exchange{Request: starling.Request{Body: []byte("q")}})
	must(t, err)
	if r.RequestMAC == a.RequestMAC {
		t.Fatal("another ledger makes the same MAC: whoever copies the books can guess prompts")
	}
}

func TestSettleOutlivesTheRequest(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		l := p.open(t, Budget{Scope: ForAll, Limit: 100, Per: InTotal})
		ctx, cancel := context.WithCancel(context.Background())
		a := l.Begin(ada, "")
		must(t, a.Reserve(ctx, 10))
		cancel()
		a.Spend(10)
		r, err := a.Settle(&starling.Exchange{Err: &starling.Error{Kind: starling.Cancelled, Op: "answer", Err: ctx.Err()}, Attempts: []starling.Attempt{{Cost: 10, Outcome: starling.Abandoned}}})
		must(t, err)
		if r.Outcome != starling.Abandoned || r.Kind != starling.Cancelled {
			t.Fatalf("got %+v", r)
		}
		verified(t, l.Records)
	})
}

func TestAfterCloseNothingIsReserved(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		l := p.open(t)
		open := l.Begin(ada, "")
		must(t, open.Reserve(context.Background(), 5))
		must(t, l.Close())
		wantKind(t, l.Begin(ada, "").Reserve(context.Background(), 1), starling.Internal)
		if _, err := open.Settle(exchange(open, 5)); err == nil {
			t.Fatal("a receipt was promised after Close")
		}
		l = p.open(t)
		s, err := l.Receipt(context.Background(), open.ID())
		must(t, err)
		if r, err := s.Receipt(); err != nil || r.Outcome != starling.Interrupted {
			t.Fatalf("got %+v, %v", r, err)
		}
	})
}

func TestTheStoreMayFailForAWhile(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		l := p.open(t)
		ctx := context.Background()
		_, err := l.store.db.Exec("ALTER TABLE checkpoints RENAME TO hidden")
		must(t, err)
		r := run(t, l, ada, 10, 5)
		wantKind(t, l.Flush(ctx), starling.Internal)
		if h := l.Health(); h.Failing == nil || h.Pending != 1 || h.Since.IsZero() {
			t.Fatalf("got %+v", h)
		}
		_, err = l.store.db.Exec("ALTER TABLE hidden RENAME TO checkpoints")
		must(t, err)
		for l.Flush(ctx) != nil { // a try that was under way may still fail
		}
		_, err = l.Receipt(ctx, r.ID)
		must(t, err)
		if h := l.Health(); h.Failing != nil || h.Pending != 0 {
			t.Fatalf("got %+v", h)
		}
		verified(t, l.Records)
	})
}

func TestWhatTheStoreDoesNotTakeAtCloseWaitsInTheJournal(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		l := p.open(t)
		_, err := l.store.db.Exec("ALTER TABLE checkpoints RENAME TO hidden")
		must(t, err)
		r := run(t, l, ada, 10, 5)
		wantKind(t, l.Close(), starling.Internal)
		records, err := OpenRecords(context.Background(), p.Options)
		must(t, err)
		_, err = records.store.db.Exec("ALTER TABLE hidden RENAME TO checkpoints")
		must(t, err)
		must(t, records.Close())
		l = p.open(t)
		_, err = l.Receipt(context.Background(), r.ID)
		must(t, err)
	})
}

// The race detector is what this test needs to fail.
func TestAnAccountsIdCanBeReadWhileItReserves(t *testing.T) {
	l := place{Options: Options{Dir: t.TempDir(), Log: quiet()}}.open(t)
	a := l.Begin(ada, "")
	done := make(chan error, 1)
	go func() { done <- a.Reserve(context.Background(), 5) }()
	id := a.ID()
	must(t, <-done)
	r, err := a.Settle(exchange(a, 5))
	must(t, err)
	if r.ID != id {
		t.Fatalf("the receipt of %s has the id %s", id, r.ID)
	}
}

func TestErrorsOfOpenSayWhatToDo(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, o *Options)
		want  starling.Kind
		hint  string
	}{
		{"no directory", func(t *testing.T, o *Options) { o.Dir = "" }, starling.Invalid, "--data"},
		{"a file in its place", func(t *testing.T, o *Options) {
			o.Dir = filepath.Join(o.Dir, "file")
			must(t, os.WriteFile(o.Dir, nil, 0o600))
		}, starling.Internal, "make the directory writable"},
		{"a key that others can read", func(t *testing.T, o *Options) {
			must(t, os.Chmod(filepath.Join(o.Dir, keyFile), 0o644))
		}, starling.Internal, "chmod 600"},
		{"a key that is none", func(t *testing.T, o *Options) {
			must(t, os.WriteFile(filepath.Join(o.Dir, keyFile), []byte("hello"), 0o600))
		}, starling.Internal, "restore the key"},
		{"a database that is none", func(t *testing.T, o *Options) {
			must(t, os.WriteFile(filepath.Join(o.Dir, databaseFile), bytes.Repeat([]byte("hello"), 9000), 0o600))
		}, starling.Internal, "the file is damaged"},
		{"a newer version", func(t *testing.T, o *Options) {
			r, err := OpenRecords(context.Background(), *o)
			must(t, err)
			_, err = r.store.db.Exec("UPDATE meta SET value = 99 WHERE name = 'schema'")
			must(t, errors.Join(err, r.Close()))
		}, starling.Invalid, "newer starling"},
		{"a head that somebody changed", func(t *testing.T, o *Options) {
			heads, err := headFiles(o.Dir)
			must(t, err)
			must(t, os.WriteFile(heads[0], []byte("{}"), 0o600))
		}, starling.Internal, "somebody changed it"},
		{"a URL of another kind", func(t *testing.T, o *Options) { o.URL = "mysql://x" }, starling.Invalid, "postgres://"},
		{"a URL that is none", func(t *testing.T, o *Options) { o.URL = "postgres://%zz" }, starling.Invalid, "postgres://user"},
		{"no Postgres there", func(t *testing.T, o *Options) { o.URL = "postgres://127.0.0.1:1/x" }, starling.Internal, "see that Postgres runs"},
		{"a budget for a planet", func(t *testing.T, o *Options) { o.Budgets = []Budget{{Scope: "planet", Name: "x", Per: PerDay}} }, starling.Invalid, "scopes"},
		{"a budget per year", func(t *testing.T, o *Options) { o.Budgets = []Budget{{Scope: ForAll, Per: "year"}} }, starling.Invalid, "periods"},
		{"a budget of nobody", func(t *testing.T, o *Options) { o.Budgets = []Budget{{Scope: ForTeam, Per: PerDay}} }, starling.Invalid, "name whose"},
		{"a budget below nothing", func(t *testing.T, o *Options) { o.Budgets = []Budget{{Scope: ForAll, Limit: -1, Per: PerDay}} }, starling.Invalid, "limit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := Options{Dir: t.TempDir(), Log: quiet()}
			l := place{Options: o}.open(t)
			run(t, l, ada, 10, 5)
			must(t, l.Close())
			c.spoil(t, &o)
			_, err := Open(context.Background(), o)
			wantKind(t, err, c.want)
			if !strings.Contains(err.Error(), c.hint) {
				t.Fatalf("%v does not say %q", err, c.hint)
			}
		})
	}
}

func TestAnErrorShowsNothingOfWhoConnects(t *testing.T) {
	const here = "@127.0.0.1:1/db"
	urls := map[string]string{
		"nobody listens":          "postgres://wisteria:wist%40eria" + here,
		"an @":                    "postgres://user:pass@wisteria" + here,
		"an @ in several hosts":   "postgres://user:pass@wisteria@127.0.0.1,wisteria@127.0.0.2/db",
		"a / after a number":      "postgres://user:12/wisteria" + here,
		"a / after a word":        "postgres://wisteria:wist/eria" + here,
		"a / and a ?":             "postgres://user:12/x?wisteria" + here,
		"a bad percent":           "postgres://wisteria:wist%zz" + here,
		"a space":                 "postgres://wisteria:wist eria" + here,
		"a setting that is wrong": "postgres://wisteria:wisteria" + here + "?sslmode=perhaps",
		"no host":                 "postgres://wisteria:wisteria",
	}
	if server := os.Getenv("STARLING_TEST_POSTGRES"); server != "" {
		u, err := url.Parse(server)
		must(t, err)
		u.User, u.Path = url.UserPassword("wisteria", "wisteria"), "/"
		urls["the server refuses"] = u.String()
	}
	for name, text := range urls {
		_, err := OpenRecords(context.Background(), Options{Dir: t.TempDir(), URL: text, Log: quiet()})
		if err == nil || strings.Contains(err.Error(), "wist") || strings.Contains(err.Error(), "eria") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheOneGatewayThatDiesIsWrittenOffByAnother(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		if p.URL == "" {
			t.Skip("SQLite has one gateway")
		}
		cap := Budget{Scope: ForAll, Limit: 1000, Per: InTotal}
		dead, alive := still(p.open(t, cap)), still(p.beside(t).open(t, cap))
		ctx := context.Background()
		a := dead.Begin(ada, "")
		must(t, a.Reserve(ctx, 700))
		must(t, alive.beat(ctx))
		must(t, alive.Flush(ctx))
		wantKind(t, alive.Begin(ada, "").Reserve(ctx, 400), starling.OverBudget)

		silent(t, dead)
		must(t, alive.beat(ctx))
		s, err := alive.Receipt(ctx, a.ID())
		must(t, err)
		if r, err := s.Receipt(); err != nil || r.Outcome != starling.Interrupted || r.Cost != 700 {
			t.Fatalf("got %+v, %v", r, err)
		}

		a.Spend(10) // it was not dead, only silent
		_, err = a.Settle(exchange(a, 10))
		must(t, err)
		must(t, dead.Flush(ctx))
		standing, err := alive.Standing(ctx)
		must(t, err)
		if standing[0].Spent != 700 || standing[0].Held != 0 {
			t.Fatalf("got %+v", standing[0])
		}
		if report := verified(t, alive.Records); report.Receipts != 1 || len(report.Chains) != 2 {
			t.Fatalf("got %+v", report)
		}
	})
}

// silent makes a gateway look dead to the others for a moment.
func silent(t *testing.T, l *Ledger) {
	t.Helper()
	_, err := l.store.db.Exec("UPDATE chains SET seen = now() - interval '3 minutes' WHERE number = $1", l.chain.number)
	must(t, err)
}

func TestAnExchangeThatWasWrittenOffSpendsNoMoreThanWasBooked(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		if p.URL == "" {
			t.Skip("SQLite has one gateway")
		}
		ctx := context.Background()
		for _, stored := range []bool{false, true} {
			cap := Budget{Scope: ForAll, Limit: 100_000, Per: InTotal}
			slow, other := still(p.beside(t).open(t, cap)), still(p.beside(t).open(t, cap))
			a := slow.Begin(ada, "")
			must(t, a.Reserve(ctx, 600))
			silent(t, slow)
			gone, err := other.store.engine.beat(ctx, other.chain.number)
			must(t, err)
			if len(gone) != 1 || gone[0].Held != 600 {
				t.Fatalf("%+v is written off", gone)
			}
			must(t, slow.beat(ctx))
			if stored {
				must(t, slow.Flush(ctx))
			}
			a.Spend(500)
			err = a.Reserve(ctx, 600)
			wantKind(t, err, starling.Internal)
			if !strings.Contains(err.Error(), "ask again") {
				t.Fatalf("no hint in %v", err)
			}
			_, err = a.Settle(exchange(a, 500))
			must(t, err)
			must(t, slow.Flush(ctx))
			standing, err := other.Standing(ctx)
			must(t, err)
			if standing[0].Held != 0 {
				t.Fatalf("%v is held, and nobody will give it back", standing[0].Held)
			}
			s, err := other.Receipt(ctx, a.ID())
			must(t, err)
			if r, err := s.Receipt(); err != nil || r.Cost != 600 {
				t.Fatalf("got %+v, %v", r, err)
			}
			verified(t, other.Records)
		}
	})
}

// deaf is a connection to Postgres that dies after the server has answered a
// statement about an exchange, and before we hear it.
type deaf struct {
	net.Conn
	about string
	lost  bool
}

func (d *deaf) Write(b []byte) (int, error) {
	d.lost = d.lost || bytes.Contains(b, []byte(d.about))
	return d.Conn.Write(b)
}

func (d *deaf) Read(b []byte) (int, error) {
	n, err := d.Conn.Read(b)
	if err == nil && d.lost {
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

// deafTo gives the ledger's meter such connections.
func deafTo(t *testing.T, l *Ledger, url, about string) {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	must(t, err)
	dial := config.DialFunc
	config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		return &deaf{Conn: c, about: about}, err
	}
	m := l.meter.(*sharedMeter)
	m.db = stdlib.OpenDB(*config)
	t.Cleanup(func() { m.db.Close() })
}

func TestAReservationWhoseAnswerIsLostIsGivenBack(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		if p.URL == "" {
			t.Skip("SQLite holds nothing")
		}
		l := p.open(t, Budget{Scope: ForAll, Limit: 1000, Per: InTotal})
		ctx := context.Background()
		held := func() starling.Money {
			standing, err := l.Standing(ctx)
			must(t, err)
			return standing[0].Held
		}
		a := l.Begin(ada, "")
		deafTo(t, l, p.URL, a.ID())
		wantKind(t, a.Reserve(ctx, 900), starling.Internal)
		if got := held(); got != 900 {
			t.Fatalf("%v is held: this test proves nothing unless the server did hold it", got)
		}
		_, err := a.Settle(&starling.Exchange{Err: &starling.Error{Kind: starling.Cancelled, Op: "answer"}})
		must(t, err)
		must(t, l.Flush(ctx))
		if got := held(); got != 0 {
			t.Fatalf("%v is held, and nobody will give it back", got)
		}
	})
}

func TestADatabaseThatSaysNothingRefusesAReservation(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		if p.URL == "" {
			t.Skip("nobody else can stop SQLite")
		}
		l := p.open(t, Budget{Scope: ForAll, Limit: 1000, Per: InTotal})
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second) // of a caller who would wait much longer
		defer cancel()
		stop, err := l.store.db.BeginTx(ctx, nil)
		must(t, err)
		_, err = stop.ExecContext(ctx, "LOCK TABLE holds IN ACCESS EXCLUSIVE MODE")
		must(t, err)
		l.meter.(*sharedMeter).patience = time.Millisecond
		a := l.Begin(ada, "")
		err = a.Reserve(ctx, 900)
		wantKind(t, err, starling.Overloaded)
		if !strings.Contains(err.Error(), "no answer within 1ms") {
			t.Errorf("it does not say what is wrong: %v", err)
		}
		must(t, stop.Rollback())
		_, err = a.Settle(&starling.Exchange{Err: err})
		must(t, err)
		must(t, l.Flush(ctx))
		verified(t, l.Records)
	})
}

func TestAGatewayNoticesThatAnotherHasItsKey(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		if p.URL == "" {
			t.Skip("SQLite has one gateway")
		}
		ctx := context.Background()
		l, copied := p.open(t), p.beside(t)
		must(t, l.beat(ctx))
		key, err := os.ReadFile(filepath.Join(p.Dir, keyFile))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(copied.Dir, keyFile), key, 0o600))
		other := copied.open(t)
		err = l.beat(ctx)
		wantKind(t, err, starling.Internal)
		if !strings.Contains(err.Error(), "a data folder of its own") {
			t.Errorf("it does not say what to do: %v", err)
		}
		must(t, other.beat(ctx))
	})
}

func TestAHoldThatComesAfterItsReceiptIsEnded(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		if p.URL == "" {
			t.Skip("SQLite holds nothing")
		}
		l := p.open(t, Budget{Scope: ForAll, Limit: 1000, Per: InTotal})
		ctx := context.Background()
		r, open := run(t, l, ada, 10, 5), l.Begin(ada, "")
		must(t, open.Reserve(ctx, 20))
		must(t, l.Flush(ctx))
		_, err := l.store.db.Exec("INSERT INTO holds SELECT $1, chain, epoch, at, day, key, team, skill, 900 FROM holds", r.ID)
		must(t, err)
		must(t, l.beat(ctx))
		standing, err := l.Standing(ctx)
		must(t, err)
		if standing[0].Held != 20 || standing[0].Spent != 5 {
			t.Fatalf("spent %v and holding %v", standing[0].Spent, standing[0].Held)
		}
		verified(t, l.Records)
	})
}

func TestADayEndsAtMidnightUTC(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		l := p.open(t, Budget{Scope: ForAll, Limit: 100, Per: PerDay}, Budget{Scope: ForAll, Limit: 150, Per: InTotal})
		ctx := context.Background()
		yesterday := l.Begin(ada, "")
		yesterday.began = yesterday.began.Add(-24 * time.Hour)
		yesterday.hold.At = yesterday.began.UnixNano()
		must(t, yesterday.Reserve(ctx, 90))
		run(t, l, ada, 60, 60) // today has room of its own
		wantKind(t, l.Begin(ada, "").Reserve(ctx, 1), starling.OverBudget)
		yesterday.Spend(50)
		_, err := yesterday.Settle(exchange(yesterday, 50))
		must(t, err)
		must(t, l.Begin(ada, "").Reserve(ctx, 40))
		wantKind(t, l.Begin(ada, "").Reserve(ctx, 1), starling.OverBudget)
		verified(t, l.Records)
	})
}

// TestACapHoldsWhicheverWayTheClockIsSet: by days, while the gateway serves or between
// two of its lives.
func TestACapHoldsWhicheverWayTheClockIsSet(t *testing.T) {
	for _, days := range []int{-1000, -2, -1, 1, 40, 400} {
		t.Run(fmt.Sprint(days, " days"), func(t *testing.T) {
			eachStore(t, func(t *testing.T, p place) {
				ctx := context.Background()
				budgets := []Budget{{Scope: ForAll, Limit: 100, Per: PerDay}, {Scope: ForTeam, Name: ada.Team, Limit: 100, Per: PerMonth}}
				at := func(l *Ledger, days int) *Account {
					a := l.Begin(ada, "")
					a.began = a.began.AddDate(0, 0, days)
					a.hold.At = a.began.UnixNano()
					return a
				}
				l := p.open(t, budgets...)
				spend := func(days int) {
					a := at(l, days)
					must(t, a.Reserve(ctx, 90))
					a.Spend(90)
					_, err := a.Settle(exchange(a, 90))
					must(t, err)
				}
				spend(days)
				must(t, l.Close())
				l = p.open(t, budgets...)
				wantKind(t, at(l, days).Reserve(ctx, 20), starling.OverBudget)
				must(t, at(l, max(days+800, 0)).Reserve(ctx, 20)) // which has room of its own
				wantKind(t, at(l, days).Reserve(ctx, 20), starling.OverBudget)
				verified(t, l.Records)
			})
		})
	}
}
