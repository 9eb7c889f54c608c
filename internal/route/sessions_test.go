package route

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"starling"
	"starling/internal/wire"
)

func exchange(id string, turn int64, model string, u starling.Usage) *starling.Exchange {
	return &starling.Exchange{
		Request:  starling.Request{Body: make([]byte, 4000+1000*turn)},
		Plan:     starling.Plan{Session: starling.Session{ID: id, Turn: turn}},
		Attempts: []starling.Attempt{{Model: model, Usage: u}},
	}
}

func TestOnlySoManySessionsAreRemembered(t *testing.T) {
	s := NewSessions()
	for i := range mostSessions + 10 {
		s.Remember(exchange(fmt.Sprint(i), 1, "m", starling.Usage{Input: 1000}))
	}
	if len(s.all) != mostSessions || s.recent.Len() != mostSessions {
		t.Errorf("%d are remembered", len(s.all))
	}
	if known := s.look("9", kindOfTalk{}, time.Now()); known.turn != 0 {
		t.Error("the oldest is remembered")
	}
	if known := s.look("11", kindOfTalk{}, time.Now()); known.turn != 1 || known.of("m") == nil {
		t.Errorf("a later one is %+v", known)
	}
}

func TestOfASessionTheLatestModelsAreRemembered(t *testing.T) {
	s := NewSessions()
	for turn := range int64(mostAsked + 2) {
		s.Remember(exchange("a", turn+1, fmt.Sprint("m", turn), starling.Usage{Input: 100 * (turn + 1), Output: 10}))
	}
	s.Remember(exchange("a", mostAsked+3, "m5", starling.Usage{Input: 5000, CacheRead: 500, Output: 10}))
	known := s.look("a", kindOfTalk{}, time.Now())
	var names []string
	for _, a := range known.asked {
		names = append(names, a.model)
	}
	if got := fmt.Sprint(names); got != "[m5 m7 m6 m4 m3 m2]" || known.asked[0].tokens != 5500 || known.output != 10 {
		t.Errorf("%s: %+v", got, known)
	}
}

func TestWhoAnswersFromFindingsHasNotReadTheConversation(t *testing.T) {
	s := NewSessions()
	s.Remember(exchange("a", 1, "strong", starling.Usage{Input: 5000, Output: 10}))
	from := exchange("a", 2, "strong", starling.Usage{Input: 300, Output: 10})
	from.Attempts[0].Split = "8 readings"
	s.Remember(from)
	if known := s.look("a", kindOfTalk{}, time.Now()); known.turn != 2 || known.of("strong").tokens != 5000 || known.of("strong").blind {
		t.Errorf("after a split: %+v", known)
	}
	from.Plan.Session.Turn = 3
	from.Attempts = append(from.Attempts, starling.Attempt{Model: "whole", Usage: starling.Usage{Input: 7000, Output: 10}})
	s.Remember(from)
	if known := s.look("a", kindOfTalk{}, time.Now()); known.of("whole") == nil || known.of("whole").tokens != 7000 || known.of("strong").tokens != 5000 {
		t.Errorf("where everything was sent after it: %+v", known)
	}
}

func TestHowLongConversationsAreIsLearned(t *testing.T) {
	s := NewSessions()
	agents := kindOfTalk{tools: true}
	if got := s.expect(agents, 1); got != turnsWithTools-1 {
		t.Errorf("at first %v more turns are expected", got)
	}
	for i := range 400 { // all of them end at once
		ex := exchange(fmt.Sprint(i), 1, "m", starling.Usage{Input: 1000})
		ex.Request.Tools = 1
		s.Remember(ex)
	}
	if got := s.expect(agents, 1); got > 0.6 {
		t.Errorf("of conversations that end at once %v more turns are expected", got)
	}
	if got := s.expect(agents, 40); got != 20 {
		t.Errorf("in one that goes on %v more turns are expected", got)
	}
}

func TestSessionsAreSafeForMany(t *testing.T) {
	s := NewSessions()
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range int64(200) {
				s.Remember(exchange(fmt.Sprint(i%7), i, fmt.Sprint(worker), starling.Usage{Input: 1000}))
				s.look(fmt.Sprint(i%5), kindOfTalk{}, time.Now())
				s.expect(kindOfTalk{}, i)
			}
		})
	}
	all.Wait()
}

func TestEqualBeginningsOfTwoCallersAreTwoSessions(t *testing.T) {
	s := NewSessions()
	o := wire.OutlineOf(&starling.Request{Dialect: starling.OpenAI, Body: []byte(`{"messages":[{"role":"system","content":"a"},{"role":"user","content":"b"}]}`)})
	seen := map[string]starling.Caller{}
	for _, who := range []starling.Caller{{}, {Key: "one"}, {Key: "two"}, {Key: "one", Team: "red"}, {Team: "one"}} {
		id := s.id(&starling.Request{Caller: who}, &o)
		if other, taken := seen[id]; taken || id != s.id(&starling.Request{Caller: who}, &o) {
			t.Errorf("%+v has the session of %+v, or another one each time", who, other)
		}
		seen[id] = who
	}
}
