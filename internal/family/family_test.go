package family

import (
	"testing"

	"starling"
)

func TestEveryProfileReadsAndHasATemplate(t *testing.T) {
	for _, p := range All() {
		if _, err := files.ReadFile("templates/" + p.Template + ".jinja"); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		for _, d := range []string{"", "none", "high"} {
			out, err := p.Prompt(&starling.Chat{Effort: d, Messages: []starling.Message{{Role: starling.User, Parts: []starling.Part{{Kind: starling.TextPart, Text: "Hello there"}}}}}, PromptOptions{BOS: "<s>", EOS: "</s>"})
			if err != nil {
				t.Errorf("%s: %v %v", p.Name, err, starling.KindOf(err))
			}
			t.Logf("%s: %+v", p.Name, out)
		}
	}
}
