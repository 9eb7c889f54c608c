package verify

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"

	"starling"
)

// The corpus of turns: made-up traces of agents, good ones and faulty ones. It knows
// nothing of the constants of the nets. Hard ones are on both sides: good ones that
// look like faults, and faults that the nets are known to miss.

// A trace is a conversation with an agent, and the model's next turn.
type trace struct {
	kind   string
	tools  []map[string]any // name, schema
	turns  []turnOf
	choice any // tool_choice in OpenAI's words
	shaped bool
	more   string // of the body
	answer starling.Answer
}

// A turnOf is one message: of a person, or of the model with what its calls gave.
type turnOf struct {
	person  string
	says    string
	calls   []callOf
	results []string
}

type callOf struct{ name, arguments string }

func tool(name, schema string) map[string]any {
	return map[string]any{"name": name, "schema": json.RawMessage(schema)}
}

// agentTools are what a coding agent offers.
func agentTools() []map[string]any {
	return []map[string]any{
		tool("read_file", `{"type":"object","properties":{"path":{"type":"string"},"offset":{"type":"integer"},"limit":{"type":["integer","null"]}},"required":["path"]}`),
		tool("edit_file", `{"type":"object","properties":{"path":{"type":"string"},"old":{"type":"string"},"new":{"type":"string"}},"required":["path","old","new"],"additionalProperties":false}`),
		tool("bash", `{"type":"object","properties":{"command":{"type":"string"},"timeout":{"type":"number","minimum":0}},"required":["command"]}`),
		tool("search", `{"type":"object","properties":{"query":{"type":"string"},"kind":{"enum":["code","docs","issues"]}},"required":["query"]}`),
		tool("check_status", `{"type":"object","properties":{"job":{"type":"string"}},"required":["job"]}`),
		tool("roll_dice", `{"type":"object","properties":{}}`),
		tool("todo", `{"type":"object","properties":{"items":{"type":"array","items":{"type":"object","properties":{"text":{"type":"string"},"done":{"type":"boolean"}},"required":["text"]}}},"required":["items"]}`),
		{"name": "now"},
		tool("odd", `{"type":"object","properties":{"x":{"pattern":"(?=lookahead)"}}}`),
	}
}

func args(pairs ...any) string {
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	b, _ := json.Marshal(m)
	return string(b)
}

func did(name, arguments, result string) turnOf {
	return turnOf{calls: []callOf{{name, arguments}}, results: []string{result}}
}

func says(text string) starling.Answer {
	return starling.Answer{Text: text, Finish: starling.Stopped}
}

func cutAt(text string) starling.Answer {
	return starling.Answer{Text: text, Finish: starling.Length}
}

func does(calls ...callOf) starling.Answer {
	a := starling.Answer{Finish: starling.ToolUse}
	for i, c := range calls {
		a.Calls = append(a.Calls, starling.ToolCall{ID: fmt.Sprintf("call_new_%d", i), Name: c.name, Arguments: c.arguments})
	}
	return a
}

// A maker makes traces from a seed.
type maker struct{ *rand.Rand }

func (m maker) of(all ...string) string { return all[m.IntN(len(all))] }

func (m maker) path() string {
	return m.of("internal", "pkg", "cmd", "src", "lib") + "/" + m.of("route", "auth", "cart", "index", "queue", "store") + "/" + m.of("main", "server", "client", "util", "types", "handler") + m.of(".go", ".ts", ".py", ".rs")
}

func (m maker) command() string {
	return m.of("go test ./...", "npm test", "pytest -q", "cargo build", "make lint", "git diff --stat", "ls -la", "rg TODO")
}

// sentence is prose that does not repeat itself more than people do.
func (m maker) sentence() string {
	subject := m.of("The handler", "This change", "A second reader", "The queue", "Each worker", "Our parser", "The older client", "That test", "The failing case", "One of the callers", "The scheduler", "A retry")
	verb := m.of("keeps", "drops", "rewrites", "checks", "returns", "ignores", "waits for", "copies", "locks", "measures", "hides", "replaces")
	object := m.of("the header", "an empty body", "every second event", "the lock too long", "a stale entry", "the wrong index", "its own timer", "what the cache holds", "the last byte", "a nil pointer", "the user's name", "two rows at once")
	tail := m.of("", " when the input is large", " under load", ", which surprised me", " before the commit", " after a restart", " on Windows only", ", so I moved it", " unless a flag is set", " and logs nothing", fmt.Sprintf(" in %d of %d runs", m.IntN(9), 10+m.IntN(80)))
	return subject + " " + verb + " " + object + tail + "."
}

