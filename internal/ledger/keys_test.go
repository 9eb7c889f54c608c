package ledger

import (
	"context"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"starling"
)

func TestAKeyNamesItsCaller(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		l := p.open(t)
		ctx := context.Background()
		secret, k, err := l.CreateKey(ctx, KeySpec{Name: "Ada's laptop", Team: "sales", Class: "internal", Skill: "triage"})
		must(t, err)
		if !strings.HasPrefix(secret, "sk-starling-") || len(secret) != 12+43 || !strings.HasPrefix(k.ID, "key_") {
			t.Fatalf("%s %s", secret, k.ID)
		}
		got, err := l.Lookup(ctx, secret)
		must(t, err)
		want := starling.Caller{Key: k.ID, Name: "Ada's laptop", Team: "sales", Class: "internal", Skill: "triage"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		keys, err := l.Keys(ctx)
		must(t, err)
		if len(keys) != 1 || keys[0].ID != k.ID || !keys[0].Revoked.IsZero() {
			t.Fatalf("got %+v", keys)
		}
	})
}

func TestAKeyMadeOrRevokedByACommandIsNoticed(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		l := p.open(t)
		ctx := context.Background()
		beside := reopened(t, p)
		secret, k, err := beside.CreateKey(ctx, KeySpec{Name: "ada", Budgets: []Budget{{Limit: 100, Per: PerDay}}})
		must(t, err)
		caller, err := l.Lookup(ctx, secret)
		must(t, err)
		must(t, l.Begin(caller, "").Reserve(ctx, 100))
		wantKind(t, l.Begin(caller, "").Reserve(ctx, 1), starling.OverBudget)
		must(t, beside.RevokeKey(ctx, k.ID))
		must(t, l.keepOnce(ctx, 1)) // what happens once a second
		_, err = l.Lookup(ctx, secret)
		wantKind(t, err, starling.Unauthenticated)
		wantKind(t, beside.RevokeKey(ctx, k.ID), starling.NotFound)
	})
}

func TestTheFirstKeyEndsKeylessnessForGood(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		l := p.open(t)
		ctx := context.Background()
		if !l.Keyless() {
			t.Fatal("there are keys in new books")
		}
		beside := reopened(t, p)
		_, k, err := beside.CreateKey(ctx, KeySpec{Name: "first"})
		must(t, err)
		must(t, l.keepOnce(ctx, 1)) // what happens once a second
		if l.Keyless() {
			t.Fatal("a key made by a command is not noticed")
		}
		must(t, beside.RevokeKey(ctx, k.ID))
		must(t, l.keepOnce(ctx, 2))
		if l.Keyless() {
			t.Fatal("revoking the last key opens the door")
		}
	})
}

func TestAKeyThatCannotBeReadIsRefusedAndHidesNoOther(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		l := still(p.open(t))
		ctx := context.Background()
		beside := reopened(t, p)
		newer, k, err := beside.CreateKey(ctx, KeySpec{Name: "of a newer version", Budgets: []Budget{{Limit: 5, Per: PerDay}}})
		must(t, err)
		_, err = l.store.db.Exec("UPDATE api_keys SET budgets = replace(budgets, 'day', 'week')")
		must(t, err)
		must(t, l.keepOnce(ctx, 1))
		if l.Keyless() {
			t.Fatal("the only key cannot be read, and the door is open")
		}
		_, err = l.Lookup(ctx, newer)
		wantKind(t, err, starling.Unauthenticated)

		good, other, err := beside.CreateKey(ctx, KeySpec{Name: "good", Budgets: []Budget{{Limit: 5, Per: PerDay}}})
		must(t, err)
		caller, err := l.Lookup(ctx, good)
		must(t, err)
		wantKind(t, l.Begin(caller, "").Reserve(ctx, 6), starling.OverBudget)
		keys, err := beside.Keys(ctx)
		wantKind(t, err, starling.Internal)
		if len(keys) != 1 || keys[0].ID != other.ID || !strings.Contains(err.Error(), k.ID) {
			t.Fatalf("got %+v, %v", keys, err)
		}
		must(t, l.Close())
		p.open(t) // nor does it keep the gateway from starting
		must(t, beside.RevokeKey(ctx, k.ID))
		keys, err = beside.Keys(ctx)
		must(t, err)
		if len(keys) != 2 {
			t.Fatalf("got %+v", keys)
		}
	})
}

