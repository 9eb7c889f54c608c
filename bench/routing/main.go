package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// A part is one of the measurements.
type part struct {
	name    string
	measure func(dir string) error
}

var parts = []part{
	{"pair", measurePairs},
	{"pool", measurePools},
	{"unseen", measureUnseen},
	{"cascade", measureCascade},
	{"calibration", measureCalibration},
	{"robust", measureRobustness},
	{"speed", measureSpeed},
}

func main() {
	data := flag.String("data", "", "the folder of the shared data")
	only := flag.String("only", "", "parts to measure, with commas: pair, pool, unseen, cascade, calibration, robust, speed")
	flag.Parse()
	switch err := run(*data, *only); {
	case errors.Is(err, errNoData):
		fmt.Println("bench/routing: skipped,", err)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench/routing:", err)
		os.Exit(1)
	}
}

func run(data, only string) error {
	dir, err := findData(data)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if only != "" && !slices.Contains(strings.Split(only, ","), p.name) {
			continue
		}
		start := time.Now()
		if err := p.measure(dir); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		fmt.Printf("  (%s took %s)\n\n", p.name, time.Since(start).Round(time.Second))
	}
	return nil
}