func (m maker) prose(sentences int) string {
	var b strings.Builder
	for i := range sentences {
		b.WriteString(m.sentence())
		if i%5 == 4 {
			b.WriteString("\n\n")
		} else {
			b.WriteByte(' ')
		}
	}
	return strings.TrimSpace(b.String())
}

func (m maker) chinese(n int) string {
	const runes = "我们先看一下这个函数的实现然后再修改测试用例因为之前写法会导致缓存失效所以需要重新设计接口并且保证向后兼容同时更新文档和示例代码最后运行全部检查确认没有问题如果还有别情况请告诉具体步骤日志输出时间参数返回值错误处理逻辑模块结构"
	all := []rune(runes)
	var b strings.Builder
	for i := range n {
		b.WriteRune(all[m.IntN(len(all))])
		if i%17 == 16 {
			b.WriteString("，")
		} else if i%40 == 39 {
			b.WriteString("。\n")
		}
	}
	return b.String()
}

// history is what an agent did before, all of it sound.
func (m maker) history() []turnOf {
	turns := []turnOf{{person: m.of("Fix the failing test.", "Add a flag.", "Why is it slow?", "请修复这个问题。", "Write the docs.")}}
	for range m.IntN(4) {
		p := m.path()
		turns = append(turns, did("read_file", args("path", p), m.prose(2)), did("bash", args("command", m.command()+" "+p), m.prose(1)))
	}
	return turns
}

func (m maker) trace(kind string, turns []turnOf, a starling.Answer) trace {
	return trace{kind: kind, tools: agentTools(), turns: append(m.history(), turns...), answer: a}
}

// lines joins n lines.
func lines(n int, line func(i int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(line(i) + "\n")
	}
	return strings.TrimSpace(b.String())
}

