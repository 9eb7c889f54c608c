package verify

import (
	"strings"
	"testing"
)

// The dearest texts that fit into an answer: what a model can make a verifier do.
func BenchmarkHostileText(b *testing.B) {
	for name, text := range map[string]string{
		"products":  strings.Repeat("1"+strings.Repeat("*9999999999999999999999999999999999999999", 90)+" = 1\n", 60),
		"quotients": strings.Repeat("1"+strings.Repeat("/9999999999999999999999999999999999999997+7", 60)+" = 1\n", 60),
		"equals":    strings.Repeat("=", 250_000),
		"brackets":  strings.Repeat("(", 250_000) + "=" + strings.Repeat("(", 10_000),
		"digits":    strings.Repeat("1", 250_000),
		"commas":    strings.Repeat("1,", 125_000),
		"prose":     strings.Repeat("It costs 12.50 × 3 = 37.50 in all. ", 7_000),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				n := 0
				for e := range equations(scan(text)) {
					e.holds()
					n++
				}
			}
		})
	}
}
