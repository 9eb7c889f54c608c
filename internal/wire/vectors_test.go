package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"starling"
)

// answered reads one whole answer to a question.
func answeredBy(r *starling.Request, d starling.Dialect, body string, deltas bool) (ev starling.Event, err error) {
	o := ReadOptions{Dialect: d, Raw: r.Dialect == d, Deltas: deltas || r.Dialect != d, Choices: r.Choices, Request: r}
	for ev, err = range Read(strings.NewReader(body), o) {
		if err != nil {
			return ev, err
		}
	}
	return ev, err
}

func packed(v ...float32) string {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return base64.StdEncoding.EncodeToString(b)
}

func TestAnInputIsOneTextOrManyOrTokens(t *testing.T) {
	for _, c := range []struct {
		dialect starling.Dialect
		input   string
		choices int64
		field   string // that is to blame; "" none
	}{
		{starling.Embeddings, `"a"`, 1, ""},
		{starling.Embeddings, `""`, 1, ""}, // the upstream's to refuse
		{starling.Embeddings, `["a","b","c"]`, 3, ""},
		{starling.Embeddings, `[1,2,3]`, 1, ""},
		{starling.Embeddings, `[[1,2],[3]]`, 2, ""},
		{starling.Embeddings, `[]`, 0, "input"},
		{starling.Embeddings, `[[]]`, 0, "input"},
		{starling.Embeddings, `["a",1]`, 0, "input"},
		{starling.Embeddings, `[[1],"a"]`, 0, "input"},
		{starling.Embeddings, `[1,[2]]`, 0, "input"},
		{starling.Embeddings, `[["a"]]`, 0, "input"},
		{starling.Embeddings, `{"text":"a"}`, 0, "input"},
		{starling.Embeddings, `[null]`, 0, "input"},
		{starling.Embeddings, `null`, 0, "input"},
		{starling.Embeddings, `"a","encoding_format":"hex"`, 0, "encoding_format"},
		{starling.Embeddings, `"a","encoding_format":null,"dimensions":null`, 1, ""},
		{starling.Embeddings, `"a","dimensions":0`, 0, "dimensions"},
		{starling.Embeddings, `"a","dimensions":1.5`, 0, "dimensions"},
		{starling.Embeddings, `"a","input":"b"`, 0, "input"},
		{starling.Embed, `["a","b"]`, 2, ""},
		{starling.Embed, `[1,2]`, 0, "input"},
		{starling.Embed, `"a","truncate":"yes"`, 0, "truncate"},
		{starling.EmbedOne, `"a"`, 0, "prompt"},
		{starling.EmbedOne, `"a","prompt":"b"`, 1, ""},
		{starling.EmbedOne, `"a","prompt":["b"]`, 0, "prompt"},
		{starling.Moderations, `"a"`, 1, ""},
		{starling.Moderations, `["a","b"]`, 2, ""},
		{starling.Moderations, `[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"u"}}]`, 1, ""},
		{starling.Moderations, `["a",{"type":"text"}]`, 0, "input"},
		{starling.Moderations, `[1]`, 0, "input"},
		{starling.Moderations, `7`, 0, "input"},
		{starling.Moderations, `[]`, 0, "input"},
	} {
		r, err := Parse(c.dialect, []byte(`{"model":"m","input":`+c.input+`}`))
		e, _ := errors.AsType[*starling.Error](err)
		switch {
		case c.field == "" && (err != nil || r.Choices != c.choices || r.Stream):
			t.Errorf("%s %s: %v, %d", c.dialect, c.input, err, r.Choices)
		case c.field != "" && (e == nil || e.Kind != starling.Invalid || e.Op != fieldOp+c.field):
			t.Errorf("%s %s: %v, want a word on %s", c.dialect, c.input, err, c.field)
		}
	}
	if _, err := Parse(starling.Embeddings, []byte(`{"input":"a"}`)); err == nil {
		t.Error("nobody was asked")
	}
	if r, err := Parse(starling.Moderations, []byte(`{"input":"a"}`)); err != nil || r.Model != "" {
		t.Errorf("a model need not be named: %v", err)
	}
}

