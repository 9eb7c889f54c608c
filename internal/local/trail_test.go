package local

import (
	"strings"
	"testing"

	"starling"
	"starling/internal/engine"
)

// TestOnlyTheTextsTokensAreTold: whatever marks a reader leaves out, holds back, or finds
// within a token.
func TestOnlyTheTextsTokensAreTold(t *testing.T) {
	text := func(s string) starling.Delta { return starling.Delta{Kind: starling.TextPart, Text: s} }
	thought := func(s string) starling.Delta { return starling.Delta{Kind: starling.ReasoningPart, Text: s} }
	call := func(s string) starling.Delta { return starling.Delta{Kind: starling.CallPart, Text: s} }
	type say struct {
		token string
		told  []starling.Delta
	}
	for _, c := range []struct {
		name string
		says []say
		want string
	}{
		{"text", []say{{"a", []starling.Delta{text("a")}}, {" b", []starling.Delta{text(" b")}}}, "a| b"},
		{"a mark that looks like what follows", []say{{"<think>", nil}, {"t", []starling.Delta{thought("t")}}, {"</think>", nil}, {"t", []starling.Delta{text("t")}}}, "t"},
		{"two in one token", []say{{"hm</think>hm", []starling.Delta{thought("hm"), text("hm")}}, {"!", []starling.Delta{text("!")}}}, "!"},
		{"held back", []say{{"a", []starling.Delta{text("a")}}, {" <", []starling.Delta{text(" ")}}, {"b", []starling.Delta{text("<b")}}}, "a| <|b"},
		{"a character in three tokens", []say{{"", nil}, {"", nil}, {"🐦", []starling.Delta{text("🐦")}}}, "||🐦"},
		{"a call between", []say{{"a", []starling.Delta{text("a")}}, {`<call>{"x": 1}`, []starling.Delta{call(`{"x":1}`)}}, {"b", []starling.Delta{text("b")}}}, "a|b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var way trail
			var got []string
			for _, s := range c.says {
				p := -0.5
				way.add(&engine.Token{Text: s.token, Logprob: &p})
				for _, d := range way.over(s.told) {
					for _, one := range d.Tokens {
						got = append(got, one.Text)
					}
					if d.Kind != starling.TextPart && d.Tokens != nil {
						t.Errorf("%s has tokens", d.Kind)
					}
				}
			}
			if strings.Join(got, "|") != c.want {
				t.Errorf("told %q, want %q", got, c.want)
			}
		})
	}
}
