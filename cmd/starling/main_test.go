package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"starling"
)

// TestOnlyASignalEndsACommandInSilence: whatever else is cancelled is told.
func TestOnlyASignalEndsACommandInSilence(t *testing.T) {
	signalled, signal := context.WithCancelCause(t.Context())
	signal(context.Canceled)
	stopped := fmt.Errorf("read: %w", context.Canceled)
	for name, c := range map[string]struct {
		ctx  context.Context
		err  error
		code int
		said string
	}{
		"a signal":                             {signalled, stopped, 130, ""},
		"a signal, noticed by another":         {signalled, &starling.Error{Kind: starling.Overloaded, Op: "ask", Hint: "is it there?", Err: stopped}, 130, ""},
		"a signal, and how to go on":           {signalled, &starling.Error{Kind: starling.Cancelled, Op: "hub: stopped", Hint: "the same command goes on", Err: stopped}, 130, "starling: hub: stopped: read: context canceled (the same command goes on)\n"},
		"an error of its own at the same time": {signalled, &starling.Error{Kind: starling.NotFound, Op: "no skill"}, 6, "starling: no skill\n"},
		"no signal, and no word of ours":       {t.Context(), stopped, 1, "starling: a part of this gave up though nobody stopped it: read: context canceled (run it again; if it stays so it is a bug)\n"},
		"no signal, and a kind":                {t.Context(), &starling.Error{Kind: starling.Overloaded, Op: "ask", Err: stopped}, 9, "starling: ask: read: context canceled\n"},
		"a user who says no":                   {t.Context(), &starling.Error{Kind: starling.Cancelled, Op: "nothing was asked"}, 130, "starling: nothing was asked\n"},
		"a time that is over":                  {t.Context(), context.DeadlineExceeded, 1, "starling: context deadline exceeded\n"},
	} {
		var said strings.Builder
		if code := fail(c.ctx, &said, c.err); code != c.code || said.String() != c.said {
			t.Errorf("%s: %d, %q", name, code, said.String())
		}
	}
}