func TestOfGooglesContentsTheTextsAreCountedAndWhatIsNone(t *testing.T) {
	for _, c := range []struct {
		dialect           starling.Dialect
		body              string
		texts             int64
		images, documents int
		field             string // that is to blame; "" none
	}{
		{starling.EmbedContents, `{"requests":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":""},{"text":"b"},{}]}}]}`, 2, 0, 0, ""},
		{starling.EmbedContents, `{"requests":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"A"}},{"inline_data":{"mime_type":"audio/wav","data":"A"}},{"fileData":{"fileUri":"u"}}]}}]}`, 1, 1, 2, ""},
		{starling.EmbedContents, `{"requests":[{"content":{"parts":[{"text":"a"}]},"outputDimensionality":5},{"content":{"parts":[{"text":"b"}]},"output_dimensionality":5}]}`, 2, 0, 0, ""},
		{starling.EmbedContents, `{"requests":[{"content":{"parts":[{"text":"a"}]},"outputDimensionality":5},{"content":{"parts":[{"text":"b"}]}}]}`, 0, 0, 0, "requests[].output_dimensionality"},
		{starling.EmbedContents, `{"requests":[{"content":{"parts":[{"text":"a"}]},"outputDimensionality":0}]}`, 0, 0, 0, "requests[].output_dimensionality"},
		{starling.EmbedContents, `{"requests":[]}`, 0, 0, 0, "requests"},
		{starling.EmbedContents, `{"requests":{}}`, 0, 0, 0, "requests"},
		{starling.EmbedContents, `{"content":{"parts":[{"text":"a"}]}}`, 0, 0, 0, "requests"},
		{starling.EmbedContents, `{"requests":["a"]}`, 0, 0, 0, "requests[].content"},
		{starling.EmbedContents, `{"requests":[{"content":{"parts":[]}}]}`, 0, 0, 0, "requests[].content"},
		{starling.EmbedContents, `{"requests":[{"content":{"parts":["a"]}}]}`, 0, 0, 0, "requests[].content.parts[]"},
		{starling.EmbedContent, `{"content":{"parts":[{"text":"a"},{"text":"b"}]},"outputDimensionality":5}`, 1, 0, 0, ""},
		{starling.EmbedContent, `{"content":"a"}`, 0, 0, 0, "content"},
		{starling.EmbedContent, `{"content":{"parts":[{"text":"a"}]},"outputDimensionality":"5"}`, 0, 0, 0, "output_dimensionality"},
	} {
		r, err := Parse(c.dialect, []byte(c.body))
		e, _ := errors.AsType[*starling.Error](err)
		switch {
		case c.field == "" && (err != nil || r.Choices != c.texts || r.Images != c.images || r.Documents != c.documents):
			t.Errorf("%s: %v, %d texts, %d pictures, %d others", c.body, err, r.Choices, r.Images, r.Documents)
		case c.field != "" && (e == nil || e.Kind != starling.Invalid || e.Op != fieldOp+c.field):
			t.Errorf("%s: %v, want a word on %s", c.body, err, c.field)
		}
	}
}

func TestAListThatIsAsAskedForPassesByteForByte(t *testing.T) {
	for _, c := range []struct{ ask, body string }{
		{`{"model":"m","input":["a","b"]}`, ` {"data":[ {"x":{"embedding":1},"embedding":[1,-0.50],"index":0},{"index":1,"embedding":[3e0, 4]}],"object":"list","extra":"é","usage":{"prompt_tokens":7,"total_tokens":7}}` + "\n"},
		{`{"model":"m","input":"a","encoding_format":"base64"}`, `{"data":[{"index":0,"embedding":"` + packed(1, 2) + `"}],"usage":{"total_tokens":7}}`},
		{`{"model":"m","input":"a","encoding_format":"float","dimensions":2}`, `{"data":[{"index":0,"embedding":[1,2]}],"usage":{"prompt_tokens":7}}`},
	} {
		r := parsed(t, starling.Embeddings, c.ask)
		ev, err := answeredBy(r, starling.Embeddings, c.body, true)
		if err != nil || string(ev.Raw) != c.body || ev.Usage == nil || ev.Usage.Input != 7 || len(ev.Vectors) != int(r.Choices) || ev.Bytes != 0 {
			t.Errorf("%s: %v, %+v", c.body, err, ev)
		}
	}
}

