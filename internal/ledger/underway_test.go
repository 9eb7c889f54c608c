package ledger

import (
	"context"
	"testing"
	"testing/synctest"
)

func TestTheReceiptOfAnOpenExchangeIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var u underway
		u.add("rcp_1")
		var got []string
		go func() { u.wait(t.Context(), "rcp_1"); got = append(got, "first") }()
		go func() { u.wait(t.Context(), "rcp_2"); got = append(got, "stranger") }()
		synctest.Wait()
		if len(got) != 1 || got[0] != "stranger" {
			t.Fatalf("before it is settled %v came through; want the stranger alone", got)
		}
		u.settled("rcp_1")
		synctest.Wait()
		if len(got) != 2 || len(u.waiting) != 0 {
			t.Errorf("after it is settled: %v, %d left", got, len(u.waiting))
		}
	})
}

func TestWhoWaitsForAnOpenExchangeMayGiveUp(t *testing.T) {
	var u underway
	u.add("rcp_1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	u.wait(ctx, "rcp_1")
	u.settled("rcp_1")
	if len(u.waiting) != 0 {
		t.Error("the settled exchange is kept")
	}
}