func TestWhenKeysCannotBeReadTheHeadIsWrittenAndTheHeartBeats(t *testing.T) {
	eachStore(t, func(t *testing.T, p place) {
		l := p.open(t)
		ctx := context.Background()
		run(t, l, ada, 10, 5)
		must(t, l.Flush(ctx))
		_, err := l.store.db.Exec("ALTER TABLE api_keys RENAME TO hidden")
		must(t, err)
		_, err = l.store.db.Exec("UPDATE meta SET value = value + 1 WHERE name = 'keys'")
		must(t, err)
		if p.URL != "" {
			silent(t, l)
		}
		wantKind(t, l.keepOnce(ctx, beatEvery), starling.Internal)
		if heads, err := headFiles(p.Dir); err != nil || len(heads) != 1 {
			t.Errorf("head files: %v, %v", heads, err)
		}
		if p.URL != "" {
			var silence float64
			must(t, l.store.db.QueryRow("SELECT extract(epoch FROM now() - seen) FROM chains").Scan(&silence))
			if silence > lease.Seconds() {
				t.Errorf("the gateway looks dead for %v s", silence)
			}
		}
	})
}

func TestAKeyIsKnownOnlyWhenItsCapsAreInForce(t *testing.T) {
	l := place{Options: Options{Dir: t.TempDir(), Log: quiet()}}.open(t)
	ctx := context.Background()
	secret, _, err := l.Records.CreateKey(ctx, KeySpec{Name: "a", Budgets: []Budget{{Limit: 5, Per: InTotal}}})
	must(t, err)
	hash := digest(sha256.Sum256([]byte(secret)))
	l.capping.Lock() // as while caps are being made
	done := make(chan error)
	go func() { done <- l.refreshKeys(ctx) }()
	for range 30 {
		time.Sleep(time.Millisecond)
		if _, ok := l.keys.find(hash); ok {
			t.Error("the key is known before its caps")
			break
		}
	}
	l.capping.Unlock()
	must(t, <-done)
	caller, err := l.Lookup(ctx, secret)
	must(t, err)
	wantKind(t, l.Begin(caller, "").Reserve(ctx, 6), starling.OverBudget)
}

func TestAKeyThatIsNotGoodIsRefused(t *testing.T) {
	l := place{Options: Options{Dir: t.TempDir(), Log: quiet()}}.open(t)
	ctx := context.Background()
	revoked, k, err := l.CreateKey(ctx, KeySpec{Name: "a"})
	must(t, err)
	must(t, l.RevokeKey(ctx, k.ID))
	_, unknown := l.Lookup(ctx, secretPrefix+strings.Repeat("A", 43))
	wantKind(t, unknown, starling.Unauthenticated)
	for _, secret := range []string{"", "sk-starling-", "sk-other-" + strings.Repeat("A", 46), revoked, revoked + "x", strings.Repeat("x", 1<<20)} {
		_, err := l.Lookup(ctx, secret)
		if err == nil || err.Error() != unknown.Error() {
			t.Errorf("%.20q: got %v, want %v", secret, err, unknown)
		}
	}
	expiring, _, err := l.CreateKey(ctx, KeySpec{Name: "b", Expires: time.Now().Add(time.Hour)})
	must(t, err)
	_, err = l.Lookup(ctx, expiring)
	must(t, err)
	l.keys.now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	_, err = l.Lookup(ctx, expiring)
	wantKind(t, err, starling.Unauthenticated)
	if !strings.Contains(err.Error(), "expired") {
		t.Fatalf("got %v", err)
	}
}

func TestAKeyThatMakesNoSenseIsNotMade(t *testing.T) {
	l := place{Options: Options{Dir: t.TempDir(), Log: quiet()}}.open(t)
	for name, spec := range map[string]KeySpec{
		"a name with a NUL":      {Name: "a\x00b"},
		"a name without end":     {Name: strings.Repeat("a", 1000)},
		"one that has expired":   {Name: "a", Expires: time.Now().Add(-time.Hour)},
		"a budget per fortnight": {Name: "a", Budgets: []Budget{{Limit: 1, Per: "fortnight"}}},
	} {
		_, _, err := l.CreateKey(context.Background(), spec)
		if starling.KindOf(err) != starling.Invalid {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestUnknownKeysDoNotReachTheStoreWithoutLimit(t *testing.T) {
	l := still(place{Options: Options{Dir: t.TempDir(), Log: quiet()}}.open(t))
	ctx := context.Background()
	l.keys.unknown.SetLimit(0) // no look comes back
	for l.keys.unknown.Allow() {
	}
	secret, _, err := l.Records.CreateKey(ctx, KeySpec{Name: "late"})
	must(t, err)
	_, err = l.Lookup(ctx, secret)
	wantKind(t, err, starling.Unauthenticated)
	must(t, l.keepOnce(ctx, 1))
	_, err = l.Lookup(ctx, secret)
	must(t, err)
}
