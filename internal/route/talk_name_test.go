package route

import (
	"testing"

	"starling"
	"starling/internal/wire"
)

func TestConversationsThatBeginAlikeAreToldApartByTheirNames(t *testing.T) {
	s := NewSessions()
	id := func(talk, key, body string) string {
		r, err := wire.Parse(starling.OpenAI, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if talk != "" {
			r.Talk = talk
		}
		r.Caller.Key = key
		o := wire.OutlineOf(&r)
		return s.id(&r, &o)
	}
	const one = `{"model":"m","messages":[{"role":"user","content":"go"}]}`
	const named = `{"model":"m","prompt_cache_key":"a","messages":[{"role":"user","content":"go"}]}`
	const longer = `{"model":"m","prompt_cache_key":"a","messages":[{"role":"user","content":"go"},{"role":"assistant","content":"x"},{"role":"user","content":"on"}]}`
	seen := map[string]string{}
	for name, got := range map[string]string{
		"nobody's": id("", "", one), "a": id("a", "", one), "b": id("b", "", one), "a of another key": id("a", "k", one),
	} {
		if other, twice := seen[got]; twice {
			t.Errorf("%s is %s", name, other)
		}
		seen[got] = name
	}
	if id("", "", named) != id("a", "", one) || id("", "", longer) != id("", "", named) {
		t.Error("a conversation is not recognised by its name")
	}
}
