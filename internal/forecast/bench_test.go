package forecast

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func BenchmarkOdds(b *testing.B) {
	f := fitted(b, foretold(rand.New(rand.NewPCG(1, 1)), 600, 10))
	for _, length := range []int{1_000, 8_000, 100_000} {
		b.Run(fmt.Sprint(length), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(2, 2))
			var prompts [64]string
			for i := range prompts {
				prompts[i] = babble(rng, length)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				f.Odds("easy or hard", prompts[i%len(prompts)])
				i++
			}
		})
	}
}
