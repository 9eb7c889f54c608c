package serve_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"starling"
	"starling/internal/ledger"
)

// emptyStore returns the URL of a store in Postgres that the test has to itself.
func emptyStore(t *testing.T) string {
	t.Helper()
	server := os.Getenv("STARLING_TEST_POSTGRES")
	if server == "" {
		t.Skip("STARLING_TEST_POSTGRES holds no URL of a Postgres to test with")
	}
	db := must(sql.Open("pgx", server)) // the ledger registers the driver
	name := fmt.Sprintf("starling_serve_%d", os.Getpid())
	must(db.Exec("CREATE SCHEMA " + name))
	t.Cleanup(func() {
		_, err := db.Exec("DROP SCHEMA " + name + " CASCADE")
		db.Close()
		if err != nil {
			t.Error(err)
		}
	})
	u := must(url.Parse(server))
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String()
}

// TestTwoGatewaysAtOneStoreReadInPartsUnderOneCap: what both spend on documents at once
// is what the cap counts, and what each receipt of a whole says of its parts.
func TestTwoGatewaysAtOneStoreReadInPartsUnderOneCap(t *testing.T) {
	o := standOptions{skills: testSkill(rubricOfThree + "split: {}\n"), budgets: month, store: emptyStore(t)}
	var stands [2]*stand
	for i := range stands {
		cheap, _ := readsAs("cheap", starling.Machine, 1, perfect)
		second, _ := readsAs("second", starling.Machine, 2, perfect)
		strong, _ := readsAs("strong", starling.Cloud, 50, perfect)
		stands[i] = newStand(t, o, cheap, second, strong)
	}
	var answers [len(stands)]answer
	var all sync.WaitGroup
	for i, s := range stands {
		all.Go(func() { answers[i] = s.ask(chatPath, question(contract(12_000), false)) })
	}
	all.Wait()
	var spent starling.Money
	for i, s := range stands {
		r := s.receipt(answers[i])
		parts := s.partsOf(r)
		if r.Attempts[0].Split == "" || !strings.Contains(answers[i].body, fact.Answer[:4]) || len(parts) < 2 || int64(len(parts)) != r.Parts {
			t.Errorf("%d parts, the receipt has %d; %+v", len(parts), r.Parts, r.Attempts)
		}
		for _, p := range parts {
			spent += p.Cost
		}
		spent += r.Cost
	}
	for _, s := range stands {
		if stands := must(s.ledger.Standing(context.Background())); stands[0].Spent != spent || stands[0].Held != 0 {
			t.Errorf("%+v, of %s that is on the receipts", stands, spent)
		}
		if report := must(s.ledger.Verify(context.Background(), ledger.Audit{})); !report.OK() || len(report.Chains) != len(stands) {
			t.Errorf("%+v", report)
		}
	}
}
