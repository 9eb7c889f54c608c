package sim_test

import (
	"net/http/httptest"
	"testing"

	"starling/internal/sim"
)

// The handler alone; net/http adds its own share on a real connection.
func BenchmarkSmallRequest(b *testing.B) {
	for _, d := range dialects {
		for name, extra := range map[string]string{"whole": `"stream":false`, "stream": `"stream":true`} {
			b.Run(string(d)+" "+name, func(b *testing.B) {
				s := sim.New(sim.Options{Models: []sim.Model{both()}})
				p := chat(d, "m", "hello there", extra)
				b.ReportAllocs()
				for b.Loop() {
					s.ServeHTTP(httptest.NewRecorder(), p.request(b.Context(), ""))
				}
			})
		}
	}
}
