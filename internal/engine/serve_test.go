package engine

import (
	"testing"
)

func TestGreedyTextIsTheModels(t *testing.T) {
	for _, kind := range []string{"", "-Q8_0", "-Q4_0"} {
		c := begin(t, Load{Model: stories(t, kind)})
		a := c.ask(Generate{Prompt: plain("Once upon a time"), MaxTokens: 48, Logprobs: true, Top: 3})
		t.Logf("%+v %q %+v %+v", c.loaded, a.text, a.Done, a.tokens[0])
	}
}
