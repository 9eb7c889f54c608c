// Command generate makes the catalog's snapshot from a copy of models.dev's
// records in one JSON file:
//
//	go run ./internal/catalog/generate -in models.json -out internal/catalog/snapshot.tsv
//
// It is run by hand when a newer copy is at hand; its output is committed, so
// that a change of prices is read as a change of lines. It refuses what it does
// not understand: a fee under a name that it has never seen may be money.
//
// Start reading at [snapshot] in snapshot.go.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	in := flag.String("in", "", "records of models.dev as JSON")
	out := flag.String("out", "", "snapshot to write")
	flag.Parse()
	if err := generate(*in, *out); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func generate(in, out string) error {
	data, err := os.ReadFile(in)
	if err != nil {
		return err
	}
	text, remarks, err := snapshot(data)
	if err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	for _, r := range remarks {
		fmt.Fprintln(os.Stderr, r)
	}
	return os.WriteFile(out, []byte(text), 0o644)
}
