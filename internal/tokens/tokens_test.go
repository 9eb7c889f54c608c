package tokens

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"starling"
	"starling/internal/wire"
)

// sizeOf is the size of a request for a model of which nothing was learned.
func sizeOf(r *starling.Request, m starling.Model) (n int64, exact bool, how string) {
	s := (*Factors)(nil).Size(r, m)
	return s.Tokens, s.Exact, s.How
}

var (
	gpt4o = starling.Model{Provider: "openai", Name: "gpt-4o", Zone: starling.Cloud, Context: 128_000}
	gpt4  = starling.Model{Provider: "openai", Name: "gpt-4", Zone: starling.Cloud, Context: 8192}
	other = starling.Model{Provider: "x", Name: "other", Zone: starling.Cloud, Context: 128_000}
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// asking is a request with these texts as messages of the user.
func asking(texts ...string) *starling.Request {
	type message struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	var all []message
	for _, t := range texts {
		all = append(all, message{"user", t})
	}
	body := must(json.Marshal(map[string]any{"model": "m", "messages": all}))
	r := must(wire.Parse(starling.OpenAI, body))
	return &r
}

// parsed is a request of that body.
func parsed(d starling.Dialect, body string) *starling.Request {
	r := must(wire.Parse(d, []byte(body)))
	return &r
}

// TestTheCountIsThatOfTheVendorsOwnTokenizer compares with counts made once by the
// reference implementation: the npm package tiktoken 1.0.22, which is OpenAI's Rust
// code compiled to WebAssembly (get_encoding(name).encode_ordinary(text).length).
func TestTheCountIsThatOfTheVendorsOwnTokenizer(t *testing.T) {
	var golden []struct {
		Text   string
		O200k  int64 `json:"o200k_base"`
		Cl100k int64 `json:"cl100k_base"`
	}
	if err := json.Unmarshal(must(os.ReadFile("testdata/counts.json")), &golden); err != nil {
		t.Fatal(err)
	}
	for _, g := range golden {
		for _, c := range []struct {
			m    starling.Model
			want int64
		}{{gpt4o, g.O200k}, {gpt4, g.Cl100k}} {
			n, exact, how := sizeOf(asking(g.Text), c.m)
			if n -= perTurn + perReply; !exact || n < c.want || float64(n) > float64(c.want)*1.003 || len(g.Text) < longestPiece && n != c.want {
				t.Errorf("%.40q for %s: %d tokens (%s), want %d", g.Text, c.m.Name, n, how, c.want)
			}
		}
	}
}

func TestWhatAModelReadsIsCountedInEachDialect(t *testing.T) {
	const frame = perTurn + perReply
	picture := strings.Repeat("QUJD", 1000)
	for _, c := range []struct {
		name string
		d    starling.Dialect
		body string
		want int64
	}{
		{"one message", starling.OpenAI, `{"model":"m","messages":[{"role":"user","content":"hello world"}]}`, 2 + frame},
		{"each message has a frame", starling.OpenAI, `{"model":"m","messages":[{"role":"system","content":"hello"},{"role":"user","content":"hello world"}]}`, 3 + perTurn + frame},
		{"a name is one more", starling.OpenAI, `{"model":"m","messages":[{"role":"user","name":"hello","content":"hello world"}]}`, 3 + perName + frame},
		{"escapes are what they stand for", starling.OpenAI, `{"model":"m","messages":[{"role":"user","content":"\u0068ello w\u006frld"}]}`, 2 + frame},
		{"parts", starling.OpenAI, `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hello"},{"type":"text","text":"hello world"}]}]}`, 3 + frame},
		{"a picture is not text", starling.OpenAI, `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hello"},{"type":"image_url","image_url":{"url":"data:image/png;base64,` + picture + `"}}]}]}`, 1 + frame},
		{"nor are settings", starling.OpenAI, `{"model":"m","user":"hello hello","metadata":{"a":"hello"},"stop":["hello"],"messages":[{"role":"user","content":"hello"}]}`, 1 + frame},
		{"a call with its arguments, and its result", starling.OpenAI, `{"model":"m","messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"hello","arguments":"hello world"}}]},{"role":"tool","tool_call_id":"call_1","content":"hello"}]}`, 1 + perName + 2 + 1 + perTurn + frame},
		{"tools by their words", starling.OpenAI, `{"model":"m","tools":[{"type":"function","function":{"name":"hello","description":"hello world","parameters":{"type":"object","properties":{"hello":{"type":"string","enum":["hello"]}},"required":["hello"]}}}],"messages":[{"role":"user","content":"hello"}]}`, 1 + 2 + 1 + 1 + 1 + frame},
		{"a system prompt of its own", starling.Anthropic, `{"model":"m","max_tokens":5,"system":[{"type":"text","text":"hello","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":"hello world"}]}`, 3 + perTurn + frame},
		{"thoughts of earlier turns are taken out again", starling.Anthropic, `{"model":"m","max_tokens":5,"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"hello hello hello","signature":"hello"},{"type":"text","text":"hello"}]}]}`, 1 + frame},
		{"what a call is given is read as JSON", starling.Anthropic, `{"model":"m","max_tokens":5,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"hello","input":{"a": 1}}]}]}`, 1 + perName + o200k.count([][]byte{[]byte(`{"a":1}`)}, nil) + frame},
		{"a result in parts", starling.Anthropic, `{"model":"m","max_tokens":5,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"hello world"}]}]}]}`, 2 + frame},
	} {
		t.Run(c.name, func(t *testing.T) {
			if n, _, _ := sizeOf(parsed(c.d, c.body), gpt4o); n != c.want {
				t.Errorf("%d tokens, want %d", n, c.want)
			}
		})
	}
}

// Dialects of which [wire.Parse] may know nothing yet are read all the same: by the
// names of their members.
func TestWhatAModelReadsIsFoundInTheOtherDialectsToo(t *testing.T) {
	for body, want := range map[string]int64{
		`{"model":"m","instructions":"hello","input":"hello world"}`: 3 + 2*perTurn + perReply,
		`{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"hello world"}]},{"type":"function_call_output","call_id":"c","output":"hello"}]}`: 3 + 2*perTurn + perReply,
		`{"systemInstruction":{"parts":[{"text":"hello"}]},"contents":[{"role":"user","parts":[{"text":"hello world"},{"inlineData":{"data":"hello"}}]}]}`:              3 + 2*perTurn + perReply,
		`{"model":"m","system":"hello","prompt":"hello world","images":["hello"]}`:                                                                                      3 + 2*perTurn + perReply,
		`{"model":"m","input":["hello","hello world"]}`:                                   3 + 2*perTurn + perReply,
		`{"model":"m","messages":[{"role":"user","content":"hello","images":["hello"]}]}`: 1 + perTurn + perReply,
	} {
		if n, _, _ := sizeOf(&starling.Request{Body: []byte(body)}, gpt4o); n != want {
			t.Errorf("%s: %d tokens, want %d", body, n, want)
		}
	}
}

func TestOnlyPlainTextForTheVendorsOwnModelsIsExact(t *testing.T) {
	simulated := gpt4o
	simulated.Simulated = true
	tools := asking("hello")
	tools.Tools = 1
	for _, c := range []struct {
		name  string
		r     *starling.Request
		m     starling.Model
		exact bool
		how   string
	}{
		{"text for gpt-4o", asking("hello"), gpt4o, true, "counted with o200k_base"},
		{"as a reseller names it", asking("hello"), starling.Model{Name: "openai/gpt-4o-mini"}, true, "counted with o200k_base"},
		{"an older one", asking("hello"), gpt4, true, "counted with cl100k_base"},
		{"a fine-tuned one", asking("hello"), starling.Model{Name: "ft:gpt-4o:me"}, true, "counted with o200k_base"},
		{"with tools", tools, gpt4o, false, "counted with o200k_base, an estimate"},
		{"somebody else", asking("hello"), other, false, "counted with o200k_base, an estimate"},
		{"a simulated one", asking("hello"), simulated, false, "counted with o200k_base, an estimate"},
		{"a demanded shape", parsed(starling.OpenAI, `{"model":"m","response_format":{"type":"json_object"},"messages":[{"role":"user","content":"hello"}]}`), gpt4o, false, "counted with o200k_base, an estimate"},
		{"what the vendor shortens", parsed(starling.Anthropic, `{"model":"m","max_tokens":5,"context_management":{},"messages":[{"role":"user","content":"hello"}]}`), gpt4o, false, "counted with o200k_base, an estimate"},
	} {
		if _, exact, how := sizeOf(c.r, c.m); exact != c.exact || how != c.how {
			t.Errorf("%s: exact %t, %s", c.name, exact, how)
		}
	}
}

var words = rapid.SliceOfN(rapid.OneOf(rapid.StringN(0, 40, 200), rapid.StringMatching(`[a-zA-Z ]{0,80}`), rapid.SampledFrom([]string{"\n\n", "   ", "\t \n", "日本語", "🙂", "'s", "12345"})), 1, 30)

func TestThereAreNoMoreTokensThanTheBoundByBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := asking(words.Draw(t, "messages")...)
		n, _, _ := sizeOf(r, gpt4o)
		if most, _ := gpt4o.Bounds(r); n > most {
			t.Fatalf("%d tokens, at most %d were reserved: %s", n, most, r.Body)
		}
	})
}

