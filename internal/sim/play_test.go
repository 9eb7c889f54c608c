package sim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"starling"
	"starling/internal/sim"
)

// playing is a model with one play of two turns and one without any.
func playing(t *testing.T) *sim.Server {
	t.Helper()
	plays, err := sim.ParsePlays([]byte(`[
		{"task": "ticket 7", "turns": [{"tool": "read", "input": {"path": "a"}}, {"run": "count it"}], "find": "\"n\": *(\\d+)", "say": "There are $1."},
		{"task": "Which berth", "find": "(\\[R-\\d+\\]) The crane is at (berth \\d+)", "say": "$2 $1"}]`))
	if err != nil {
		t.Fatal(err)
	}
	m := both()
	m.Plays = plays
	return sim.New(sim.Options{Models: []sim.Model{m}})
}

// turns are a conversation in a dialect: the user's words, then calls with what
// they answered.
func turns(d starling.Dialect, user string, calls ...[3]string) post {
	messages := []string{`{"role":"user","content":` + quote(user) + `}`}
	for i, c := range calls {
		if d == starling.Anthropic {
			messages = append(messages,
				fmt.Sprintf(`{"role":"assistant","content":[{"type":"tool_use","id":"c%d","name":%q,"input":%s}]}`, i, c[0], c[1]),
				fmt.Sprintf(`{"role":"user","content":[{"type":"tool_result","tool_use_id":"c%d","content":%s},{"type":"text","text":"a reminder"}]}`, i, quote(c[2])))
			continue
		}
		messages = append(messages,
			fmt.Sprintf(`{"role":"assistant","content":null,"tool_calls":[{"id":"c%d","type":"function","function":{"name":%q,"arguments":%s}}]}`, i, c[0], quote(c[1])),
			fmt.Sprintf(`{"role":"tool","tool_call_id":"c%d","content":%s}`, i, quote(c[2])))
	}
	tools := `"tools":[{"type":"function","function":{"name":"read"}},{"type":"function","function":{"name":"sh","parameters":{"type":"object","properties":{"cmd":{"type":"string"}},"required":["cmd"]}}}]`
	if d == starling.Anthropic {
		tools = `"tools":[{"name":"read","input_schema":{"type":"object"}},{"name":"sh","input_schema":{"type":"object","properties":{"cmd":{"type":"string"}},"required":["cmd"]}}],"max_tokens":99`
	}
	return post{dialect: d, body: `{"model":"m","messages":[` + strings.Join(messages, ",") + `],` + tools + `}`}
}

func TestAPlayGoesFromTurnToTurn(t *testing.T) {
	s := playing(t)
	read, run := [3]string{"read", `{"path":"a"}`, "a text"}, [3]string{"sh", `{"cmd":"count it"}`, `{"n": 12}`}
	for _, d := range dialects {
		for _, tt := range []struct {
			name  string
			calls [][3]string
			tool  string
			says  string // arguments of the call, or the answer
		}{
			{"a tool by its name", nil, "read", `{"path": "a"}`},
			{"then the one that runs commands", [][3]string{read}, "sh", `{"cmd":"count it"}`},
			{"then what it said", [][3]string{read, run}, "", "[simulated] There are 12."},
			{"or that nothing was found", [][3]string{read, {"sh", `{"cmd":"count it"}`, "no such file"}}, "", "[simulated] What was sought is not in it: no such file"},
		} {
			t.Run(string(d)+": "+tt.name, func(t *testing.T) {
				got := whole(t, d, ask(s, turns(d, "Look at ticket 7, please", tt.calls...)).Body.String())
				if tt.tool == "" {
					if got.text != tt.says || len(got.calls) > 0 {
						t.Errorf("it says %q and calls %+v", got.text, got.calls)
					}
					return
				}
				if len(got.calls) != 1 || got.calls[0].name != tt.tool || compactJSON(got.calls[0].arguments) != compactJSON(tt.says) {
					t.Errorf("it calls %+v and says %q", got.calls, got.text)
				}
			})
		}
	}
}

func compactJSON(s string) string { return gjson.Get(s, "@ugly").Raw }

func TestAPlayIsOfItsTaskAlone(t *testing.T) {
	s := playing(t)
	for _, tt := range []struct{ name, body, want string }{
		{"another task is none of it", turns("openai", "Look at ticket 8").body, `echo starling`},
		{"what offers no tools is no turn", chat("openai", "m", "A title for: Look at ticket 7").body, `[simulated]`},
		{"one without turns reads for itself", chat("openai", "m", "[R-3] The crane is at berth 12 now.\nWhich berth?").body, `[simulated] berth 12 [R-3]`},
	} {
		if got := ask(s, post{dialect: "openai", body: tt.body}).Body.String(); !strings.Contains(got, tt.want) || strings.Contains(got, "count it") {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
	lacking := strings.Replace(chat("openai", "m", "ticket 7", `"tools":[{"type":"function","function":{"name":"time"}}]`).body, "time", "other", 1)
	if w := ask(s, post{dialect: "openai", body: lacking}); w.Code != 400 || !strings.Contains(w.Body.String(), "not offered") {
		t.Errorf("a tool that is not there: %d %s", w.Code, w.Body)
	}
}

func TestAPlayThatMakesNoSenseIsRefused(t *testing.T) {
	for _, tt := range []struct{ text, why string }{
		{`{}`, "plays"},
		{`[{"task": " "}]`, "no task"},
		{`[{"task": "a", "turn": []}]`, "unknown field"},
		{`[{"task": "a", "turns": [{}]}]`, "turn 1 needs either"},
		{`[{"task": "a", "turns": [{"run": "a", "tool": "b"}]}]`, "turn 1 needs either"},
		{`[{"task": "a", "turns": [{"tool": "b", "input": []}]}]`, "is an object"},
		{`[{"task": "a", "turns": [{"run": "b", "input": {"c": 1}}]}]`, "has none"},
		{`[{"task": "a", "find": "("}]`, "missing closing"},
	} {
		if _, err := sim.ParsePlays([]byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.why) || starling.KindOf(err) != starling.Invalid {
			t.Errorf("%s: %v", tt.text, err)
		}
	}
}
