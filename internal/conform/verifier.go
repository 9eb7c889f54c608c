package conform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"starling"
)

// Verifier runs what every verifier must do against one that accepts the one
// answer and rejects the other. The request that it is shown holds both.
func Verifier(t *testing.T, v starling.Verifier, accepts, rejects string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"model": "m", "messages": []map[string]string{{"role": "user", "content": accepts + "\n" + rejects}}})
	if err != nil {
		t.Fatal(err)
	}
	s := verifierSuite{v: v, request: &starling.Request{Dialect: starling.OpenAI, Body: body}}
	t.Run("it has a name", func(t *testing.T) {
		if v.Name() == "" {
			t.Error("it has none")
		}
	})
	t.Run("it accepts the good answer without a reason", func(t *testing.T) {
		if got := s.ask(t, accepts); !got.Accept || got.Why != "" {
			t.Errorf("verdict %+v", got)
		}
	})
	t.Run("it rejects the bad answer with a reason", func(t *testing.T) {
		if got := s.ask(t, rejects); got.Accept || got.Why == "" {
			t.Errorf("verdict %+v", got)
		}
	})
	t.Run("it rejects an empty answer", s.empty)
	t.Run("the same answer gets the same verdict, from many at once too", func(t *testing.T) { s.steady(t, accepts, rejects) })
	t.Run("its reason holds no word of the answer", func(t *testing.T) { s.discreet(t, rejects) })
	t.Run("it changes neither request nor answer", func(t *testing.T) { s.harmless(t, accepts) })
	t.Run("it stops when the caller does", func(t *testing.T) { s.cancelled(t, accepts) })
}

type verifierSuite struct {
	v       starling.Verifier
	request *starling.Request
}

func (s verifierSuite) ask(t *testing.T, text string) starling.Verdict {
	t.Helper()
	got, err := s.v.Verify(t.Context(), s.request, &starling.Answer{Text: text, Finish: starling.Stopped})
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	if got.Verifier != s.v.Name() {
		t.Errorf("the verdict is signed %q by %q", got.Verifier, s.v.Name())
	}
	return got
}

func (s verifierSuite) empty(t *testing.T) {
	for _, text := range []string{"", " ", "\n\t \u00a0"} {
		if got := s.ask(t, text); got.Accept || got.Why == "" {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func (s verifierSuite) steady(t *testing.T, answers ...string) {
	want := make([]starling.Verdict, len(answers))
	for i, a := range answers {
		want[i] = s.ask(t, a)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 25 {
				for i, a := range answers {
					got, err := s.v.Verify(t.Context(), s.request, &starling.Answer{Text: a, Finish: starling.Stopped})
					if err != nil || got != want[i] {
						t.Errorf("verdict %+v, %v; was %+v", got, err, want[i])
						return
					}
				}
			}
		})
	}
	group.Wait()
}

// discreet asks about the bad answer with a mark in it that nobody could write by
// accident.
func (s verifierSuite) discreet(t *testing.T, rejects string) {
	const mark = "zqxsecretxqz"
	for _, text := range []string{rejects, mark, rejects + " " + mark, mark + "\n" + rejects, `{"` + mark + `": "` + mark + `"}`, `["` + mark} {
		got, err := s.v.Verify(t.Context(), s.request, &starling.Answer{Text: text, Finish: starling.Stopped})
		if said := fmt.Sprint(got.Why, err); strings.Contains(said, mark) || len(text) > 12 && strings.Contains(said, text) {
			t.Errorf("it says %q", said)
		}
	}
}

func (s verifierSuite) harmless(t *testing.T, accepts string) {
	body := string(s.request.Body)
	answer := starling.Answer{Text: accepts, Finish: starling.Stopped}
	if _, err := s.v.Verify(t.Context(), s.request, &answer); err != nil {
		t.Fatal(err)
	}
	if string(s.request.Body) != body || s.request.Chat != nil || answer.Text != accepts || answer.Finish != starling.Stopped || answer.Calls != nil {
		t.Error("it did")
	}
}

func (s verifierSuite) cancelled(t *testing.T, accepts string) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got, err := s.v.Verify(ctx, s.request, &starling.Answer{Text: accepts, Finish: starling.Stopped})
	if starling.KindOf(err) != starling.Cancelled || got.Accept {
		t.Errorf("verdict %+v, %v", got, err)
	}
}

// AskingVerifier runs what every verifier must do that asks a model. With honest
// at hand, whose replies cost something, it accepts the one answer and rejects the
// other; honest is asked from many goroutines at once.
func AskingVerifier(t *testing.T, v starling.AskingVerifier, honest starling.Asker, accepts, rejects string) {
	t.Helper()
	Verifier(t, asked{v, honest}, accepts, rejects)
	request := &starling.Request{Dialect: starling.OpenAI, Body: []byte(`{"model":"m","messages":[{"role":"user","content":"?"}]}`)}
	answer := func(text string) *starling.Answer { return &starling.Answer{Text: text, Finish: starling.Stopped} }
	t.Run("it says what asking did cost", func(t *testing.T) {
		for _, text := range []string{accepts, rejects} {
			if got, err := v.VerifyAsking(t.Context(), request, answer(text), honest); err != nil || got.Cost <= 0 {
				t.Errorf("verdict %+v, %v", got, err)
			}
		}
	})
	t.Run("it asks nobody about an empty answer", func(t *testing.T) {
		if got, err := v.VerifyAsking(t.Context(), request, answer(" "), broken{}); err != nil || got.Accept || got.Cost != 0 {
			t.Errorf("verdict %+v, %v", got, err)
		}
	})
	t.Run("without an asker it is an error", func(t *testing.T) {
		for _, text := range []string{accepts, rejects} {
			if got, err := v.Verify(t.Context(), request, answer(text)); starling.KindOf(err) != starling.Invalid || got.Accept {
				t.Errorf("verdict %+v, %v", got, err)
			}
		}
	})
	t.Run("what cannot be asked is an error of the same kind", func(t *testing.T) {
		for _, kind := range []starling.Kind{starling.Forbidden, starling.OverBudget, starling.Overloaded} {
			got, err := v.VerifyAsking(t.Context(), request, answer(accepts), broken{kind})
			if e, _ := errors.AsType[*starling.Error](err); starling.KindOf(err) != kind || got.Accept || e.Reply != nil || !strings.Contains(e.Op, v.Name()) {
				t.Errorf("verdict %+v, %v", got, err)
			}
		}
	})
}

// asked is a verifier with somebody at hand whom it asks.
type asked struct {
	starling.AskingVerifier
	ask starling.Asker
}

func (v asked) Verify(ctx context.Context, r *starling.Request, a *starling.Answer) (starling.Verdict, error) {
	return v.VerifyAsking(ctx, r, a, v.ask)
}

// broken is an asker who gets no reply.
type broken struct{ kind starling.Kind }

func (b broken) Ask(context.Context, string, *starling.Request) (*starling.Answer, starling.Money, error) {
	return nil, 0, &starling.Error{Kind: b.kind, Op: "ask", Reply: &starling.Reply{Status: 400}}
}
