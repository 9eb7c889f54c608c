package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"starling"
	"starling/internal/ledger"
)

func TestACapCountsItsPeriodUnderItsName(t *testing.T) {
	now := time.Date(2026, 12, 1, 1, 30, 0, 0, time.FixedZone("CET", 3600)) // not yet an hour into December, UTC
	month := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		budget ledger.Budget
		want   ledger.Query
	}{
		{ledger.Budget{Scope: ledger.ForAll, Per: ledger.InTotal}, ledger.Query{}},
		{ledger.Budget{Scope: ledger.ForTeam, Name: "a", Per: ledger.PerMonth}, ledger.Query{Team: "a", Since: month}},
		{ledger.Budget{Scope: ledger.ForSkill, Name: "a", Per: ledger.PerDay}, ledger.Query{Skill: "a", Since: month}},
		{ledger.Budget{Scope: ledger.ForKey, Name: "a", Per: ledger.InTotal}, ledger.Query{Key: "a"}},
	} {
		if diff := cmp.Diff(c.want, counted(c.budget, now)); diff != "" {
			t.Errorf("%s: %s", c.budget, diff)
		}
	}
	yesterday := counted(ledger.Budget{Scope: ledger.ForAll, Per: ledger.PerMonth}, now.Add(-time.Hour)).Since
	if want := month.AddDate(0, -1, 0); yesterday != want {
		t.Errorf("an hour before, the month began at %s, want %s", yesterday, want)
	}
}

func TestACapIsUsedUpOnlyWhenAllIsSpent(t *testing.T) {
	for _, c := range []struct {
		spent, limit starling.Money
		want         string
	}{{0, 5, "0.0 %"}, {9999, 10000, "99.9 %"}, {10000, 10000, "100.0 %"}, {2, 1, "200.0 %"}, {0, 0, "-"}} {
		if got := (used{Spent: c.spent, Budget: ledger.Budget{Limit: c.limit}}).share(); got != c.want {
			t.Errorf("%d of %d is %s, want %s", c.spent, c.limit, got, c.want)
		}
	}
}
