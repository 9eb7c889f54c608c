package sim

import (
	"time"

	"starling"
	"starling/internal/catalog"
)

// A Model states how one simulated model behaves. The zero value of each field
// is a sensible one: at once, never failing, never right about a known case.
type Model struct {
	Name    string
	Dialect starling.Dialect // the only one it answers in, beside those of a prompt alone, and OpenAI's with Responses; "" is all
	Zone    starling.Zone
	Price   starling.Price // stated, never charged

	Latency Latency
	Failure Failure
	Slip    Slip

	// Quality is the share of known cases that it answers rightly, from 0 to 1.
	// QualityBySkill replaces it for the skills it names.
	Quality        float64
	QualityBySkill map[string]float64

	// PromptCache makes it remember prompts: a prefix seen within CacheTTL is
	// read from the cache, else written to it. In Anthropic's dialect only at
	// the caller's cache_control marks; in OpenAI's always.
	PromptCache bool
	CacheMin    int64         // shortest prefix in tokens; 0 is 1024
	CacheTTL    time.Duration // 0 is five minutes; a mark with ttl "1h" lives an hour

	MaxOutput int64 // most tokens of one answer; 0 is 4096
	Context   int64 // window in tokens; 0 is unlimited

	// Reads is the most tokens of a prompt that it reads: of a longer one the last
	// ones, in silence; only its count tells. 0 is all. In Ollama's dialects a caller
	// sets another (options.num_ctx), or has it refuse (truncate).
	Reads int64

	Long Reading // how well it does with long documents

	Dims int // numbers of an embedding; 0 is 64

	Words         int  // length of an answer to an unknown input; 0 is 40
	Reasoning     int  // words of reasoning when the caller asks for effort; 0 never reasons
	ParallelTools bool // calls two tools at once whenever it may

	Plays []Play // tasks that it plays, of two that fit the first; before all else ([ParsePlays])

	NoCallIDs bool // in Gemini's dialect: its calls have no ids
}

// Latency says how long an answer takes. A whole answer takes as long as its
// stream would.
type Latency struct {
	FirstToken time.Duration
	PerToken   time.Duration
	Jitter     float64 // 0.2 makes each call up to 20 % faster or slower
}

// Failure holds the share of calls that end badly, each from 0 to 1. They
// exclude one another in the order given, so their sum should not pass 1.
type Failure struct {
	Overloaded429 float64 // refused with 429 and retry-after
	Overloaded    float64 // refused with 503 (OpenAI) or 529 (Anthropic)
	Error500      float64 // refused with 500
	Cut           float64 // the connection dies in the middle of the answer
	Stall         float64 // the answer stops in the middle, the connection stays
	Truncated     float64 // a stream ends cleanly, but without its dialect's end
	ErrorEvent    float64 // a stream ends with an error event in the middle
}

const (
	defaultCacheMin  = 1024
	defaultCacheTTL  = 5 * time.Minute
	defaultMaxOutput = 4096
	defaultWords     = 40
	defaultDims      = 64
)

func (m Model) filled() Model {
	m.CacheMin = orElse(m.CacheMin, defaultCacheMin)
	m.CacheTTL = orElse(m.CacheTTL, defaultCacheTTL)
	m.MaxOutput = orElse(m.MaxOutput, defaultMaxOutput)
	m.Words = orElse(m.Words, defaultWords)
	m.Dims = orElse(m.Dims, defaultDims)
	return m
}

func orElse[T int | int64 | time.Duration](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}

// Offer returns m as the catalogue knows a model of the named provider. A model
// of all dialects is offered in OpenAI's.
func (m Model) Offer(provider string) starling.Model {
	dialect := m.Dialect
	if dialect == "" {
		dialect = starling.OpenAI
	}
	return starling.Model{
		Provider: provider, Name: m.Name, Dialect: dialect, Zone: m.Zone, Price: m.Price,
		Context: m.Context, MaxOutput: m.filled().MaxOutput, Takes: catalog.Takes(m.Name), Simulated: true,
	}
}

// quality returns the share of right answers in a skill.
func (m Model) quality(skill string) float64 {
	if q, ok := m.QualityBySkill[skill]; ok {
		return q
	}
	return m.Quality
}

func (m Model) speaks(d starling.Dialect) bool {
	switch d {
	case starling.Generate:
		d = starling.Ollama
	case starling.Completions:
		return m.Dialect != starling.Anthropic
	case starling.Responses:
		return m.Dialect == "" || m.Dialect == d || m.Dialect == starling.OpenAI
	}
	return m.Dialect == "" || m.Dialect == d
}
