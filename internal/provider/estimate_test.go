package provider

import (
	"testing"

	"starling"
)

func TestAnEstimateErrsUpwardsAndSaysSo(t *testing.T) {
	for _, c := range []struct {
		in, out int
		want    starling.Usage
	}{
		{0, 0, starling.Usage{Input: 8, Output: 8, Estimated: true}},
		{1, 3, starling.Usage{Input: 9, Output: 9, Estimated: true}},
		{4, 300, starling.Usage{Input: 10, Output: 108, Estimated: true}},
		{-5, -1, starling.Usage{Input: 8, Output: 8, Estimated: true}},
	} {
		if got := EstimateUsage(c.in, c.out); got != c.want {
			t.Errorf("%d and %d bytes are %+v, want %+v", c.in, c.out, got, c.want)
		}
	}
}
