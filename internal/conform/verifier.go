package conform

import (
	"context"
	"encoding/json"
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
	body, err := json.Marshal(map[string]any{"messages": []map[string]string{{"role": "user", "content": accepts + "\n" + rejects}}})
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