func TestWhoSendsMoreDoesNotHaveFewer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := words.Draw(t, "messages")
		before, _, _ := sizeOf(asking(all...), gpt4o)
		after, _, _ := sizeOf(asking(append(all, rapid.String().Draw(t, "more"))...), gpt4o)
		if after <= before {
			t.Fatalf("%d tokens, and with a message more %d", before, after)
		}
	})
}

func TestACountIsTheSameHoweverOftenItIsAsked(t *testing.T) {
	long := strings.Repeat("The starling is a bird. ", 100)
	first, _, _ := sizeOf(asking(long, "and more"), gpt4o)
	again, _, _ := sizeOf(asking(long, "and more"), gpt4o) // its long passage is remembered now
	r := asking(long, "and more")
	r.Counted = new(starling.Counted)
	a, _, _ := sizeOf(r, gpt4o)
	r.Body = nil
	b, _, _ := sizeOf(r, gpt4o)
	if first != again || a != first || b != first {
		t.Errorf("%d, %d, %d, %d tokens", first, again, a, b)
	}
}

// TestNoPieceIsLongerThanTheTokenizerCanBear: its time grows with the square of some
// texts. Uncut, 256 KB of "\t \n" take it 40 seconds.
func TestNoPieceIsLongerThanTheTokenizerCanBear(t *testing.T) {
	for _, p := range []string{"\t \n", " \n", "a", "A", " ", "!", "1", "e\u0301", "中", "\u3000", "x y"} {
		text, whole := strings.Repeat(p, 10_000), 0
		for rest := text; rest != ""; {
			at := cut(rest)
			piece := rest[:at]
			if at == 0 || len(piece) > longestPiece+utf8.UTFMax || len(piece) > longestBlank && strings.Trim(piece, " \t\r\n") == "" || !utf8.ValidString(piece) {
				t.Fatalf("%q is cut into a piece of %d bytes", p, at)
			}
			whole, rest = whole+at, rest[at:]
		}
		if whole != len(text) {
			t.Errorf("%q: %d bytes of %d", p, whole, len(text))
		}
	}
}

