package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestYesIsSaidInFullOrNotAtAll(t *testing.T) {
	for said, want := range map[string]bool{"y\n": true, " YES \n": true, "yes": true, "n\n": false, "yep\n": false, "\n": false, "": false} {
		var asked strings.Builder
		if got := agrees(t.Context(), bufio.NewReader(strings.NewReader(said)), &asked, "go on?"); got != want || !strings.HasPrefix(asked.String(), "go on? [y/N] ") {
			t.Errorf("%q: %v after %q", said, got, asked.String())
		}
	}
}

// TestWhoeverInterruptsAQuestionIsNotWaitedFor: a signal is no line, so none comes.
func TestWhoeverInterruptsAQuestionIsNotWaitedFor(t *testing.T) {
	in, keys := io.Pipe()
	defer keys.Close()
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	if agrees(ctx, bufio.NewReader(in), io.Discard, "go on?") {
		t.Error("it was taken for a yes")
	}
	if _, err := readLine(ctx, bufio.NewReader(in)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if answer := consult(ctx, io.Discard, bufio.NewReader(in)); answer != "q" {
		t.Errorf("it was taken for %q", answer)
	}
}