func TestAListThatIsNotAsAskedForIsMended(t *testing.T) {
	for _, c := range []struct{ name, ask, body, want string }{
		{"numbers for who wants base64", `"encoding_format":"base64"`,
			`{"data":[{"index":0,"embedding":[1,-0.5],"x":1},{"index":1,"embedding":[0,2]}],"id":9007199254740993}`,
			`{"data":[{"index":0,"embedding":"` + packed(1, -0.5) + `","x":1},{"index":1,"embedding":"` + packed(0, 2) + `"}],"id":9007199254740993}`},
		{"base64 for who wants numbers", `"dimensions":2`,
			`{"data":[{"index":0,"embedding":"` + packed(1, 0.1) + `"},{"index":1,"embedding":"` + packed(1e-7, 2) + `"}]}`,
			`{"data":[{"index":0,"embedding":[1,0.1]},{"index":1,"embedding":[1e-07,2]}]}`},
		{"another order", `"user":"u"`,
			`{"data":[{"index":1,"embedding":[3,4]},{"index":0,"embedding":[1,2.50]}]}`,
			`{"data":[{"index":0,"embedding":[1,2.50]},{"index":1,"embedding":[3,4]}]}`},
		{"no numbers of their own", `"user":"u"`,
			`{"data":[{"embedding":[1,2]},{"embedding":[3,4]}]}`,
			`{"data":[{"index":0,"embedding":[1,2]},{"index":1,"embedding":[3,4]}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			ev, err := answeredBy(parsed(t, starling.Embeddings, `{"model":"m","input":["a","b"],`+c.ask+`}`), starling.Embeddings, c.body, false)
			if err != nil || string(ev.Raw) != c.want || ev.Vectors != nil {
				t.Errorf("%v\n%s, want\n%s", err, ev.Raw, c.want)
			}
		})
	}
}

func TestWhatIsNoAnswerOfItsKindIsRefusedAndBooked(t *testing.T) {
	two, batch := `{"model":"m","input":["a","b"]}`, `{"requests":[{"content":{"parts":[{"text":"a"}]},"outputDimensionality":2},{"content":{"parts":[{"text":"b"}]},"outputDimensionality":2}]}`
	for _, c := range []struct {
		dialect   starling.Dialect
		ask, body string
		want      string
	}{
		{starling.Embeddings, two, `secret`, "no list of vectors"},
		{starling.Embeddings, two, `[]`, "no list of vectors"},
		{starling.Embeddings, two, `{"choices":[]}`, "no list of vectors"},
		{starling.Embeddings, two, `{"data":[]}`, "0 vectors for 2 texts"},
		{starling.Embeddings, two, `{"data":[{"index":0,"embedding":[1]}]}`, "1 vectors for 2 texts"},
		{starling.Embeddings, two, `{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}`, "numbered otherwise"},
		{starling.Embeddings, two, `{"data":[{"index":0,"embedding":[1]},{"index":1e30,"embedding":[1]}]}`, "numbered otherwise"},
		{starling.Embeddings, two, `{"data":[{"index":0,"embedding":[1]},{"index":"1","embedding":[1]}]}`, "numbered otherwise"},
		{starling.Embeddings, two, `{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1,2]}]}`, "several lengths"},
		{starling.Embeddings, two, `{"data":[{"index":0,"embedding":["secret"]},{"index":1,"embedding":[1]}]}`, "that is none"},
		{starling.Embeddings, two, `{"data":[{"index":0,"embedding":[1e39]},{"index":1,"embedding":[1]}]}`, "that is none"},
		{starling.Embeddings, two, `{"data":[{"index":0,"embedding":"` + packed(float32(math.NaN())) + `"},{"index":1,"embedding":[1]}]}`, "no number"},
		{starling.Embeddings, two, `{"data":[{"index":0,"embedding":"AAA="},{"index":1,"embedding":[1]}]}`, "that is none"},
		{starling.Embeddings, two, `{"data":[null,{"index":1,"embedding":[1]}]}`, "that is none"},
		{starling.Embeddings, two, `{"data":[{"index":0},{"index":1}]}`, "that is none"},
		{starling.Embeddings, `{"model":"m","input":"a","dimensions":3}`, `{"data":[{"index":0,"embedding":[1,2]}]}`, "vectors of 2 numbers, where 3 were asked for"},
		{starling.Embed, two, `{"embeddings":[[1]]}`, "1 vectors for 2 texts"},
		{starling.Embed, two, `{"embeddings":"secret"}`, "0 vectors for 2 texts"},
		{starling.EmbedOne, `{"model":"m","prompt":"a"}`, `{"embedding":[]}`, "0 numbers"},
		{starling.EmbedContents, batch, `{"embeddings":[{"values":[1,2]}]}`, "1 vectors for 2 texts"},
		{starling.EmbedContents, batch, `{"embeddings":[{"values":[1,2]},{"secret":[1,2]}]}`, "that is none"},
		{starling.EmbedContents, batch, `{"embeddings":[{"values":[1]},{"values":[2]}]}`, "vectors of 1 numbers, where 2 were asked for"},
		{starling.EmbedContents, batch, `["secret"]`, "no list of vectors"},
		{starling.EmbedContent, `{"content":{"parts":[{"text":"a"}]}}`, `{"embeddings":[{"values":[1]}]}`, "0 vectors for 1 texts"},
		{starling.Moderations, two, `{"results":[{}]}`, "1 results for 2 inputs"},
		{starling.Moderations, two, `true`, "no moderation"},
		{starling.CountTokens, `{"model":"m","messages":[{}]}`, `{"tokens":3}`, "no count"},
		{starling.CountTokens, `{"model":"m","messages":[{}]}`, `{"input_tokens":-3}`, "no count"},
	} {
		_, err := answeredBy(parsed(t, c.dialect, c.ask), c.dialect, c.body, false)
		e, _ := errors.AsType[*starling.Error](err)
		if e == nil || e.Kind != starling.Refused || !e.Billed || !strings.Contains(e.Error(), c.want) || strings.Contains(e.Error(), "secret") {
			t.Errorf("%s %s: %v", c.dialect, c.body, err)
		}
	}
}

func TestAnErrorInThePlaceOfVectorsIsTheUpstreamsOwn(t *testing.T) {
	for d, body := range map[starling.Dialect]string{
		starling.Embeddings:  `{"error":{"message":"too long","type":"invalid_request_error"}}`,
		starling.Moderations: `{"error":{"message":"too long","type":"invalid_request_error"}}`,
		starling.Embed:       `{"error":"too long"}`,

		starling.EmbedContents: `{"error":{"code":400,"message":"too long","status":"INVALID_ARGUMENT"}}`,
	} {
		_, err := answeredBy(parsed(t, d, `{"model":"m","input":"a","requests":[{"content":{"parts":[{}]}}]}`), d, body, false)
		if e, _ := errors.AsType[*starling.Error](err); e == nil || e.Billed || e.Reply == nil || string(e.Reply.Body) != body {
			t.Errorf("%s: %+v", d, err)
		}
	}
}

func TestVectorsAreAskedForInAnotherDialect(t *testing.T) {
	for _, c := range []struct {
		name, ask string
		from, to  starling.Dialect
		want      string
		left      []string
	}{
		{"Ollama's of OpenAI's", `{"model":"a","input":["x","<y>"],"truncate":true,"dimensions":5,"options":{"num_ctx":1},"keep_alive":"5m"}`, starling.Embed, starling.Embeddings,
			`{"model":"b","input":["x","<y>"],"dimensions":5,"encoding_format":"base64"}`, []string{"truncate", "options", "keep_alive"}},
		{"nothing is lost", `{"input":"x","truncate":false,"model":"a"}`, starling.Embed, starling.Embeddings, `{"model":"b","input":"x","encoding_format":"base64"}`, nil},
		{"the older one", `{"model":"a","prompt":"x","dimensions":5}`, starling.EmbedOne, starling.Embeddings, `{"model":"b","input":"x","encoding_format":"base64"}`, []string{"dimensions"}},
		{"OpenAI's of Ollama's, which is not to cut", `{"model":"a","input":["x"],"encoding_format":"base64","user":"u","input_type":"query"}`, starling.Embeddings, starling.Embed,
			`{"model":"b","input":["x"],"truncate":false}`, []string{"input_type", "user"}},
		{"its own keeps its bytes, but for what it would cut", `{ "model":"a","input":"x", "keep_alive":-1}`, starling.Embed, starling.Embed, `{"truncate":false, "model":"b","input":"x", "keep_alive":-1}`, nil},
		{"who wants it cut has said so", `{"model":"a","input":"x","truncate":true}`, starling.Embed, starling.Embed, `{"model":"b","input":"x","truncate":true}`, nil},
		{"OpenAI's own", `{"input":[[1,2]],"dimensions" : 5,"input_type":"x","model":"a"}`, starling.Embeddings, starling.Embeddings, `{"input":[[1,2]],"dimensions" : 5,"input_type":"x","model":"b"}`, nil},
		{"Google's of OpenAI's", `{"requests":[{"model":"models/a","content":{"role":"user","parts":[{"text":"x"}]},"taskType":"RETRIEVAL_QUERY","output_dimensionality":5},{"content":{"parts":[{"text":"<y>"},{"text":"z"},{}]},"title":"t","outputDimensionality":5}]}`,
			starling.EmbedContents, starling.Embeddings, `{"model":"b","input":["x","<y>\nz\n"],"dimensions":5,"encoding_format":"base64"}`, []string{"requests[].task_type", "requests[].title", "requests[].content.parts: several, sent as the lines of one text"}},
		{"Google's of Ollama's", `{"content":{"parts":[{"text":"x"}]},"taskType":"TASK_TYPE_UNSPECIFIED","title":null,"embedContentConfig":{}}`, starling.EmbedContent, starling.Embed, `{"model":"b","input":["x"],"truncate":false}`, []string{"embed_content_config"}},
		{"OpenAI's of Google's", `{"model":"a","input":["x","y"],"dimensions":5,"user":"u"}`, starling.Embeddings, starling.EmbedContents,
			`{"requests":[{"model":"models/b","content":{"parts":[{"text":"x"}]},"outputDimensionality":5},{"model":"models/b","content":{"parts":[{"text":"y"}]},"outputDimensionality":5}]}`, []string{"user"}},
		{"Ollama's of Google's", `{"model":"a","input":"x"}`, starling.Embed, starling.EmbedContent, `{"model":"models/b","content":{"parts":[{"text":"x"}]}}`, nil},
		{"Google's own, named wherever it names one", ` {"requests": [ {"model":"models/a","content":{"parts":[{"text":"x"}]}, "taskType":"CLUSTERING"}, {"content":{"parts":[{"text":"y"}]}}, {"content":{"parts":[{"text":"z"}]},"model" : "a"} ]}`, starling.EmbedContents, starling.EmbedContents,
			` {"requests": [ {"model":"models/b","content":{"parts":[{"text":"x"}]}, "taskType":"CLUSTERING"}, {"content":{"parts":[{"text":"y"}]}}, {"content":{"parts":[{"text":"z"}]},"model" : "models/b"} ]}`, nil},
		{"one of them", ` {"model":"models/a","content":{"parts":[{"text":"x"}]}}`, starling.EmbedContent, starling.EmbedContent, ` {"model":"models/b","content":{"parts":[{"text":"x"}]}}`, nil},
		{"a moderation", `{"input":"x","model":"a"}`, starling.Moderations, starling.Moderations, `{"input":"x","model":"b"}`, nil},
		{"one of nobody in particular", `{"input":"x"}`, starling.Moderations, starling.Moderations, `{"input":"x"}`, nil},
		{"a count", `{"model":"a","messages":[{"role":"user"}],"betas":1}`, starling.CountTokens, starling.CountTokens, `{"model":"b","messages":[{"role":"user"}],"betas":1}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var left []string
			body, err := Outgoing(parsed(t, c.from, c.ask), c.to, starling.Model{Name: "b"}, func(f string) { left = append(left, f) })
			if err != nil || string(body) != c.want || !slices.Equal(left, c.left) {
				t.Errorf("%v, left %q\n%s, want\n%s", err, left, body, c.want)
			}
		})
	}
}

