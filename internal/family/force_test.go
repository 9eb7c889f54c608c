package family

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"starling"
	"starling/internal/engine"
)

// dialects are profiles that call in each of them, and think in the ways that there are.
func dialects() map[Dialect][]*Profile {
	all := map[Dialect][]*Profile{}
	for d := range writers {
		stop := []string{"<|im_end|>", "<end_of_turn>", "<｜end▁of▁sentence｜>"}
		all[d] = []*Profile{{Tools: d, Stop: stop}, {Tools: d, Stop: stop, Think: Think{Open: "<think>", Close: "</think>", Default: "on"}}}
	}
	all[Harmony] = []*Profile{Find("gpt-oss", "", "")}
	all[Gemma4] = []*Profile{Find("gemma4", "", "")}
	return all
}

func TestWhatAModelIsHeldToIsReadAsCalls(t *testing.T) {
	large(t)
	for d, profiles := range dialects() {
		t.Run(string(d), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { checkForced(t, rapid.SampledFrom(profiles).Draw(t, "profile")) })
		})
	}
}

func checkForced(t *rapid.T, p *Profile) {
	chat := &starling.Chat{Tools: toolsGen(t), ToolChoice: starling.ToolChoice{Mode: "required"}, Effort: rapid.SampledFrom([]string{"", "high", "none"}).Draw(t, "effort")}
	if rapid.Bool().Draw(t, "named") {
		chat.ToolChoice = starling.ToolChoice{Mode: "tool", Name: chat.Tools[0].Name}
	}
	if rapid.Bool().Draw(t, "one") {
		chat.Parallel = new(bool)
	}
	var prompt []engine.Text
	if p.Think.Open != "" && rapid.Bool().Draw(t, "begun") {
		prompt = []engine.Text{{Text: "<|im_start|>assistant\n" + p.Think.Open + "\n", Special: true}}
	}
	gbnf, loose, err := p.Force(chat, prompt)
	if starling.KindOf(err) == starling.Invalid && strings.Contains(err.Error(), "no value fits") {
		return
	}
	if err != nil || loose != nil {
		t.Fatal(err, loose)
	}
	g := readGBNF(t, gbnf)
	random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	for range 3 {
		var b strings.Builder
		g.say(&b, g.rules["root"], random.IntN, 0)
		r := p.Reader(chat.Tools)
		r.After(prompt)
		deltas, finish := read(r, split(t, b.String())...)
		if why := noCalls(chat, deltas, finish); why != "" {
			t.Fatalf("%s\n%s\n%q\n%s", why, gbnf, b.String(), shown(deltas, finish))
		}
		for _, stop := range p.Stop {
			if strings.Contains(b.String(), stop) {
				t.Fatalf("%q ends at %s", b.String(), stop)
			}
		}
	}
}

// noCalls says why an answer is not what the tool choice demands, "" if it is.
func noCalls(chat *starling.Chat, deltas []starling.Delta, finish starling.Finish) string {
	calls := 0
	for _, d := range joinedDeltas(deltas) {
		switch d.Kind {
		case starling.ReasoningPart:
			continue
		case starling.CallPart:
			calls++
		default:
			return "it says something else"
		}
		i := slices.IndexFunc(allowed(chat), func(t starling.Tool) bool { return t.Name == d.Name })
		if i < 0 {
			return d.Name + " may not be called"
		}
		if err := valid(allowed(chat)[i].Schema, d.Text); err != nil {
			return d.Name + ": " + err.Error()
		}
	}
	single := chat.ToolChoice.Mode == "tool" || chat.Parallel != nil
	if calls == 0 || finish != starling.ToolUse || single && calls > 1 {
		return fmt.Sprintf("%d calls, %s", calls, finish)
	}
	return ""
}

func valid(schema json.RawMessage, arguments string) error {
	if len(schema) == 0 {
		schema = json.RawMessage(`{"maxProperties":0}`)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(schema)))
	if err != nil {
		return err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("mem:///s", doc); err != nil {
		return err
	}
	s, err := c.Compile("mem:///s")
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(arguments))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

func toolsGen(t *rapid.T) (all []starling.Tool) {
	names := []string{"weather", "function", "functions", "a.b-c_2", "name"}
	for range rapid.IntRange(1, 3).Draw(t, "tools") {
		i := rapid.IntRange(0, len(names)-1).Draw(t, "name")
		tool := starling.Tool{Name: names[i]}
		names = slices.Delete(names, i, i+1)
		if rapid.IntRange(0, 9).Draw(t, "bare") > 0 {
			tool.Schema = json.RawMessage(objectGen(t, 3))
		}
		all = append(all, tool)
	}
	return all
}

func objectGen(t *rapid.T, depth int) string {
	names := []string{"city", "days", "a b", "日本", `q"x`, "name", "arguments", "<|end|>", "x=y", "x.y"}
	var props, required []string
	for range rapid.IntRange(0, 4).Draw(t, "properties") {
		i := rapid.IntRange(0, len(names)-1).Draw(t, "property")
		props = append(props, string(quoted(names[i]))+":"+schemaGen(t, depth-1))
		if rapid.Bool().Draw(t, "required") && names[i] != "<|end|>" {
			required = append(required, string(quoted(names[i])))
		}
		names = slices.Delete(names, i, i+1)
	}
	more := rapid.SampledFrom([]string{"", "", `,"additionalProperties":false`, `,"additionalProperties":{"type":"integer"}`, `,"additionalProperties":{"type":"string"}`, `,"additionalProperties":true`}).Draw(t, "more")
	return `{"type":"object","properties":{` + strings.Join(props, ",") + `},"required":[` + strings.Join(required, ",") + "]" + more + "}"
}

func schemaGen(t *rapid.T, depth int) string {
	n := 13
	if depth > 0 {
		n = 17
	}
	switch i := rapid.IntRange(0, n).Draw(t, "schema"); i {
	case 14, 15:
		return objectGen(t, depth)
	case 16:
		return `{"type":"array","maxItems":3,"items":` + schemaGen(t, depth-1) + `}`
	case 17:
		return `{"anyOf":[` + schemaGen(t, depth-1) + "," + schemaGen(t, depth-1) + `]}`
	default:
		return []string{
			`{"type":"string"}`, `{"type":"string"}`, `{"type":"string","maxLength":9}`, `{"type":"string","minLength":2}`, `{"type":"string","pattern":"^[a-z<|>]+$"}`, `{"type":"string","format":"date"}`,
			`{"enum":["a","<|im_end|>","</parameter>","b<c","` + strings.ReplaceAll(gemmaQuote, `"`, `\"`) + `"]}`, `{"type":"string","enum":["true","5","","é\n"]}`,
			`{"type":["string","null"]}`, `{"type":"integer","minimum":-3,"maximum":120}`, `{"type":"number"}`, `{"type":"boolean"}`,
			`{"enum":[1,null,true,{"k":[false,"<end_of_turn>"]}]}`, `{"type":["integer","boolean","null"]}`,
		}[i]
	}
}

// TestATextThatIsNotAtItsEndIsNoValue: what stands in it so far may look like a number and
// the end of the call.
func TestATextThatIsNotAtItsEndIsNoValue(t *testing.T) {
	const call = "<|tool_call>call:weather{city:<|\"|>3}, Bern<|\"|>}<tool_call|>"
	for i := range call {
		p := Find("gemma4", "", "")
		deltas, finish := read(p.Reader([]starling.Tool{{Name: "weather"}}), call[:i], call[i:])
		if finish != starling.ToolUse {
			t.Fatalf("in two pieces from byte %d on it is\n%s", i, shown(deltas, finish))
		}
	}
}