func TestOfAVeryLongRequestAPartIsCounted(t *testing.T) {
	const sentence = "The starling is a bird that flies in flocks of many thousands, and no one of them leads. "
	each := o200k.count([][]byte{[]byte(strconv.Quote(sentence))}, nil)
	prose := strings.Repeat(sentence, 40_000) // 3.5 MB
	pieces := strings.SplitAfter(prose[:len(sentence)*22_000], ". ")[:22_000]
	for name, c := range map[string]struct {
		r    *starling.Request
		want int64
	}{"in one message": {asking(prose), 40_000 * each}, "in many": {asking(pieces...), 22_000 * (each + perTurn)}} {
		n, exact, _ := sizeOf(c.r, gpt4o)
		if exact || math.Abs(float64(n)/float64(c.want)-1) > 0.05 {
			t.Errorf("%s: %d tokens (exact: %t), want about %d", name, n, exact, c.want)
		}
	}
}

func TestACountThatNobodyWaitsForEnds(t *testing.T) {
	o200k.known, o200k.words = memory{}, memory{} // else nothing is left to be counted
	r := asking(strings.Repeat("The starling is a bird. ", 10_000))
	calls := 0
	if n := Ours(r, gpt4o, func() bool { calls++; return calls > 3 }); n != 0 || calls > 4*block {
		t.Errorf("%d tokens after %d pieces", n, calls)
	}
	r.Counted = new(starling.Counted)
	_ = Ours(r, gpt4o, func() bool { return true })
	if n := Ours(r, gpt4o, nil); n == 0 {
		t.Error("what was stopped is remembered")
	}
}

