package sim_test

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"starling"
	"starling/internal/sim"
)

func TestAModelThatReadsNoMoreThanItsWindowSaysNothing(t *testing.T) {
	long := strings.Repeat("The starling is a bird. ", 200) // 1200 tokens
	for _, c := range []struct {
		name  string
		reads int64
		want  int64
	}{
		{"it reads all", 0, 1203},
		{"it reads what fits", 2000, 1203},
		{"it reads the end", 500, 500},
	} {
		s := sim.New(sim.Options{Models: []sim.Model{{Name: "m", Reads: c.reads}}})
		w := ask(s, chat(starling.OpenAI, "m", long))
		if n := gjson.Get(w.Body.String(), "usage.prompt_tokens").Int(); w.Code != 200 || n != c.want {
			t.Errorf("%s: status %d, %d tokens, want %d", c.name, w.Code, n, c.want)
		}
	}
	s := sim.New(sim.Options{Models: []sim.Model{{Name: "m", Reads: 300}}})
	w := ask(s, post{dialect: starling.OpenAI, body: `{"model":"m","messages":[{"role":"system","content":"` + long + `"},{"role":"user","content":"hello"}]}`})
	if n := gjson.Get(w.Body.String(), "usage.prompt_tokens").Int(); n != 300 {
		t.Errorf("of two messages it reads %d tokens, want the last one and the end of the first", n)
	}
}
