package verify

import (
	"math/rand/v2"
	"strings"
	"testing"

	"starling"
	"starling/internal/wire"
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

// BenchmarkTurn is what the net costs a turn of an agent with a long conversation.
func BenchmarkTurn(b *testing.B) {
	m := maker{rand.New(rand.NewPCG(1, 1))}
	var turns []turnOf
	for range 40 {
		turns = append(turns, did("read_file", args("path", m.path()), m.prose(12)))
	}
	calls := m.trace("calls", turns, does(callOf{"bash", args("command", "ls")}))
	words := m.trace("words", turns, says(m.prose(30)))
	for _, tr := range []trace{calls, words} {
		b.Run(tr.kind, func(b *testing.B) {
			r := tr.request(b, starling.OpenAI)
			var s Shapes
			b.SetBytes(int64(len(r.Body)))
			b.ReportAllocs()
			for b.Loop() {
				s.Turn(&r, &tr.answer, func() *starling.Chat {
					own := r
					own.Chat = nil
					return must(wire.View(&own))
				})
			}
		})
	}
}
