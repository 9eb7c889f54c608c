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
	url := flag.String("embeddings", "", "the URL of an OpenAI-compatible API that makes vectors, as http://127.0.0.1:11434/v1; its key, if any, in STARLING_EMBEDDINGS_KEY")
	model := flag.String("model", "", "its embedding model")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	d, err := open(at, *url, *model)
	if err == nil {
		err = measure(ctx, d, max(*seeds, 1))
	}
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