func TestWhatIsNoConversationIsSaidInNoDialectOfThem(t *testing.T) {
	asks := map[starling.Dialect]string{
		starling.Embeddings: `{"model":"a","input":"x"}`, starling.Embed: `{"model":"a","input":"x"}`, starling.EmbedOne: `{"model":"a","prompt":"x"}`,
		starling.EmbedContents: `{"requests":[{"content":{"parts":[{"text":"x"}]}}]}`, starling.EmbedContent: `{"content":{"parts":[{"text":"x"}]}}`,
		starling.Moderations: `{"input":"x"}`, starling.CountTokens: `{"model":"a","messages":[{"role":"user","content":"x"}]}`,
		starling.OpenAI: `{"model":"a","messages":[{"role":"user","content":"x"}]}`, starling.Anthropic: `{"model":"a","max_tokens":1,"messages":[{"role":"user","content":"x"}]}`,
	}
	for from, ask := range asks {
		for to := range asks {
			if from.Wants() == to.Wants() {
				continue
			}
			if body, err := Outgoing(parsed(t, from, ask), to, starling.Model{Name: "b"}, func(string) {}); starling.KindOf(err) != starling.Invalid {
				t.Errorf("%s of %s: %s, %v", from, to, body, err)
			}
		}
		r := parsed(t, from, ask)
		if _, err := View(r); from.Wants() != "" && starling.KindOf(err) != starling.Invalid {
			t.Errorf("%s has a conversation: %v", from, err)
		}
	}
	for _, ask := range []string{`{"model":"a","input":[1,2]}`, `{"model":"a","input":[[1,2]]}`} {
		for _, to := range []starling.Dialect{starling.Embed, starling.EmbedContents} {
			if _, err := Outgoing(parsed(t, starling.Embeddings, ask), to, starling.Model{Name: "b"}, func(string) {}); starling.KindOf(err) != starling.Invalid {
				t.Errorf("tokens are no texts: %v", err)
			}
		}
	}
	picture := parsed(t, starling.EmbedContent, `{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}}`)
	if _, err := Outgoing(picture, starling.Embeddings, starling.Model{Name: "b"}, func(string) {}); starling.KindOf(err) != starling.Invalid {
		t.Errorf("a picture is no text: %v", err)
	}
	if _, err := Outgoing(parsed(t, starling.Embeddings, `{"model":"a","input":["x","y"]}`), starling.EmbedContent, starling.Model{Name: "b"}, func(string) {}); starling.KindOf(err) != starling.Invalid {
		t.Errorf("two texts are not one: %v", err)
	}
}

