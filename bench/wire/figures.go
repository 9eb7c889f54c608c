package main

import (
	"fmt"
	"time"

	"starling/bench/process"
)

// shown is a median with its interval, in microseconds.
func shown(all []float64, digits int) string {
	low, high := process.Interval(all)
	const us = float64(time.Microsecond)
	return fmt.Sprintf("%.*f (%.*f–%.*f)", digits, process.Median(all)/us, digits, low/us, digits, high/us)
}
