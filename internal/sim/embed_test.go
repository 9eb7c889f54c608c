package sim_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"starling"
	"starling/internal/sim"
)

// embed asks for embeddings without a network.
func embed(s *sim.Server, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r, _ := http.NewRequestWithContext(context.Background(), "POST", "/v1/embeddings", strings.NewReader(body))
	s.ServeHTTP(w, r)
	return w
}

func numbers(v gjson.Result) (out []float64) {
	for _, x := range v.Array() {
		out = append(out, x.Num)
	}
	return out
}

func cosine(a, b []float64) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func TestEmbeddingsAreTheSameInBothFormats(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{{Name: "e", Dims: 8}}})
	floats := gjson.Parse(embed(s, `{"model":"e","input":["where is it","money"]}`).Body.String())
	packed := gjson.Parse(embed(s, `{"model":"e","input":["where is it","money"],"encoding_format":"base64"}`).Body.String())
	for i, e := range floats.Get("data").Array() {
		want := numbers(e.Get("embedding"))
		raw, err := base64.StdEncoding.DecodeString(packed.Get("data").Array()[i].Get("embedding").Str)
		if err != nil || len(raw) != 32 || len(want) != 8 || e.Get("index").Int() != int64(i) {
			t.Fatalf("%d numbers, %d bytes, %v", len(want), len(raw), err)
		}
		for j := range want {
			if got := float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[4*j:]))); math.Abs(got-want[j]) > 1e-7 {
				t.Errorf("%v, want %v", got, want[j])
			}
		}
		if l := cosine(want, want); math.Abs(l-1) > 1e-5 {
			t.Errorf("the square of its length is %v", l)
		}
	}
	if !floats.Get("simulated").Bool() || floats.Get("usage.prompt_tokens").Int() != 5 || floats.Get("object").Str != "list" {
		t.Error(floats.Raw)
	}
	count := s.Tally().Models["e"]
	if count.Answered != 2 || count.Usage.Input != 10 {
		t.Errorf("%+v", count)
	}
}

func TestEmbeddingsAreTheSameInTheWordsOfEachVendor(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{{Name: "e", Dims: 8}}})
	want := gjson.Get(embed(s, `{"model":"e","input":["where is it","money"],"dimensions":4}`).Body.String(), "data.#.embedding").Raw
	batch := google(s, "e:batchEmbedContents", `{"requests":[{"model":"models/e","content":{"parts":[{"text":"where is it"}]},"outputDimensionality":4},{"model":"models/e","content":{"parts":[{"text":"money"}]},"outputDimensionality":4}]}`).Body.String()
	one := google(s, "e:embedContent", `{"content":{"parts":[{"text":"where is it"}]},"outputDimensionality":4}`).Body.String()
	if gjson.Get(batch, "embeddings.#.values").Raw != want || gjson.Get(batch, "usageMetadata.promptTokenCount").Int() != 5 || gjson.Get(one, "embedding.values").Raw != gjson.Get(want, "0").Raw {
		t.Errorf("%s and %s, want %s", batch, one, want)
	}
	ollama := askAt(s, "/api/embed", `{"model":"e","input":["where is it","money"],"dimensions":4,"truncate":false}`).Body.String()
	single := askAt(s, "/api/embed", `{"model":"e","input":"money","dimensions":4}`).Body.String()
	if gjson.Get(ollama, "embeddings").Raw != want || gjson.Get(ollama, "prompt_eval_count").Int() != 5 || gjson.Get(single, "embeddings.0").Raw != gjson.Get(want, "1").Raw {
		t.Errorf("%s and %s, want %s", ollama, single, want)
	}
	if w := askAt(s, "/api/embed", `{"model":"e"}`); w.Code != 400 || !gjson.Get(w.Body.String(), "error").Exists() {
		t.Errorf("no text: %d %s", w.Code, w.Body)
	}
}

func TestAnEmbeddingKnowsWhichWordsGoTogether(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{{Name: "e"}, {Name: "other"}}})
	vector := func(model, text string) []float64 {
		return numbers(gjson.Get(embed(s, `{"model":"`+model+`","input":`+quote(text)+`}`).Body.String(), "data.0.embedding"))
	}
	parcel, order, money := vector("e", "parcel"), vector("e", "package"), vector("e", "password")
	if cosine(parcel, order) < cosine(parcel, money)+0.1 {
		t.Errorf("%.2f and %.2f", cosine(parcel, order), cosine(parcel, money))
	}
	if c := cosine(parcel, vector("e", "PARCEL!")); c < 0.999 {
		t.Errorf("the same word has a cosine of %v", c)
	}
	if c := cosine(parcel, vector("other", "parcel")); c > 0.6 {
		t.Errorf("another model's has a cosine of %v", c)
	}
	if short := numbers(gjson.Get(embed(s, `{"model":"e","input":"x","dimensions":5}`).Body.String(), "data.0.embedding")); len(short) != 5 {
		t.Errorf("%d numbers", len(short))
	}
}

func TestWhatCannotBeEmbeddedIsRefused(t *testing.T) {
	s := sim.New(sim.Options{Models: []sim.Model{{Name: "e"}, {Name: "claude", Dialect: starling.Anthropic}, {Name: "down", Failure: sim.Failure{Error500: 1}}}})
	for body, want := range map[string]int{
		`{"model":"e","input":""}`:                                        400,
		`{"model":"e","input":[]}`:                                        400,
		`{"model":"e","input":[[1,2]]}`:                                   400,
		`{"model":"e"}`:                                                   400,
		`{"input":"x"}`:                                                   400,
		`{"model":"e","input":"x","dimensions":65}`:                       400,
		`{"model":"e","input":"x","encoding_format":"hex"}`:               400,
		`{"model":"e","input":["` + strings.Repeat(`x","`, 2048) + `x"]}`: 400,
		`{"model":"nobody","input":"x"}`:                                  404,
		`{"model":"claude","input":"x"}`:                                  404,
		`{"model":"down","input":"x"}`:                                    500,
	} {
		if w := embed(s, body); w.Code != want || !gjson.Get(w.Body.String(), "error.message").Exists() || w.Header().Get("X-Starling-Simulated") == "" {
			t.Errorf("%.60s: %d %s", body, w.Code, w.Body)
		}
	}
	w := httptest.NewRecorder()
	r, _ := http.NewRequest("GET", "/v1/embeddings", nil)
	if s.ServeHTTP(w, r); w.Code != 405 {
		t.Errorf("GET: %d", w.Code)
	}
}
