package route

import (
	"container/list"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"io"
	"sync"
	"time"

	"starling"
	"starling/internal/wire"
)

const (
	mostSessions = 10_000          // that are remembered
	forgotten    = time.Hour       // after which nobody remembers one
	mostAsked    = 6               // models of one session that are remembered
	usualCache   = 5 * time.Minute // how long vendors' prompt caches remember, where a call does not ask for longer
	longCache    = time.Hour       // where it does
	leastCached  = 1024            // tokens: no vendor caches a shorter prompt
	leastText    = 3 * leastCached // bytes that may have as many tokens
)

// Sessions remember, for conversations under way, which models were asked lately
// and how much of the prompt their providers' caches may know. They hold digests
// and numbers, under a key that dies with the process, and no content. They only
// ever change an order: who may answer is decided before anybody looks here. Safe
// for concurrent use; a nil one remembers nothing.
type Sessions struct {
	key [32]byte

	mu      sync.Mutex
	all     map[string]*list.Element // of *session, by id
	recent  *list.List               // the latest first
	lengths map[kindOfTalk]*length
}

// NewSessions remembers nothing yet.
func NewSessions() *Sessions {
	s := &Sessions{all: map[string]*list.Element{}, recent: list.New(), lengths: map[kindOfTalk]*length{}}
	_, _ = rand.Read(s.key[:]) // it never fails
	return s
}

// A session is one conversation.
type session struct {
	id    string
	turn  int64
	bytes int64     // of text, of its last request
	last  time.Time // when it was heard of
	slow  bool      // its last turn came when the caches had forgotten it
	asked [mostAsked]asked
	usual
}

// An asked is a model that was asked in a session.
type asked struct {
	model  string // "provider/name", "" for none
	tokens int64  // of the prompt
	until  time.Time
	blind  bool // its cache should have known the prompt, and did not
}

// A kindOfTalk is what tells how long conversations usually are.
type kindOfTalk struct {
	skill string
	tools bool
}

// A length sums up the conversations of a kind, and says what one of their calls
// takes: what a new one is taken to be like.
type length struct {
	talks, turns float64
	usual
}

// usual is what a call in a conversation takes, of which the latest counts most.
type usual struct {
	rate   float64 // tokens that an upstream counted for a byte of text; 0 unknown
	growth float64 // tokens that a turn adds; 0 unknown
	output float64 // tokens of an answer; 0 unknown
}

// Before any was seen, a conversation is taken to have so many turns: agents with
// tools go on by themselves, people ask again once or twice. That counts like so
// many conversations.
const (
	turnsWithTools = 12
	turnsWithout   = 3
	talksBefore    = 4
)

// expect returns how many turns will follow one: those that are missing to the mean
// of the skill's conversations, and in one that is already longer half as many as
// there were, since the long ones go on.
func (s *Sessions) expect(kind kindOfTalk, turn int64) float64 {
	l := length{talks: talksBefore, turns: talksBefore * turnsWithout}
	if kind.tools {
		l.turns = talksBefore * turnsWithTools
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if seen := s.lengths[kind]; seen != nil {
		l.talks, l.turns = l.talks+seen.talks, l.turns+seen.turns
	}
	return max(l.turns/l.talks-float64(turn), float64(turn)/2)
}

// id is a digest of what stays the same in a conversation, of who has it, and of
// what the client calls it: two that begin alike are two.
func (s *Sessions) id(req *starling.Request, o *wire.Outline) string {
	mac := hmac.New(sha256.New, s.key[:])
	_, _ = io.WriteString(mac, req.Caller.Key+"\x00"+req.Caller.Team+"\x00"+req.Talk+"\x00")
	o.WriteOpening(mac)
	return string(mac.Sum(nil)[:16])
}

// look returns what is known of a session: of one that is new what is usual in its
// kind.
func (s *Sessions) look(id string, kind kindOfTalk, now time.Time) session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.all[id]; e != nil {
		if known := e.Value.(*session); now.Sub(known.last) < forgotten {
			return *known
		}
	}
	known := session{id: id}
	if l := s.lengths[kind]; l != nil {
		known.usual = l.usual
	}
	return known
}

