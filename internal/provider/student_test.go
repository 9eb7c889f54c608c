package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"starling"
	"starling/internal/conform"
	"starling/internal/student"
	"starling/internal/wire"
)

const instruction = "Answer with one label:\nparcel or money."

func free(string) starling.Price { return starling.Price{Free: true, Source: "test"} }

// schooled returns a student that knows parcels from money, or from what the labels
// are otherwise called.
func schooled(t testing.TB, l student.Lesson, parcel, money string) *student.Taught {
	t.Helper()
	var all []student.Example
	for i := range 30 {
		all = append(all, student.Example{Text: fmt.Sprintf("where is parcel %d that i ordered", i), Label: parcel},
			student.Example{Text: fmt.Sprintf("sing of the money %d that you owe me", i), Label: money})
		if money == "" {
			all = append(all, student.Example{Text: fmt.Sprintf("the code %d lets me in no more", i), Label: "code"})
		}
	}
	s, err := student.Train(t.Context(), all, student.Options{})
	if err != nil {
		t.Fatal(err)
	}
	made, err := student.Teach(s, l)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestAStudentConforms(t *testing.T) {
	conform.Provider(t, func(t *testing.T, s conform.Script) *conform.Bench {
		taught := schooled(t, student.Lesson{Skill: "m"}, strings.Join(s.Words, ""), strings.Join(s.Words, "")+" ")
		p := NewStudents([]*student.Taught{taught}, free, nil)
		return &conform.Bench{Provider: p, Model: p.Models()[0], Alone: true, Ask: func(stream bool) *starling.Request {
			r := asking(starling.OpenAI, stream)
			r.Body = []byte(strings.Replace(string(r.Body), `"sing"`, `"where is parcel 7 that i ordered"`, 1))
			return r
		}}
	})
}

// A questioner asks a student in both dialects.
type questioner struct {
	p *Students
	l student.Lesson
}

func questions(t testing.TB, l student.Lesson) *questioner {
	l.Skill = "triage"
	return &questioner{NewStudents([]*student.Taught{schooled(t, l, "parcel", "money")}, free, nil), l}
}

// ask returns the one event of the answer to a body, without its "model".
func (q *questioner) ask(t testing.TB, d starling.Dialect, body string) (starling.Event, *starling.Request, error) {
	t.Helper()
	r, err := wire.Parse(d, []byte(`{"model":"starling/triage",`+body[1:]))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	var last starling.Event
	n := 0
	for ev, err := range q.p.Generate(t.Context(), starling.Call{Model: q.p.Models()[0], Request: &r, Furthest: starling.Machine, Left: func(string) {}}) {
		if n++; n > 1 {
			t.Fatal("more than one event")
		}
		if err != nil {
			return ev, &r, err
		}
		last = ev
	}
	return last, &r, nil
}

func TestAStudentAnswersWhatItWasTaughtAndNothingElse(t *testing.T) {
	spaced, _ := json.Marshal("Answer with  one label: parcel or money.\n")
	system := fmt.Sprintf(`{"role":"system","content":%s}`, spaced)
	q := `{"role":"user","content":"where is parcel 7 that i ordered"}`
	schema := func(s string) string {
		return `{"messages":[` + system + `,` + q + `],"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":` + s + `}}}`
	}
	both := `"messages":[` + system + `,` + q + `]`
	for _, c := range []struct {
		name    string
		dialect starling.Dialect
		body    string
		why     string // "" it answers
	}{
		{"its prompt, otherwise spaced", starling.OpenAI, `{` + both + `}`, ""},
		{"Anthropic's", starling.Anthropic, `{"max_tokens":9,"system":` + string(spaced) + `,"messages":[` + q + `]}`, ""},
		{"Anthropic's, marked for a cache", starling.Anthropic, `{"max_tokens":9,"system":[{"type":"text","text":` + string(spaced) + `,"cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":[{"type":"text","text":"where is parcel 7 that i ordered"}]}]}`, ""},
		{"what makes no difference", starling.OpenAI, `{` + both + `,"temperature":0.7,"seed":3,"user":"u","metadata":{"a":"b"},"logprobs":false,"store":true,"max_tokens":2}`, ""},
		{"free text in so many words", starling.OpenAI, `{` + both + `,"response_format":{"type":"text"}}`, ""},
		{"no prompt", starling.OpenAI, `{"messages":[` + q + `]}`, "the system prompt is another"},
		{"another prompt", starling.OpenAI, `{"messages":[{"role":"system","content":"Answer with one label: money or parcel."},` + q + `]}`, "the system prompt is another"},
		{"an earlier turn", starling.OpenAI, `{"messages":[` + system + `,{"role":"user","content":"hi"},{"role":"assistant","content":"parcel"},` + q + `]}`, "more than one message"},
		{"two messages", starling.OpenAI, `{"messages":[` + system + `,` + q + `,` + q + `]}`, "more than one message"},
		{"the assistant begins", starling.OpenAI, `{"messages":[` + system + `,{"role":"assistant","content":"parcel"}]}`, "more than one message"},
		{"a tool", starling.OpenAI, `{` + both + `,"tools":[{"type":"function","function":{"name":"f"}}]}`, "tools"},
		{"an older tool", starling.OpenAI, `{` + both + `,"functions":[{"name":"f"}]}`, "functions"},
		{"a picture", starling.OpenAI, `{"messages":[` + system + `,{"role":"user","content":[{"type":"text","text":"where is parcel 7 that i ordered"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}`, "more than text"},
		{"a document", starling.Anthropic, `{"max_tokens":9,"system":` + string(spaced) + `,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"x"}}]}]}`, ""},
		{"two choices", starling.OpenAI, `{` + both + `,"n":2}`, "more than one answer"},
		{"probabilities", starling.OpenAI, `{` + both + `,"logprobs":true}`, "logprobs"},
		{"what nobody knows", starling.OpenAI, `{` + both + `,"reply_in":"verse"}`, "reply_in"},
		{"nothing to see", starling.OpenAI, `{"messages":[` + system + `,{"role":"user","content":"  "}]}`, "there is no text"},
		{"a stop sequence within", starling.OpenAI, `{` + both + `,"stop":["arc"]}`, "stop sequence"},
		{"a limit that is too low", starling.OpenAI, `{` + both + `,"max_tokens":1}`, "output limit"},
		{"JSON", starling.OpenAI, `{` + both + `,"response_format":{"type":"json_object"}}`, "JSON is demanded"},
		{"a schema", starling.OpenAI, schema(`{"type":"object"}`), "JSON is demanded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := c.why
			if c.name == "a document" {
				want = "more than text"
			}
			ev, r, err := questions(t, student.Lesson{Prompt: instruction}).ask(t, c.dialect, c.body)
			if want != "" {
				if starling.KindOf(err) != starling.Invalid || !strings.Contains(err.Error(), "asked otherwise than it was taught") || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || ev.Deltas[0].Text != "parcel" || ev.Finish != starling.Stopped || !(ev.Confidence > 0.5 && ev.Confidence <= 1) {
				t.Errorf("got %+v, %v", ev, err)
			}
			if ev.Usage == nil || !ev.Usage.Estimated || ev.Usage.Input == 0 || ev.Usage.Output == 0 || r.Chat != nil {
				t.Errorf("usage %+v; the request has a view: %v", ev.Usage, r.Chat != nil)
			}
		})
	}
}

func TestAStudentAnswersInItsFormWhereThatIsDemanded(t *testing.T) {
	q := questions(t, student.Lesson{Form: student.Form{Before: `{"label": `, After: "}", Quoted: true}})
	for format, ok := range map[string]bool{
		`{"type":"text"}`:        true,
		`{"type":"json_object"}`: true,
		`{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object","required":["label"],"properties":{"label":{"enum":["parcel","money"]}},"additionalProperties":false}}}`: true,
		`{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object","required":["label","why"]}}}`:                                                                           false,
		`{"type":"json_schema","json_schema":{"name":"x","schema":{"$ref":"https://example.com/schema"}}}`:                                                                                  false,
		`{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object","properties":{"label":{"enum":["money"]}}}}}`:                                                            false,
	} {
		ev, _, err := q.ask(t, starling.OpenAI, `{"messages":[{"role":"user","content":"where is parcel 7 that i ordered"}],"response_format":`+format+`}`)
		if (err == nil) != ok || ok && ev.Deltas[0].Text != `{"label": "parcel"}` || !ok && starling.KindOf(err) != starling.Invalid {
			t.Errorf("%s: %+v, %v", format, ev, err)
		}
	}
}

// TestTheCallerGetsAnAnswerOfItsDialect: streamed or whole, as from any model.
func TestTheCallerGetsAnAnswerOfItsDialect(t *testing.T) {
	q := questions(t, student.Lesson{})
	for _, d := range []starling.Dialect{starling.OpenAI, starling.Anthropic} {
		for _, stream := range []bool{true, false} {
			ev, r, err := q.ask(t, d, fmt.Sprintf(`{"stream":%v,"max_tokens":9,"messages":[{"role":"user","content":"sing of the money 3 that you owe me"}]}`, stream))
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			w := wire.NewWriter(&out, wire.WriterOptions{Request: r, ID: "x", Model: ev.Model})
			if err := w.Event(ev); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			said, finish := "", starling.Finish("")
			for back, err := range wire.Read(strings.NewReader(out.String()), wire.ReadOptions{Dialect: d, Stream: stream, Deltas: true, MaxEvent: 1 << 16, Size: -1, Choices: 1}) {
				if err != nil {
					t.Fatalf("%s: %v", out.String(), err)
				}
				for _, piece := range back.Deltas {
					said += piece.Text
				}
				if back.Finish != "" {
					finish = back.Finish
				}
			}
			if said != "money" || finish != starling.Stopped {
				t.Errorf("%s, streamed %v: %q, %q of\n%s", d, stream, said, finish, out.String())
			}
		}
	}
}

func TestAStudentThatFindsNoLabelFittingDoesNotAnswer(t *testing.T) {
	p := NewStudents([]*student.Taught{schooled(t, student.Lesson{Skill: "m"}, "parcel", "")}, free, nil)
	r := asking(starling.OpenAI, false) // to sing, as those who fit no label
	for ev, err := range p.Generate(t.Context(), starling.Call{Model: p.Models()[0], Request: r, Furthest: starling.Cloud, Left: func(string) {}}) {
		if starling.KindOf(err) != starling.Refused || ev.Confidence != 0 {
			t.Errorf("%+v, %v", ev, err)
		}
	}
}

func TestAPlanIsOfOneStudent(t *testing.T) {
	q := questions(t, student.Lesson{})
	m := q.p.Models()[0]
	if m.ID() != "student/triage" || !m.Student || m.Digest == "" || m.Zone != starling.Machine || !m.Price.Known() {
		t.Errorf("model %+v", m)
	}
	m.Digest = "0123456789abcdef"
	for _, err := range q.p.Generate(context.Background(), starling.Call{Model: m, Request: asking(starling.OpenAI, false), Furthest: starling.Cloud, Left: func(string) {}}) {
		if starling.KindOf(err) != starling.Overloaded {
			t.Errorf("another student: %v", err)
		}
	}
	var none *Students
	if _, ok := none.Find("triage"); ok || len(none.Models()) != 0 {
		t.Error("nobody has students")
	}
}

func TestWhatAStudentLeavesOutIsTold(t *testing.T) {
	q := questions(t, student.Lesson{})
	r, err := wire.Parse(starling.OpenAI, []byte(`{"model":"m","metadata":{"a":"b"},"messages":[{"role":"user","content":"where is parcel 7 that i ordered"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, err := range q.p.Generate(t.Context(), starling.Call{Model: q.p.Models()[0], Request: &r, Furthest: starling.Cloud, Left: func(f string) { left = append(left, f) }}) {
		if err != nil || !slices.Equal(left, []string{"metadata"}) {
			t.Errorf("%v, %v", left, err)
		}
	}
}