// told renders an answer for the caller of a question.
func toldTo(t testing.TB, r *starling.Request, ev starling.Event) string {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b, WriterOptions{Request: r, Created: time.Now().Add(-time.Second), Model: "who"})
	if err := errors.Join(w.Event(ev), w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestVectorsAreToldInTheCallersDialect(t *testing.T) {
	vectors := starling.Event{Whole: true, Vectors: [][]float32{{1, -0.5}, {0, 2}}, Usage: &starling.Usage{Input: 9}}
	var ollama struct {
		Model      string      `json:"model"`
		Embeddings [][]float32 `json:"embeddings"`
		Total      int64       `json:"total_duration"`
		Count      int64       `json:"prompt_eval_count"`
	}
	body := toldTo(t, parsed(t, starling.Embed, `{"model":"mine","input":["a","b"]}`), vectors)
	if err := json.Unmarshal([]byte(body), &ollama); err != nil || ollama.Model != "mine" || fmt.Sprint(ollama.Embeddings) != "[[1 -0.5] [0 2]]" || ollama.Total < int64(time.Second) || ollama.Count != 9 {
		t.Errorf("%v: %s", err, body)
	}
	batch := parsed(t, starling.EmbedContents, `{"requests":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]}}]}`)
	if body := toldTo(t, batch, vectors); body != `{"embeddings":[{"values":[1,-0.5]},{"values":[0,2]}],"usageMetadata":{"promptTokenCount":9}}` {
		t.Error(body)
	}
	vectors.Vectors = vectors.Vectors[:1]
	if body := toldTo(t, parsed(t, starling.EmbedContent, `{"content":{"parts":[{"text":"a"}]}}`), vectors); body != `{"embedding":{"values":[1,-0.5]},"usageMetadata":{"promptTokenCount":9}}` {
		t.Error(body)
	}
	if body := toldTo(t, parsed(t, starling.EmbedOne, `{"model":"mine","prompt":"a"}`), vectors); body != `{"embedding":[1,-0.5]}` {
		t.Error(body)
	}
	for ask, want := range map[string]string{`{"model":"m","input":"a"}`: `[1,-0.5]`, `{"model":"m","input":"a","encoding_format":"base64"}`: `"` + packed(1, -0.5) + `"`} {
		want = `{"object":"list","data":[{"object":"embedding","index":0,"embedding":` + want + `}],"model":"who","usage":{"prompt_tokens":9,"total_tokens":9}}`
		if body := toldTo(t, parsed(t, starling.Embeddings, ask), vectors); body != want {
			t.Errorf("%s, want %s", body, want)
		}
	}
	w := NewWriter(&bytes.Buffer{}, WriterOptions{Request: parsed(t, starling.Embed, `{"model":"m","input":"a"}`)})
	if err := w.Close(); err == nil {
		t.Error("no vectors are an answer")
	}
}

func TestGooglesVectorsPassByteForByteAndAreCounted(t *testing.T) {
	body := ` {"embeddings": [{"values":[1,-0.50]}, {"values":[3e0, 4],"x":1}],"usageMetadata":{"promptTokenCount":7},"extra":"é"}` + "\n"
	r := parsed(t, starling.EmbedContents, `{"requests":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]}}]}`)
	ev, err := answeredBy(r, starling.EmbedContents, body, true)
	if err != nil || string(ev.Raw) != body || ev.Usage == nil || ev.Usage.Input != 7 || fmt.Sprint(ev.Vectors) != "[[1 -0.5] [3 4]]" {
		t.Errorf("%v, %+v", err, ev)
	}
}

func TestOllamasErrorsAreATextForPeople(t *testing.T) {
	status, _, body := ErrorReply(starling.Embed, &starling.Error{Kind: starling.NotFound, Op: "there is no model"}, "r", "")
	if status != 404 || string(body) != `{"error":"there is no model"}` {
		t.Errorf("%d %s", status, body)
	}
}

// TestBothFormsOfAVectorSayTheSameBits: whichever of them an upstream sends, in any
// order, the caller gets the bits in the form that was asked for.
func TestBothFormsOfAVectorSayTheSameBits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, dims := rapid.IntRange(1, 5).Draw(t, "n"), rapid.IntRange(1, 9).Draw(t, "dims")
		want := make([][]float32, n)
		items := make([]string, n)
		for i := range want {
			want[i] = rapid.SliceOfN(rapid.Float32(), dims, dims).Draw(t, "vector")
			form := appendVector(nil, want[i], rapid.Bool().Draw(t, "packed"))
			items[i] = fmt.Sprintf(`{"index":%d,"embedding":%s}`, i, form)
		}
		list := strings.Join(rapid.Permutation(items).Draw(t, "order"), ",")
		for _, format := range []string{"float", "base64"} {
			ask := fmt.Sprintf(`{"model":"m","input":["%s"],"encoding_format":%q,"dimensions":%d}`, strings.Repeat(`x","`, n-1), format, dims)
			r, err := Parse(starling.Embeddings, []byte(ask))
			if err != nil {
				t.Fatal(err)
			}
			ev, err := answeredBy(&r, starling.Embeddings, `{"data":[`+list+`]}`, true)
			if err != nil || !cmp.Equal(ev.Vectors, want) {
				t.Fatalf("%v, %v", ev.Vectors, err)
			}
			var out struct {
				Data []struct {
					Index     int
					Embedding json.RawMessage
				}
			}
			if err := json.Unmarshal(ev.Raw, &out); err != nil || len(out.Data) != n {
				t.Fatalf("%v: %s", err, ev.Raw)
			}
			for i, d := range out.Data {
				v, err := readVector(d.Embedding)
				if err != nil || d.Index != i || !cmp.Equal(v, want[i]) || (d.Embedding[0] == '"') != (format == "base64") {
					t.Fatalf("%v: %s, want %v", err, d.Embedding, want[i])
				}
			}
		}
	})
}

