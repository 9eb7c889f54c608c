package provider

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"starling"
	"starling/internal/conform"
	"starling/internal/sim"
	"starling/internal/student"
)

// A lender is a simulated embedding model, and a student that learned with it.
type lender struct {
	server *sim.Server
	url    string
	e      *Embedder
	taught *student.Taught

	question string // whose answer is parcel
}

var things = strings.Fields("parcel invoice kitten ladder orange window bottle summer garden pencil castle thunder ribbon")

// embedderAt returns the embedding model of a simulated upstream.
func embedderAt(t testing.TB, url, name string, zone starling.Zone) *Embedder {
	t.Helper()
	price := starling.Price{Rates: starling.Rates{Input: 20_000_000, Output: 70_000_000}}
	return open(t, Options{Name: "sim", Dialect: starling.OpenAI, URL: url + "/v1", Zone: zone, Embedding: starling.Model{Name: name, Price: price, Simulated: true}}).Embedder()
}

func lending(t testing.TB, l student.Lesson, parcel, money string) *lender {
	t.Helper()
	x := &lender{server: sim.New(sim.Options{Models: []sim.Model{{Name: "e"}, {Name: "other"}}})}
	var err error
	if x.url, err = x.server.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.server.Close() })
	x.e = embedderAt(t, x.url, "e", starling.Office)
	// The label is the sign of one number of the vector, of which words tell little.
	texts := []string{student.Probe}
	for i := range 160 {
		texts = append(texts, fmt.Sprintf("please %s the %s is %s", things[i%7], things[i*i%13], things[i*5%11]))
	}
	vectors, _, err := x.e.Embed(t.Context(), reading(texts...))
	if err != nil {
		t.Fatal(err)
	}
	var all []student.Example
	most := 1
	for i, text := range texts[1:] {
		e := student.Example{Text: text, Label: money, Vector: vectors[i+1]}
		if e.Vector[0] > 0 {
			e.Label = parcel
		}
		if all = append(all, e); e.Vector[0] > vectors[most][0] {
			most = i + 1
		}
	}
	x.question = texts[most]
	s := trained(t, parcel+"/"+money, all)
	l.Embedder = student.NewEmbedder("sim/e", vectors[0])
	if x.taught, err = student.Teach(s, l); err != nil {
		t.Fatal(err)
	}
	return x
}

// learned holds the students that were trained, by their labels: the texts and the
// vectors are the same each time.
var learned struct {
	sync.Mutex
	by map[string]*student.Student
}

func trained(t testing.TB, labels string, all []student.Example) *student.Student {
	t.Helper()
	learned.Lock()
	defer learned.Unlock()
	if s := learned.by[labels]; s != nil {
		return s
	}
	s, err := student.Train(t.Context(), all, student.Options{})
	if err != nil || s.Dims() != 64 {
		t.Fatal(err, s.Dims())
	}
	if learned.by == nil {
		learned.by = map[string]*student.Student{}
	}
	learned.by[labels] = s
	return s
}

func (x *lender) students(e *Embedder) *Students {
	return NewStudents([]*student.Taught{x.taught}, free, e)
}

// ask asks the student one text.
func (x *lender) ask(t testing.TB, p *Students, text string, furthest starling.Zone) (starling.Event, error) {
	t.Helper()
	r := asking(starling.OpenAI, false)
	r.Body = []byte(strings.Replace(string(r.Body), `"sing"`, fmt.Sprintf("%q", text), 1))
	var last starling.Event
	for ev, err := range p.Generate(t.Context(), starling.Call{Model: p.Models()[0], Request: r, Furthest: furthest, Left: func(string) {}}) {
		if last = ev; err != nil {
			return ev, err
		}
	}
	return last, nil
}

func (x *lender) calls() int64 { return x.server.Tally().Models["e"].Requests }

func TestAStudentWithVectorsConforms(t *testing.T) {
	conform.Provider(t, func(t *testing.T, s conform.Script) *conform.Bench {
		x := lending(t, student.Lesson{Skill: "m"}, strings.Join(s.Words, ""), strings.Join(s.Words, "")+" ")
		p := x.students(x.e)
		return &conform.Bench{Provider: p, Model: p.Models()[0], Alone: true, Ask: func(stream bool) *starling.Request {
			r := asking(starling.OpenAI, stream)
			r.Body = []byte(strings.Replace(string(r.Body), `"sing"`, `"`+x.question+`"`, 1))
			return r
		}}
	})
}