// Remember takes in what came of an exchange.
func (s *Sessions) Remember(ex *starling.Exchange) {
	if s == nil || ex.Plan.Session.ID == "" || len(ex.Attempts) == 0 {
		return
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	known, fresh := s.open(ex.Plan.Session.ID, now)
	turns := ex.Plan.Session.Turn - known.turn
	kind := s.count(kindOfTalk{ex.Plan.Skill, ex.Request.Tools > 0}, fresh, turns)
	if fresh {
		known.usual = kind.usual
	}
	known.slow = !fresh && now.Sub(known.last) > usualCache
	bytes := int64(max(len(ex.Request.Body)-ex.Request.Opaque, 1))
	for i := range ex.Attempts {
		a := &ex.Attempts[i]
		if a.Outcome == starling.Consulted || a.Split != "" || a.Usage.Estimated || a.Usage.TotalInput() == 0 {
			continue // it was asked something else, or nobody knows what it read
		}
		known.rate = float64(a.Usage.TotalInput()) / float64(bytes)
		known.output = mixed(known.output, float64(a.Usage.Output))
		known.ask(a, now)
	}
	if !fresh && turns > 0 && bytes > known.bytes {
		known.growth = mixed(known.growth, float64(bytes-known.bytes)/float64(turns)*known.rate)
	}
	known.turn, known.bytes, known.last = max(known.turn, ex.Plan.Session.Turn), bytes, now
	kind.usual = known.usual
}

// mixed is a mean in which the latest counts most.
func mixed(old, latest float64) float64 {
	if old == 0 {
		return latest
	}
	return old + (latest-old)/3
}

// open returns the session of an id, as the latest one, and whether it is new. The
// one that was silent for longest makes room.
func (s *Sessions) open(id string, now time.Time) (known *session, fresh bool) {
	if e := s.all[id]; e != nil {
		s.recent.MoveToFront(e)
		known = e.Value.(*session)
		if now.Sub(known.last) < forgotten {
			return known, false
		}
		*known = session{id: id}
		return known, true
	}
	if len(s.all) >= mostSessions {
		oldest := s.recent.Back()
		delete(s.all, oldest.Value.(*session).id)
		s.recent.Remove(oldest)
	}
	known = &session{id: id}
	s.all[id] = s.recent.PushFront(known)
	return known, true
}

// count adds turns to what is known of conversations of a kind. Once there are
// many, the old ones fade.
func (s *Sessions) count(kind kindOfTalk, fresh bool, turns int64) *length {
	l := s.lengths[kind]
	if l == nil {
		l = &length{}
		s.lengths[kind] = l
	}
	if fresh {
		l.talks++
	}
	l.turns += float64(max(0, turns))
	if l.talks > 1000 {
		l.talks, l.turns = l.talks/2, l.turns/2
	}
	return l
}

// ask notes that a model was asked, and whether its cache knew what it should have.
func (s *session) ask(a *starling.Attempt, now time.Time) {
	before := s.of(a.Model)
	next := asked{model: a.Model, tokens: a.Usage.TotalInput(), until: now.Add(usualCache)}
	if a.Usage.CacheWrite1h > 0 {
		next.until = now.Add(longCache)
	}
	if before != nil {
		next.blind = a.Usage.CacheRead == 0 && (before.blind || before.tokens >= leastCached && now.Before(before.until))
		*before = asked{}
	}
	at := 0
	for at < mostAsked-1 && s.asked[at].model != "" {
		at++
	}
	copy(s.asked[1:at+1], s.asked[:at])
	s.asked[0] = next
}

func (s *session) of(model string) *asked {
	for i := range s.asked {
		if s.asked[i].model == model {
			return &s.asked[i]
		}
	}
	return nil
}
