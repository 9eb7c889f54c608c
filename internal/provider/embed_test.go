package provider

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"starling"
)

// secretText is in no error.
const secretText = "the patient of room 12"

// embedding serves embeddings by h and returns who asks for them.
func embedding(t testing.TB, h http.HandlerFunc, extra func(*Options)) (*Embedder, *upstream) {
	t.Helper()
	u := serveHandler(t, starling.OpenAI, h)
	o := u.options(t)
	o.Embedding = starling.Model{Name: "e", Price: starling.Price{Rates: starling.Rates{Input: 1_000_000}}}
	if extra != nil {
		extra(&o)
	}
	return open(t, o).Embedder(), u
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func reading(texts ...string) Reading { return Reading{Texts: texts, Furthest: starling.Cloud} }

func packed(floats ...uint32) string {
	var b bytes.Buffer
	for _, f := range floats {
		b.Write([]byte{byte(f), byte(f >> 8), byte(f >> 16), byte(f >> 24)})
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

func TestEmbeddingsAreReadInEveryForm(t *testing.T) {
	for _, c := range []struct{ name, data string }{
		{"numbers", `[{"object":"embedding","index":0,"embedding":[1,-0.5]},{"index":1,"embedding":[0,2e0]}]`},
		{"base64", `[{"index":0,"embedding":"` + packed(0x3f800000, 0xbf000000) + `"},{"index":1,"embedding":"` + packed(0, 0x40000000) + `"}]`},
		{"in another order", `[{"index":1,"embedding":[0,2]},{"index":0,"embedding":[1,-0.5]}]`},
		{"without numbers of their own", `[{"embedding":[1,-0.5]},{"embedding":[0,2]}]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, u := embedding(t, says(200, `{"object":"list","data":`+c.data+`,"usage":{"prompt_tokens":9,"total_tokens":9}}`), nil)
			got, usage, err := e.Embed(t.Context(), reading("a", "b"))
			if err != nil || fmt.Sprint(got) != "[[1 -0.5] [0 2]]" || usage != (starling.Usage{Input: 9}) {
				t.Fatalf("%v, %+v, %v", got, usage, err)
			}
			r := u.last.Load()
			body, _ := io.ReadAll(r.Body)
			if r.URL.Path != "/v1/embeddings" || r.Header.Get("Authorization") != "Bearer "+canary || string(body) != `{"model":"e","input":["a","b"],"encoding_format":"float"}` {
				t.Errorf("%s %v %s", r.URL, r.Header, body)
			}
		})
	}
}

func TestWhatIsNoEmbeddingIsAnErrorThatSaysIt(t *testing.T) {
	ok := func(data string) string { return `{"data":` + data + `}` }
	for _, c := range []struct {
		name   string
		status int
		body   string
		kind   starling.Kind
		want   string
	}{
		{"no JSON", 200, `I would rather not: ` + secretText, starling.Refused, "no list of vectors"},
		{"an answer to a question", 200, `{"choices":[]}`, starling.Refused, "no list of vectors"},
		{"too few", 200, ok(`[{"index":0,"embedding":[1]}]`), starling.Refused, "1 vectors for 2 texts"},
		{"one twice", 200, ok(`[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]`), starling.Refused, "numbered otherwise"},
		{"one beyond", 200, ok(`[{"index":0,"embedding":[1]},{"index":2,"embedding":[1]}]`), starling.Refused, "numbered otherwise"},
		{"one before", 200, ok(`[{"index":0,"embedding":[1]},{"index":-1,"embedding":[1]}]`), starling.Refused, "numbered otherwise"},
		{"two lengths", 200, ok(`[{"index":0,"embedding":[1]},{"index":1,"embedding":[1,2]}]`), starling.Refused, "several lengths"},
		{"nothing in it", 200, ok(`[{"index":0,"embedding":[]},{"index":1,"embedding":[]}]`), starling.Refused, "0 numbers"},
		{"no vector", 200, ok(`[{"index":0},{"index":1}]`), starling.Refused, "that is none"},
		{"words", 200, ok(`[{"index":0,"embedding":["` + secretText + `"]},{"index":1,"embedding":[1]}]`), starling.Refused, "that is none"},
		{"null", 200, ok(`[{"index":0,"embedding":[1,null]},{"index":1,"embedding":[1,1]}]`), starling.Refused, "that is none"},
		{"beyond all numbers", 200, ok(`[{"index":0,"embedding":[1e39]},{"index":1,"embedding":[1]}]`), starling.Refused, "that is none"},
		{"no number in base64", 200, ok(`[{"index":0,"embedding":"` + packed(0x7fc00000) + `"},{"index":1,"embedding":[1]}]`), starling.Refused, "no number"},
		{"infinity in base64", 200, ok(`[{"index":0,"embedding":"` + packed(0x7f800000) + `"},{"index":1,"embedding":[1]}]`), starling.Refused, "no number"},
		{"half a number in base64", 200, ok(`[{"index":0,"embedding":"AAA="},{"index":1,"embedding":[1]}]`), starling.Refused, "that is none"},
		{"a vector of any length", 200, ok(`[{"index":0,"embedding":[` + strings.Repeat("1,", mostDims) + `1]},{"index":1,"embedding":[` + strings.Repeat("1,", mostDims) + `1]}]`), starling.Refused, "4097 numbers"},
		{"no such path", 404, `{"error":{"message":"` + secretText + `"}}`, "", ""},
		{"a bad key", 401, `{"error":{"message":"no"}}`, "", ""},
		{"busy", 429, `{"error":{"message":"later"}}`, starling.Overloaded, ""},
		{"broken", 500, `{"error":{"message":"oh"}}`, starling.Overloaded, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, _ := embedding(t, says(c.status, c.body), nil)
			got, usage, err := e.Embed(t.Context(), reading("a", secretText))
			failed, ok := err.(*starling.Error)
			if got != nil || !ok || c.kind != "" && failed.Kind != c.kind || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "up") {
				t.Fatalf("%v, %v", got, err)
			}
			if failed.Reply != nil || strings.Contains(err.Error(), secretText) || strings.Contains(err.Error(), canary) {
				t.Errorf("it says too much: %+v", failed)
			}
			if failed.Billed != (usage.Input > 0) || c.status == 200 && !failed.Billed {
				t.Errorf("billed: %v, usage %+v", failed.Billed, usage)
			}
		})
	}
}

// vectorsOf answers with a vector for each text, which tells how long it is.
func vectorsOf(w http.ResponseWriter, r *http.Request) {
	var ask struct{ Input []string }
	_ = json.NewDecoder(r.Body).Decode(&ask)
	type one struct {
		Index     int       `json:"index"`
		Embedding []float32 `json:"embedding"`
	}
	var data []one
	for i, text := range ask.Input {
		data = append(data, one{i, []float32{float32(len(text)), float32(len(ask.Input))}})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"data": data})
}

func TestManyTextsAreSentInBatches(t *testing.T) {
	for _, extra := range []func(*Options){nil, func(o *Options) { o.HedgeAfter = time.Nanosecond }, func(o *Options) { o.Drain = true }} {
		e, u := embedding(t, vectorsOf, extra)
		var texts []string
		for i := range 130 {
			texts = append(texts, strings.Repeat("x", i+1))
		}
		var told []int
		r := reading(texts...)
		r.Progress = func(done int) { told = append(told, done) }
		got, usage, err := e.Embed(t.Context(), r)
		if err != nil || len(got) != 130 || u.calls.Load() != 3 || !slices.Equal(told, []int{64, 128, 130}) {
			t.Fatalf("%d vectors in %d calls, told %v: %v", len(got), u.calls.Load(), told, err)
		}
		for i, v := range got {
			if int(v[0]) != i+1 || v[1] > mostTexts {
				t.Fatalf("%d is of a text of %v, among %v", i, v[0], v[1])
			}
		}
		usual, most := e.Cost(texts)
		if _, cost := e.Model.Price.Cost(usage, 0); !usage.Estimated || cost == 0 || cost > most || usual > most {
			t.Errorf("%+v costs %s of %s, usually %s", usage, cost, most, usual)
		}
	}
}

func TestNoTextLeavesForAZoneThatItMayNotTravelTo(t *testing.T) {
	e, u := embedding(t, vectorsOf, nil)
	r := reading("a")
	r.Furthest = starling.Nowhere
	if _, _, err := e.Embed(t.Context(), r); starling.KindOf(err) != starling.Forbidden || u.opened.Load() != 0 {
		t.Errorf("%v after %d connections", err, u.opened.Load())
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := e.Embed(gone, reading("a")); starling.KindOf(err) != starling.Cancelled || u.opened.Load() != 0 {
		t.Errorf("%v after %d connections", err, u.opened.Load())
	}
}

func TestEmbeddingIsTriedAgainOnlyWhereNothingWasBought(t *testing.T) {
	for status, want := range map[int]int64{429: 2, 503: 2, 500: 1, 400: 1} {
		var e *Embedder
		var u *upstream
		e, u = embedding(t, func(w http.ResponseWriter, r *http.Request) {
			if u.calls.Load() > 1 {
				vectorsOf(w, r)
				return
			}
			w.Header().Set("Retry-After-Ms", "1")
			says(status, `{"error":{"message":"no"}}`)(w, r)
		}, nil)
		r := reading("a")
		r.Patience = 5 * time.Second
		_, _, err := e.Embed(t.Context(), r)
		if u.calls.Load() != want || (err == nil) != (want == 2) {
			t.Errorf("status %d: %d calls, %v", status, u.calls.Load(), err)
		}
	}
}

func TestAnEmbeddingModelThatFailsIsLeftAlone(t *testing.T) {
	e, u := embedding(t, says(500, `{}`), func(o *Options) { o.Trip = 2 })
	for range 5 {
		if _, _, err := e.Embed(t.Context(), reading("a")); starling.KindOf(err) != starling.Overloaded {
			t.Error(err)
		}
	}
	if u.calls.Load() != 2 {
		t.Errorf("it was called %d times", u.calls.Load())
	}
}

func TestAnAnswerThatNeverComesIsWaitedForSoLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{dialect: starling.OpenAI}
		e := u.inside(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, func(o *Options) {
			o.Embedding = starling.Model{Name: "e"}
			o.Limits.Total = 30 * time.Millisecond
		}).Embedder()
		if _, usage, err := e.Embed(t.Context(), reading("a")); starling.KindOf(err) != starling.Overloaded || !strings.Contains(err.Error(), "no complete answer within 30ms") || usage.Input == 0 {
			t.Errorf("%v, %+v", err, usage)
		}
	})
}

func TestOnlyWhoHasEmbeddingsIsAskedForThem(t *testing.T) {
	o := serveHandler(t, starling.Anthropic, vectorsOf).options(t)
	o.Embedding.Name = "e"
	g, err := NewGuard(Upstream{URL: o.URL, Zone: o.Zone})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(g, o); starling.KindOf(err) != starling.Invalid || !strings.Contains(err.Error(), "has no embeddings") {
		t.Error(err)
	}
	p := open(t, serveHandler(t, starling.OpenAI, vectorsOf).options(t))
	if p.Embedder() != nil {
		t.Error("nobody asked for one")
	}
	e, _ := embedding(t, vectorsOf, func(o *Options) { o.HedgeAfter = time.Nanosecond })
	if m := e.Model; m.ID() != "up/e" || m.Zone != starling.Machine || m.Dialect != starling.OpenAI || m.Takes != starling.Embeddings || m.Hedged {
		t.Errorf("%+v", m)
	}
	if !slices.ContainsFunc(e.up.Models(), func(l starling.Model) bool { return l.Name == "e" && l.Takes == starling.Embeddings }) {
		t.Errorf("it is not offered: %+v", e.up.Models())
	}
}

func TestAnOllamaEmbedsInTheWordsOfOpenAI(t *testing.T) {
	u := serveHandler(t, starling.Ollama, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/embeddings" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		says(200, `{"object":"list","data":[{"index":0,"embedding":[1,2]}],"usage":{"prompt_tokens":9,"total_tokens":9}}`)(w, r)
	})
	o := u.options(t)
	o.Embedding = starling.Model{Name: "e", Price: starling.Price{Rates: starling.Rates{Input: 1_000_000}}}
	if got, used, err := open(t, o).Embedder().Embed(t.Context(), reading("a")); err != nil || fmt.Sprint(got) != "[[1 2]]" || used.Input != 9 {
		t.Errorf("%v, %+v, %v", got, used, err)
	}
}