func TestAStudentWithVectorsIsAsFarAndAsDearAsWhoMakesThem(t *testing.T) {
	x := lending(t, student.Lesson{Skill: "m", Form: student.Form{Before: "it is "}}, "parcel", "money")
	m := x.students(x.e).Models()[0]
	if m.Zone != starling.Office || m.Price.Input != 20_000_000 || m.Price.Output != 0 || !m.Simulated || m.MaxOutput != int64(len("it is parcel")) || m.Away != "" || m.Longest <= x.e.Model.Longest {
		t.Errorf("%+v", m)
	}
	if m.Digest != StudentModel(x.taught).Digest {
		t.Error("it is another candidate than was warranted")
	}
	near := x.students(embedderAt(t, x.url, "e", starling.Machine)).Models()[0]
	if near.Zone != starling.Machine {
		t.Errorf("it is in zone %s", near.Zone)
	}
}

// TestAVectorIsAskedForAndCounted: the first time with the text that tells
// embedding models apart, then alone.
func TestAVectorIsAskedForAndCounted(t *testing.T) {
	x := lending(t, student.Lesson{Skill: "m"}, "parcel", "money")
	p, before := x.students(x.e), x.calls()
	var used []int64
	for range 3 {
		ev, err := x.ask(t, p, x.question, starling.Cloud)
		if err != nil || ev.Confidence <= 0 || !ev.Usage.Estimated || ev.Usage.Output == 0 {
			t.Fatalf("%+v, %v", ev, err)
		}
		used = append(used, ev.Usage.Input)
	}
	want := sim.Tokens(x.question)
	if used[0] != want+sim.Tokens(student.Probe) || used[1] != want || used[2] != want || x.calls() != before+3 {
		t.Errorf("%v tokens in %d calls", used, x.calls()-before)
	}
}

func TestWhoMayNotBeAskedIsNot(t *testing.T) {
	x := lending(t, student.Lesson{Skill: "m"}, "parcel", "money")
	p, before := x.students(x.e), x.calls()
	if _, err := x.ask(t, p, x.question, starling.Machine); starling.KindOf(err) != starling.Forbidden {
		t.Errorf("further than the data may travel: %v", err)
	}
	if _, err := x.ask(t, p, "onko lakritsia, юмор", starling.Cloud); starling.KindOf(err) != starling.Refused || !strings.Contains(err.Error(), "unlike all") {
		t.Errorf("a stranger: %v", err)
	}
	if x.calls() != before {
		t.Errorf("it was asked %d times", x.calls()-before)
	}
}

func TestWithAnotherEmbeddingModelAStudentIsAway(t *testing.T) {
	x := lending(t, student.Lesson{Skill: "m"}, "parcel", "money")
	for name, c := range map[string]struct {
		e    *Embedder
		want string
	}{
		"another": {embedderAt(t, x.url, "other", starling.Office), "sim/other is configured; starling distill m"},
		"none":    {nil, "none is configured"},
	} {
		p := x.students(c.e)
		if m := p.Models()[0]; !strings.Contains(m.Away, "it learned with the embedding model sim/e") || !strings.Contains(m.Away, c.want) {
			t.Errorf("%s: %q", name, m.Away)
		}
		if _, err := x.ask(t, p, x.question, starling.Cloud); starling.KindOf(err) != starling.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAModelThatWasExchangedUnderItsNameIsFoundOut: with another seed the same name
// makes other vectors.
func TestAModelThatWasExchangedUnderItsNameIsFoundOut(t *testing.T) {
	x := lending(t, student.Lesson{Skill: "m"}, "parcel", "money")
	exchanged := sim.New(sim.Options{Seed: 99, Models: []sim.Model{{Name: "e"}}})
	url, err := exchanged.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer exchanged.Close()
	p := x.students(embedderAt(t, url, "e", starling.Office))
	for range 3 {
		_, err := x.ask(t, p, x.question, starling.Cloud)
		if starling.KindOf(err) != starling.Refused || !strings.Contains(err.Error(), "makes other vectors") {
			t.Fatal(err)
		}
	}
	if n := exchanged.Tally().Models["e"].Requests; n != 1 {
		t.Errorf("it was asked %d times", n)
	}
}

func TestWhereTheEmbeddingModelFailsTheStudentDoes(t *testing.T) {
	x := lending(t, student.Lesson{Skill: "m"}, "parcel", "money")
	for status, want := range map[int]starling.Kind{503: starling.Overloaded, 500: starling.Overloaded, 400: starling.Invalid} {
		u := serveHandler(t, starling.OpenAI, func(w http.ResponseWriter, r *http.Request) { says(status, `{"error":{"message":"no"}}`)(w, r) })
		_, err := x.ask(t, x.students(embedderAt(t, u.URL, "e", starling.Office)), x.question, starling.Cloud)
		if failed, ok := err.(*starling.Error); !ok || failed.Reply != nil || status != 400 && failed.Kind != want {
			t.Errorf("%d: %v", status, err)
		}
	}
}
