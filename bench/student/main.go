package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"runtime"
)

func main() {
	at := os.Getenv("STARLING_SHARED_DATA")
	if at == "" {
		at = "../shared/data"
	}
	flag.StringVar(&at, "data", at, "the folder that holds intent/")
	seeds := flag.Int("seeds", 5, "how often BANKING77 is split and learned; the 100 splits of the warrant are shared among them")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := measure(ctx, data(at), max(*seeds, 1))
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Println("the data is not here, so nothing was measured:", err)
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/student:", err)
		os.Exit(1)
	}
}

// measure runs everything and prints the result.
func measure(ctx context.Context, d data, seeds int) error {
	fmt.Printf("%s/%s, %d processors, %s\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	if err := banking(ctx, d, seeds); err != nil {
		return err
	}
	return clinc(ctx, d)
}
