package serve_test

import (
	"fmt"
	"strings"
	"testing"

	"starling/internal/route"
)

// BenchmarkAQuestionOf50KBPasses is for profiles: client, gateway and upstream are
// one process. What it costs above a minimal proxy is measured by bench/wire.
func BenchmarkAQuestionOf50KBPasses(b *testing.B) {
	s := newStand(b, standOptions{}, openAIUp(whole(strings.Replace(wholeOpenAI, `"prompt_tokens":100`, `"prompt_tokens":14000`, 1))))
	s.cascade.Router.Sessions = route.NewSessions()
	var turns strings.Builder
	for turns.Len() < 50<<10 {
		fmt.Fprintf(&turns, `{"role":"user","content":"Read it.\n\tfunc main() {}"},{"role":"assistant","content":"I did; it says:\n\"hello\""},`)
	}
	body := strings.Replace(chat("up/m", false), `"messages":[`, `"messages":[`+turns.String(), 1)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if a := s.ask(chatPath, body); a.status != 200 {
			b.Fatal(a.body)
		}
	}
}