// goodTraces make a sound turn each.
var goodTraces = []func(m maker) trace{
	func(m maker) trace {
		p := m.path()
		read := args("path", p)
		return m.trace("reads a file again after edits", []turnOf{did("read_file", read, "a := 1"), did("edit_file", args("path", p, "old", "1", "new", "2"), "ok"), did("read_file", read, "a := 2"), did("edit_file", args("path", p, "old", "2", "new", "3"), "ok")}, does(callOf{"read_file", read}))
	},
	func(m maker) trace {
		c := args("command", m.command())
		return m.trace("runs the same tests with other failures", []turnOf{did("bash", c, "FAIL TestA: "+m.sentence()), did("bash", c, "FAIL TestB: "+m.sentence()), did("bash", c, "FAIL TestC: "+m.sentence())}, does(callOf{"bash", c}))
	},
	func(m maker) trace {
		c, p := args("command", m.command()), m.path()
		var turns []turnOf
		for i := range 3 + m.IntN(3) {
			turns = append(turns, did("bash", c, "FAIL TestA"), did("edit_file", args("path", p, "old", fmt.Sprint("v", i), "new", fmt.Sprint("v", i+1)), "ok"))
		}
		return m.trace("the same failure after each of several edits", turns, does(callOf{"bash", c}))
	},
	func(m maker) trace {
		c := args("job", fmt.Sprint("job-", m.IntN(1000)))
		var turns []turnOf
		for range 2 + m.IntN(6) {
			turns = append(turns, did("check_status", c, `{"state":"pending"}`))
		}
		return m.trace("waits for a job that is pending", turns, does(callOf{"check_status", c}))
	},
	func(m maker) trace {
		c := args("command", fmt.Sprintf("sleep %d && gh run view %d", 5+m.IntN(60), m.IntN(1e6)))
		var turns []turnOf
		for range 2 + m.IntN(5) {
			turns = append(turns, did("bash", c, "in progress"))
		}
		return m.trace("sleeps between looks", turns, does(callOf{"bash", c}))
	},
	func(m maker) trace {
		c := args("command", "tail -n1 build.log")
		var turns []turnOf
		for i := range 3 + m.IntN(5) {
			turns = append(turns, did("bash", c, fmt.Sprintf("[%d/90] compiling unit", 3+i*7)))
		}
		return m.trace("a build goes on", turns, does(callOf{"bash", c}))
	},
	func(m maker) trace {
		var turns []turnOf
		for i := range 4 {
			turns = append(turns, did("search", args("query", fmt.Sprintf("%s page %d", m.sentence(), i)), "no results"))
		}
		return m.trace("searches in other words after nothing", turns, does(callOf{"search", args("query", m.sentence(), "kind", m.of("code", "docs", "issues"))}))
	},
	func(m maker) trace {
		c := args("command", m.command())
		return m.trace("tries once more after an error", []turnOf{did("bash", c, "connection reset")}, does(callOf{"bash", c}))
	},
	func(m maker) trace {
		var calls []callOf
		for i := range 2 + m.IntN(7) {
			calls = append(calls, callOf{"read_file", args("path", fmt.Sprint(i, m.path()))})
		}
		return m.trace("reads many files at once", nil, does(calls...))
	},
	func(m maker) trace {
		calls := []callOf{{"roll_dice", "{}"}, {"roll_dice", ""}, {"roll_dice", "{ }"}}
		return m.trace("rolls up to three dice", nil, does(calls[:1+m.IntN(3)]...))
	},
	func(m maker) trace {
		return m.trace("a long list", nil, says(lines(20+m.IntN(60), func(i int) string { return fmt.Sprintf("%d. %s", i+1, m.sentence()) })))
	},
	func(m maker) trace {
		rows := lines(15+m.IntN(40), func(i int) string {
			return "| " + m.of("yes", "no") + " | 0 | " + m.of("ok", "ok", "ok", "failed") + " |"
		})
		return m.trace("a table with the same rows", nil, says("Here is the result:\n\n| a | b | c |\n|---|---|---|\n"+rows))
	},
	func(m maker) trace {
		code := lines(30+m.IntN(60), func(i int) string {
			return m.of("    wg.Done()", "    }", "    return nil", "    if err != nil {", "    defer mu.Unlock()")
		})
		return m.trace("code in a fence", nil, says(m.prose(2)+"\n\n```go\n"+code+"\n```\n"+m.of("", m.sentence())))
	},
	func(m maker) trace {
		return m.trace("rules and boxes", nil, says("Layout:\n\n"+lines(12+m.IntN(20), func(i int) string {
			return "+" + strings.Repeat(m.of("-", "="), 40) + "+\n|" + strings.Repeat(" ", 40) + "|"
		})+"\n\n"+m.sentence()))
	},
	func(m maker) trace {
		log := lines(10+m.IntN(40), func(i int) string {
			return fmt.Sprintf("2026-11-%02dT10:%02d:%02dZ WARN connection refused, retrying", 1+i%28, i%60, i%60)
		})
		return m.trace("log lines in a fence, and what they mean", nil, says("The log says:\n```\n"+log+"\n```\n"+m.prose(3)))
	},
	func(m maker) trace {
		log := lines(10+m.IntN(20), func(i int) string { return "WARN connection refused, retrying" })
		return m.trace("log lines without a fence, and what they mean", nil, says("The log says:\n\n"+log+"\n\n"+m.prose(12)))
	},
	func(m maker) trace {
		t := m.trace("a long JSON answer", nil, says("["+strings.TrimSuffix(lines(40+m.IntN(60), func(i int) string { return fmt.Sprintf(`{"id": %d, "status": "ok", "note": null},`, i) }), ",")+"]"))
		t.shaped = true
		return t
	},
	func(m maker) trace {
		return m.trace("JSON that nobody demanded", nil, says(`{"name": "`+m.of("bob", "read_file")+`", "size": 3, "tags": ["a"]}`))
	},
	func(m maker) trace { return m.trace("Chinese prose", nil, says(m.chinese(150+m.IntN(500)))) },
	func(m maker) trace {
		return m.trace("emoji and short lines", nil, says(lines(10+m.IntN(20), func(i int) string { return m.of("✅", "❌", "⚠️") + " " + m.sentence() })))
	},
	func(m maker) trace {
		return m.trace("explains how a call looks", nil, says(m.sentence()+" For example, a call looks like this:\n\n```json\n{\"name\": \"read_file\", \"arguments\": {\"path\": \"a.go\"}}\n```"+m.of("", "\n\n"+m.sentence())))
	},
	func(m maker) trace {
		return m.trace("talks about the marks of calls", nil, says("Some models write `<tool_call>` as text.\n\n<tool_call> is then followed by JSON with read_file in it, and the agent stops.\n"+m.prose(2)))
	},
	func(m maker) trace {
		return m.trace("optional arguments, null and whole floats", nil, does(callOf{"read_file", `{"path":"a.go","limit":null,"offset":1.0}`}, callOf{"now", ""}, callOf{"now", "{}"}, callOf{"odd", `{"x":"y"}`}))
	},
	func(m maker) trace {
		c := args("command", m.command())
		return m.trace("a person asks for it again", []turnOf{did("bash", c, "ok"), {says: "Done."}, {person: "Again, please."}, did("bash", c, "ok"), {says: "Done."}, {person: m.of("And again.", "Once more.")}}, does(callOf{"bash", c}))
	},
	func(m maker) trace {
		refrain := m.sentence() + "\n" + m.sentence()
		return m.trace("a song with a refrain", nil, says(lines(4, func(i int) string {
			return m.sentence() + "\n" + m.sentence() + "\n" + m.sentence() + "\n" + m.sentence() + "\n\n" + refrain + "\n"
		})))
	},
	func(m maker) trace {
		return m.trace("test results, one a line", nil, says("All pass:\n\n"+lines(15+m.IntN(25), func(i int) string {
			return fmt.Sprintf("- `%s`: %s (%d ms)", m.path(), m.of("pass", "ok", "green"), m.IntN(900))
		})+"\n\n"+m.sentence()))
	},
	func(m maker) trace {
		return m.trace("a short answer", nil, says(m.of("Done.", "ok", "42", "是的。", "👍", "Yes")))
	},
	func(m maker) trace {
		a, b := args("path", m.path()), args("command", m.command())
		var turns []turnOf
		for i := range 6 {
			turns = append(turns, did("read_file", a, fmt.Sprint("version ", i)), did("bash", b, fmt.Sprint(9-i, " failures")))
		}
		return m.trace("to and fro with progress", turns, does(callOf{"read_file", a}))
	},
	func(m maker) trace {
		t := m.trace("a vendor's own tool", nil, does(callOf{"str_replace_based_edit_tool", args("path", m.path())}))
		t.more = `,"tools_of_vendor":true`
		return t
	},
	func(m maker) trace { return m.trace("cut in the middle of good prose", nil, cutAt(m.prose(60))) },
	func(m maker) trace {
		return m.trace("clauses that begin alike", nil, says(lines(12+m.IntN(10), func(i int) string {
			return fmt.Sprintf("%d. The licensee shall not, without prior written consent, %s", i+1, strings.ToLower(m.sentence()))
		})))
	},
	func(m maker) trace {
		return m.trace("thoughts before words", nil, says("<think>"+m.prose(5)+"</think>\n"+m.sentence()))
	},
	func(m maker) trace {
		a := does(callOf{"edit_file", args("path", m.path(), "old", "x", "new", strings.Repeat("0, ", 400))})
		a.Text = "I will " + m.sentence()
		return m.trace("writes a file that repeats itself", nil, a)
	},
	func(m maker) trace {
		return m.trace("a checklist", nil, does(callOf{"todo", args("items", []map[string]any{{"text": m.sentence(), "done": true}, {"text": m.sentence()}})}))
	},
	func(m maker) trace {
		return m.trace("many paragraphs", nil, says(m.prose(120+m.IntN(100))))
	},
	func(m maker) trace {
		t := m.trace("a forced tool is called", nil, does(callOf{"search", args("query", m.sentence())}))
		t.choice = m.of("required", "auto")
		return t
	},
	func(m maker) trace {
		return m.trace("a list of data, cut", nil, cutAt("[\n"+lines(60+m.IntN(60), func(i int) string {
			return fmt.Sprintf(`  {"id": %d, "path": "%s", "status": "%s"},`, i, m.path(), m.of("ok", "failed", "skipped"))
		})))
	},
	func(m maker) trace {
		return m.trace("code, cut", nil, cutAt("```go\n"+lines(60+m.IntN(60), func(i int) string {
			return fmt.Sprintf("\tcase %d:\n\t\treturn %q", i, m.sentence())
		})))
	},
	func(m maker) trace {
		return m.trace("log lines at the end", nil, says(m.prose(4)+"\n\n```\n"+lines(30, func(int) string { return "WARN connection refused, retrying" })+"\n```"))
	},
	func(m maker) trace {
		return m.trace("the same call with other results, many times", []turnOf{did("now", "{}", "10:00 noon"), did("now", "{}", "10:01 noon"), did("now", "{}", "10:02 noon")}, does(callOf{"now", ""}))
	},
	func(m maker) trace {
		return m.trace("HTML without a fence", nil, says("<ul>\n"+lines(20+m.IntN(20), func(i int) string { return "  <li class=\"item\">" + m.sentence() + "</li>" })+"\n</ul>"))
	},
	func(m maker) trace {
		return m.trace("a diff", nil, says("```diff\n"+lines(30, func(i int) string { return m.of("+", "-", " ") + "    mu.Lock()" })+"\n```"))
	},
}

