package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"starling"
	"starling/internal/corpus"
	"starling/internal/distill"
	"starling/internal/sim"
	"starling/internal/skill"
)

// seeing opens a classroom with a simulated embedding model, and n texts of a
// made-up shop, whose labels it knows something of.
func seeing(t *testing.T, watts string, n int) (*classroom, *sim.Shop) {
	t.Helper()
	server := sim.New(sim.Options{Models: []sim.Model{{Name: "e"}}})
	url, err := server.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	cfg := Config{Embeddings: "near/e", Providers: map[string]*Upstream{"near": {Dialect: starling.OpenAI, URL: url + "/v1", Zone: starling.Office, Models: []string{"e"}, Watts: watts, PerKWh: starling.Dollar}}}
	c, shop := openedWith(t, cfg), sim.NewShop(3)
	c.keepTexts(messages(shop, n))
	return c, shop
}

func messages(shop *sim.Shop, n int) (all []corpus.Text) {
	for range n {
		m := shop.Next()
		all = append(all, corpus.Text{Skill: "colour", Input: m.Input, Answer: m.Answer, Time: time.Now()})
	}
	return all
}

// firstLesson distills with the embedding model, and keeps what comes of it.
func (c *classroom) firstLesson() *distill.Result {
	c.t.Helper()
	s := c.school()
	course, err := s.course(c.t.Context(), "colour")
	if err != nil {
		c.t.Fatal(err)
	}
	spent, err := s.embed(c.t.Context(), course, nil)
	if err != nil || spent.Receipt == "" || spent.Tokens == 0 {
		c.t.Fatal(spent, err)
	}
	r, err := course.Run(c.t.Context())
	if err != nil || r.Dims != 64 {
		c.t.Fatal(r, err)
	}
	if kept, err := s.keep(c.t.Context(), r); err != nil || !kept {
		c.t.Fatal(kept, err)
	}
	return r
}

// TestAGatewayEmbedsByItselfWhereNobodyIsPaid: a student is taught again as it was
// taught.
func TestAGatewayEmbedsByItselfWhereNobodyIsPaid(t *testing.T) {
	learns(t)
	c, shop := seeing(t, "30", 700)
	if r := c.firstLesson(); r.Warrant == nil {
		t.Fatal(r.Why)
	}
	c.serve()
	c.keepTexts(messages(shop, 200))
	if !poll(func() bool {
		return c.taughtOf() == 900 || strings.Contains(c.said.String(), "not shown to be good enough")
	}) {
		t.Fatalf("it was not taught again:\n%s", c.said)
	}
	if again, err := readStudent(c.school().file("colour")); err != nil || again.Dims() != 64 {
		t.Errorf("it wants %d numbers, %v", again.Dims(), err)
	}
}

func TestAGatewayPaysNobodyByItself(t *testing.T) {
	learns(t)
	c, shop := seeing(t, "30", 700)
	c.firstLesson()
	c.parts.embedder.Model.Price = starling.Price{Rates: starling.Rates{Input: 1}}
	c.serve()
	c.keepTexts(messages(shop, 200))
	if !poll(func() bool {
		return strings.Contains(c.said.String(), "student not taught again by itself: its embedding model near/e is paid by the token; starling distill colour does it")
	}) {
		t.Fatalf("nothing is said of it:\n%s", c.said)
	}
	if c.taughtOf() != 700 {
		t.Error("it was taught all the same")
	}
}

// TestTextsTravelNoFurtherThanTheRequestsThatTheyAreOf: whatever the class of the
// skill.
func TestTextsTravelNoFurtherThanTheRequestsThatTheyAreOf(t *testing.T) {
	c, _ := seeing(t, "30", 10)
	defer func() { c.serve() }()
	s := c.school()
	for class, want := range map[starling.Class]string{"": "", "public": "", "confidential": "", "restricted": "near/e runs in zone office, and data of class restricted may go no further than machine", "unheard": "unheard"} {
		course := &distill.Course{Skill: &skill.Skill{}, Texts: []corpus.Text{{Class: "public"}, {Class: class}}}
		if why := s.unread(course); (why == "") != (want == "") || !strings.Contains(why, want) {
			t.Errorf("class %q: %q", class, why)
		}
	}
	if s.embedder = nil; s.unread(&distill.Course{}) == "" {
		t.Error("nobody is configured, and it is asked")
	}
}

func TestWhatWasSpentIsSaidWithWhereItIsBooked(t *testing.T) {
	e := &embedded{Model: "near/e", Texts: 3, Tokens: 20, Cost: 400}
	for receipt, want := range map[string]string{"": "not in the ledger", "rcp_1": "receipt rcp_1"} {
		if e.Receipt = receipt; !strings.Contains(fmt.Sprint(e), want) {
			t.Errorf("%s does not say %q", e, want)
		}
	}
}