func TestWhatIsMadeOfVectorsIsWhatOpenAIDescribes(t *testing.T) {
	schema := oracle(t)("CreateEmbeddingResponse")
	r := parsed(t, starling.Embeddings, `{"model":"m","input":["a","b"]}`)
	checked(t, schema, toldTo(t, r, starling.Event{Whole: true, Vectors: [][]float32{{1, -0.5}, {0, 1e-30}}, Usage: &starling.Usage{Input: 9}}))
	ev, err := answeredBy(r, starling.Embeddings, `{"object":"list","model":"m","data":[{"object":"embedding","embedding":"`+packed(1)+`"},{"object":"embedding","embedding":[2]}],"usage":{"prompt_tokens":1,"total_tokens":1}}`, false)
	if err != nil {
		t.Fatal(err)
	}
	checked(t, schema, string(ev.Raw))
}

func FuzzVectors(f *testing.F) {
	f.Add([]byte(`{"data":[{"index":0,"embedding":[1,2]},{"index":1,"embedding":"AACAPwAAAEA="}],"usage":{"prompt_tokens":3}}`), 2, true)
	f.Add([]byte(`{"data":[{"embedding":[1e39]}]}`), 1, false)
	f.Add([]byte(` {"data":[{"index":1,"embedding":[1]},{"x":{},"embedding":"AACAPw=="}]}`), 2, true)
	f.Fuzz(func(t *testing.T, body []byte, n int, base64 bool) {
		if n < 1 || n > 64 {
			return
		}
		ask := `{"model":"m","input":["` + strings.Repeat(`x","`, n-1) + `"]`
		if base64 {
			ask += `,"encoding_format":"base64"`
		}
		r := parsed(&testing.T{}, starling.Embeddings, ask+"}")
		for _, d := range []starling.Dialect{starling.Embeddings, starling.Embed, starling.EmbedContents} {
			ev, err := answeredBy(r, d, string(body), true)
			if err != nil {
				continue
			}
			if len(ev.Vectors) != n || d == starling.Embeddings && !json.Valid(ev.Raw) {
				t.Fatalf("%d vectors, %s", len(ev.Vectors), ev.Raw)
			}
			if d == starling.Embeddings { // what was mended is as asked for
				again, err := answeredBy(r, d, string(ev.Raw), true)
				if err != nil || !cmp.Equal(again.Vectors, ev.Vectors) || !bytes.Equal(again.Raw, ev.Raw) {
					t.Fatalf("%v: %s", err, ev.Raw)
				}
			}
			for _, v := range ev.Vectors {
				if len(v) == 0 || len(v) != len(ev.Vectors[0]) {
					t.Fatalf("%d numbers", len(v))
				}
			}
		}
	})
}
