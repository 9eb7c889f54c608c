package starling

import (
	"slices"
	"time"
)

// A Model is something that can be called: a name at a provider, where it runs,
// what it costs and what it can do.
type Model struct {
	Provider string  `json:"provider"` // the provider's name in the configuration
	Name     string  `json:"name"`     // what the upstream calls it
	Dialect  Dialect `json:"dialect"`
	Zone     Zone    `json:"zone"`
	Price    Price   `json:"price"`

	Context   int64   `json:"context,omitempty"`    // window in tokens; 0 unknown
	MaxOutput int64   `json:"max_output,omitempty"` // most output tokens; 0 unknown
	NoTools   bool    `json:"no_tools,omitempty"`   // known not to call tools
	NoImages  bool    `json:"no_images,omitempty"`  // known not to read images
	Takes     Dialect `json:"takes,omitempty"`      // what it is asked for instead of words: [Embeddings] or [Moderations]; "" it converses
	Embeds    bool    `json:"embeds,omitempty"`     // it converses, and turns texts into vectors too
	Released  string  `json:"released,omitempty"`   // YYYY-MM-DD
	Digest    string  `json:"digest,omitempty"`     // of what answers, where it is known: change it and it is another candidate

	Student   bool `json:"student,omitempty"`   // a small classifier of ours: it answers only what a warrant covers
	Hedged    bool `json:"hedged,omitempty"`    // one attempt may buy two answers
	Simulated bool `json:"simulated,omitempty"` // a simulated upstream: nothing it says is a model's

	Also    []Dialect     `json:"-"` // that its upstream understands beside Dialect
	Away    string        `json:"-"` // why nobody can ask it now; "" it can be asked
	Drained bool          `json:"-"` // an answer that nobody wants any more is made to its end
	Longest time.Duration `json:"-"` // that a call may take; 0 unknown
	Counts  bool          `json:"-"` // its server says how many tokens a request has
	Reads   float64       `json:"-"` // tokens of a prompt a second, as measured of late; 0 unknown
	Writes  float64       `json:"-"` // tokens of an answer a second, alike
}

// StudentName is the provider of all students. In a rubric it is the candidate that
// is the skill's own: "student/" and the skill's name.
const StudentName = "student"

// ID returns "provider/name", which names the model unmistakably.
func (m Model) ID() string { return m.Provider + "/" + m.Name }

// Answers reports whether the model is asked such questions at all.
func (m Model) Answers(d Dialect) bool {
	switch want := d.Wants(); want {
	case CountTokens:
		return m.Takes == "" && m.Dialect == Anthropic
	case Embeddings:
		return m.Takes == want || m.Embeds
	default:
		return m.Takes == want
	}
}

// Speaks reports whether the model's upstream is asked in d without translation.
func (m Model) Speaks(d Dialect) bool { return m.Dialect == d || slices.Contains(m.Also, d) }