// alarming are good turns at which the net is known to raise an alarm.
var alarming = []func(m maker) trace{
	func(m maker) trace {
		return m.trace("it was asked to write a line many times", []turnOf{{person: "Write it forty times."}}, says(strings.Repeat("I must not push to main.\n", 40)))
	},
}

// loop are three rounds of steps, of which the last is the answer.
func loop(rounds int, steps ...turnOf) (before []turnOf, last starling.Answer) {
	for range rounds {
		before = append(before, steps...)
	}
	return before[:len(before)-1], does(steps[len(steps)-1].calls...)
}

// faultyTraces make a turn each that stops an agent, or has it run in circles.
var faultyTraces = []func(m maker) trace{
	func(m maker) trace {
		turns, a := loop(3, did("read_file", args("path", m.path()), m.prose(3)))
		return m.trace("the same call for the third time", turns, a)
	},
	func(m maker) trace {
		p := m.path()
		return m.trace("the same call, written otherwise", []turnOf{did("read_file", `{"path":"`+p+`","offset":1}`, "x"), did("read_file", `{ "offset": 1, "path": "`+p+`" }`, "x")}, does(callOf{"read_file", "{\"offset\":1,\n\"path\":\"" + p + "\"}"}))
	},
	func(m maker) trace {
		c := args("command", m.command())
		return m.trace("nothing but the time has changed", []turnOf{did("bash", c, "2026-11-26T10:00:01Z FAIL TestA 0.12s"), did("bash", c, "2026-11-26T10:00:09Z FAIL TestA 0.15s")}, does(callOf{"bash", c}))
	},
	func(m maker) trace {
		turns, a := loop(3, did("bash", args("command", m.command()), "error: "+m.of("no such file", "permission denied", "command not found")))
		return m.trace("the same error for the third time", turns, a)
	},
	func(m maker) trace {
		turns, a := loop(3, did("read_file", args("path", m.path()), "a"), did("bash", args("command", m.command()), "b"))
		return m.trace("two calls in turn", turns, a)
	},
	func(m maker) trace {
		turns, a := loop(3, did("read_file", args("path", m.path()), "a"), did("search", args("query", m.sentence()), "b"), did("bash", args("command", m.command()), "c"))
		return m.trace("three calls in turn", turns, a)
	},
	func(m maker) trace {
		x, y := callOf{"read_file", args("path", "a"+m.path())}, callOf{"read_file", args("path", "b"+m.path())}
		turn := turnOf{calls: []callOf{x, y}, results: []string{"1", "2"}}
		return m.trace("two calls at once, for the third time", []turnOf{turn, turn}, does(y, x))
	},
	func(m maker) trace {
		return m.trace("a tool that is not there", nil, does(callOf{m.of("readFile", "read_files", "functions.read_file", "write_file", "python", "Bash", "grep"), args("path", m.path())}))
	},
	func(m maker) trace {
		t := m.trace("no tools are offered", []turnOf{did("bash", args("command", "ls"), "a")}, does(callOf{"bash", args("command", "ls -l")}))
		t.tools = nil
		return t
	},
	func(m maker) trace {
		return m.trace("arguments that are no JSON", nil, does(callOf{"read_file", m.of(`{"path":"a.go`, `path=a.go`, `{'path':'a.go'}`, `{"path":"a.go"}}`, `"a.go"`, `["a.go"]`, `{"path":"a"}{"path":"b"}`)}))
	},
	func(m maker) trace {
		return m.trace("arguments of a wrong type", nil, does(callOf{"bash", m.of(`{"command":["ls"]}`, `{"command":"ls","timeout":"60"}`, `{"command":null}`, `{"command":"ls","timeout":-1}`, `{"command":{"cmd":"ls"}}`)}))
	},
	func(m maker) trace {
		return m.trace("arguments that are missing", nil, does(callOf{"edit_file", m.of(`{}`, ``, `{"path":"a"}`, `{"path":"a","old":"x"}`, `{"file":"a","old":"x","new":"y"}`)}))
	},
	func(m maker) trace {
		return m.trace("arguments that are not allowed", nil, does(m.pick(callOf{"search", `{"query":"x","kind":"everything"}`}, callOf{"edit_file", `{"path":"a","old":"x","new":"y","force":true}`}, callOf{"todo", `{"items":[{"done":true}]}`}, callOf{"todo", `{"items":"[]"}`})))
	},
	func(m maker) trace {
		return m.trace("an empty turn", []turnOf{did("bash", args("command", "ls"), "a")}, says(m.of("", " ", "\n\n", "\u00a0")))
	},
	func(m maker) trace {
		return m.trace("nothing but thoughts", nil, says("<think>"+m.prose(4)+m.of("</think>", "</think>\n\n", "")))
	},
	func(m maker) trace {
		return m.trace("it says that it calls a tool, and calls none", nil, starling.Answer{Finish: starling.ToolUse})
	},
	func(m maker) trace {
		t := m.trace("a forced tool is not called", nil, says(m.sentence()))
		t.choice = "required"
		return t
	},
	func(m maker) trace {
		t := m.trace("another tool than the forced one", nil, does(callOf{"bash", args("command", "ls")}))
		t.choice = map[string]any{"type": "function", "function": map[string]any{"name": "search"}}
		return t
	},
	func(m maker) trace {
		return m.trace("a call in marks", nil, says(m.of("", "Let me look.\n", "I will read it now.\n\n")+m.of(
			"<tool_call>\n{\"name\": \"read_file\", \"arguments\": {\"path\": \"a.go\"}}\n</tool_call>",
			"<tool_call>{\"name\":\"bash\",\"arguments\":{\"command\":\"ls\"}}",
			"<function=bash>\n<parameter=command>ls</parameter>\n</function>",
			"[TOOL_CALLS][{\"name\":\"bash\",\"arguments\":{\"command\":\"ls\"}}]",
			"<|python_tag|>bash.call(command=\"ls\")",
			"<invoke name=\"bash\">\n<parameter name=\"command\">ls</parameter>\n</invoke>",
			"```tool_code\nread_file(path=\"a.go\")\n```",
			"Action: bash\nAction Input: {\"command\": \"ls\"}",
			"functions.bash({\"command\":\"ls\"})")))
	},
	func(m maker) trace {
		return m.trace("a call as JSON", nil, says(m.of("", "Sure.\n", "Let me run that:\n\n")+m.of(
			`{"name": "bash", "arguments": {"command": "ls"}}`, `{"name":"read_file","parameters":{"path":"a.go"}}`, "```json\n{\"name\": \"search\", \"arguments\": {\"query\": \"x\"}}\n```",
			`{"tool": "bash", "args": {"command": "ls"}}`, `{"type":"function","function":{"name":"bash","arguments":"{\"command\":\"ls\"}"}}`, `[{"name":"bash","arguments":{"command":"ls"}},{"name":"read_file","arguments":{"path":"x"}}]`,
			`{"action":"bash","action_input":{"command":"ls"}}`)))
	},
	func(m maker) trace {
		s := m.sentence()
		return m.trace("one sentence until the limit", nil, cutAt(m.of("", m.prose(3)+" ")+strings.Repeat(s+" ", 8+m.IntN(60))))
	},
	func(m maker) trace {
		s := m.sentence() + " " + m.sentence() + " " + m.sentence() + " " + m.sentence()
		return m.trace("one paragraph until the limit", nil, cutAt(strings.Repeat(s+"\n\n", 6+m.IntN(20))+s[:40]))
	},
	func(m maker) trace {
		s := m.sentence()
		return m.trace("one sentence, and then an end", nil, says(m.prose(2)+" "+strings.Repeat(s+"\n", 12+m.IntN(40))))
	},
	func(m maker) trace {
		return m.trace("one word until the limit", nil, cutAt(m.prose(2)+" "+strings.Repeat(m.of("the ", "and ", "no no yes ", "ha", "OK, "), 120+m.IntN(400))))
	},
	func(m maker) trace {
		return m.trace("one character", nil, m.cutOrNot(strings.Repeat(m.of("!", "0", "a", "好", "\\", "G"), 400+m.IntN(2000))))
	},
	func(m maker) trace {
		s := m.chinese(12 + m.IntN(30))
		return m.trace("one Chinese sentence until the limit", nil, cutAt(strings.Repeat(s, 12+m.IntN(30))))
	},
	func(m maker) trace {
		all := []string{m.sentence(), m.sentence(), m.sentence(), m.sentence()}
		return m.trace("a few sentences in any order", nil, m.cutOrNot(lines(60+m.IntN(60), func(int) string { return m.of(all...) })))
	},
	func(m maker) trace {
		return m.trace("the same step, counted", nil, cutAt(lines(40+m.IntN(60), func(i int) string {
			return fmt.Sprintf("Step %d: I will try to run the command again and see whether it works this time.", i+1)
		})))
	},
	func(m maker) trace {
		s := m.sentence()
		return m.trace("good prose, and then one sentence until the limit", nil, cutAt(m.prose(60)+"\n\n"+strings.Repeat(s+" ", 10+m.IntN(40))))
	},
	func(m maker) trace {
		var calls []callOf
		for range 5 + m.IntN(30) {
			calls = append(calls, callOf{"read_file", args("path", "a.go")})
		}
		return m.trace("the same call many times at once", nil, does(calls...))
	},
	func(m maker) trace {
		s := m.sentence()
		a := does(callOf{"bash", args("command", "ls")})
		a.Text = strings.Repeat(s+" ", 20+m.IntN(20))
		return m.trace("it babbles, and then calls", nil, a)
	},
	func(m maker) trace {
		return m.trace("code that never ends", nil, cutAt("```python\n"+strings.Repeat("    if x is None:\n        return None\n", 30+m.IntN(50))))
	},
}

// missed are faults that the nets are known not to see: what a person, or a program in
// the person's place, says in between makes it another question, and who waits may ask
// again.
var missed = []func(m maker) trace{
	func(m maker) trace {
		c := args("command", m.command())
		return m.trace("a loop that is nudged on", []turnOf{did("bash", c, "x"), {person: "Continue."}, did("bash", c, "x"), {person: "Continue."}, did("bash", c, "x"), {person: "Continue."}}, does(callOf{"bash", c}))
	},
	func(m maker) trace {
		turns, a := loop(3, did("check_status", args("job", "none"), "there is no such job"))
		return m.trace("it waits for what will never come", turns, a)
	},
	func(m maker) trace {
		var turns []turnOf
		for i := range 5 {
			turns = append(turns, did("search", args("query", "the same thing", "attempt", i), "no results"))
		}
		return m.trace("a loop with a counter in it", turns, does(callOf{"search", args("query", "the same thing", "attempt", 5)}))
	},
}

func (m maker) pick(all ...callOf) callOf { return all[m.IntN(len(all))] }

func (m maker) cutOrNot(text string) starling.Answer {
	if m.IntN(2) == 0 {
		return says(text)
	}
	return cutAt(text)
}