func BenchmarkCount(b *testing.B) {
	b.Run("this repository's own documents, never seen before", func(b *testing.B) {
		var all []byte
		for _, path := range must(filepath.Glob("../../docs/*/*.md")) {
			all = append(all, must(os.ReadFile(path))...)
		}
		r := asking(string(all))
		b.SetBytes(int64(len(all)))
		for b.Loop() {
			o200k.known, o200k.words = memory{}, memory{}
			sizeOf(r, gpt4o)
		}
	})
	for name, text := range map[string]string{
		"prose": strings.Repeat("The starling is a bird that flies in flocks of many thousands, and no one of them leads. ", 600)[:50_000],
		"code":  strings.Repeat("\t\tif err := f.birds[i].flap(); err != nil {\n\t\t\treturn fmt.Errorf(\"bird %d: %w\", i, err)\n\t\t}\n", 600)[:50_000],
	} {
		b.Run(name+" of 50 KB", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for i := 0; b.Loop(); i++ {
				sizeOf(asking(fmt.Sprint(i)+text), gpt4o)
			}
		})
		b.Run(name+" of 50 KB, known but for its last message", func(b *testing.B) {
			all := strings.SplitAfter(text, " b")
			r := asking(strings.Join(all[:len(all)/2], ""), strings.Join(all[len(all)/2:], ""), "go on")
			sizeOf(r, gpt4o)
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				sizeOf(r, gpt4o)
			}
		})
	}
}

func TestATextInPiecesHasAsManyTokensAsInOne(t *testing.T) {
	piece := rapid.OneOf(rapid.StringMatching(`[a-zA-Z0-9 .,;:/'\-_(){}"!\n\t\r]{0,30}`), rapid.StringN(0, 10, 40),
		rapid.SampledFrom([]string{" ", "  ", "\n", "\r\n", "\n\n", "\n/", "\n\t\tif x", "don't", "\u00a0", "\u3000", "e\u0301", " \u0301", "日本 語", "🙂 a"}))
	for _, e := range []*encoding{o200k, cl100k} {
		rapid.Check(t, func(t *rapid.T) {
			text := strings.Join(rapid.SliceOfN(piece, 1, 20).Draw(t, "text"), "")
			if len(text) > longestPiece {
				text = text[:0]
			}
			c := counting{encoding: e, sparse: 1}
			c.text(text)
			if want := e.tokens(text); c.tokens != want {
				t.Fatalf("%s: %d tokens in pieces, %d in one of %q", e.name, c.tokens, want, text)
			}
		})
	}
}
