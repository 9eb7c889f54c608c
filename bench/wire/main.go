package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"starling/bench/process"
)

// A plan says how much is measured.
type plan struct {
	rounds    int           // of translations, all in turn
	batch     time.Duration // of one translation in a round, about
	passes    int           // rounds of requests through proxies
	requests  int           // of such a round
	streaming int           // of a round of streams
}

var (
	full  = plan{rounds: 25, batch: 4 * time.Millisecond, passes: 15, requests: 400, streaming: 200}
	brief = plan{rounds: 5, batch: 2 * time.Millisecond, passes: 5, requests: 200, streaming: 100}
)

const resultFile = "bench/wire/result.md"

func main() {
	quick := flag.Bool("quick", false, "a look instead of a measurement")
	only := flag.String("only", "", "translate or pass; everything without")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *quick, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench/wire:", err)
		os.Exit(1)
	}
}

// run measures, and writes a whole result to its file.
func run(ctx context.Context, quick bool, only string) error {
	p, command := full, "go run ./bench/wire"
	if quick {
		p, command = brief, command+" -quick"
	}
	if only != "" {
		command += " -only " + only
	}
	var text bytes.Buffer
	out := io.MultiWriter(os.Stdout, &text)
	fmt.Fprintf(out, "# What the dialects cost\n\n`%s` wrote this on %s.\n%s\n", command, time.Now().UTC().Format(time.DateOnly), process.Machine())
	fmt.Fprintln(out, "Processor time, medians over rounds in turn, in brackets the interval of 95 % by the bootstrap; how it is measured says `go doc ./bench/wire`.")
	if only == "" || only == "pass" {
		if err := pass(ctx, out, p); err != nil {
			return err
		}
	}
	if only == "" || only == "translate" {
		if err := translate(ctx, out, p); err != nil {
			return err
		}
	}
	if quick || only != "" {
		return nil
	}
	return os.WriteFile(resultFile, text.Bytes(), 0o644)
}
