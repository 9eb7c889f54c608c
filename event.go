package starling

// An Event is a piece of an answer as it arrives. An answer that is not
// streamed is one event with Whole set.
//
// Raw is what the upstream sent, byte for byte except that the provider's own
// key is hidden where it is echoed, and that log-probabilities which the caller
// did not ask for ([Call.Logprobs]) are null: a whole server-sent event with its
// terminator (comments are events too), or a whole body. Deltas say the same
// in no dialect. A provider fills Raw when its dialect is the request's, and
// Deltas whenever the request needs translation or was asked for them
// ([Call.Deltas]); at least one of the two is there, except in an event that
// carries only Usage, Finish or Aside, and in one that is Idle.
//
// An Idle event says that somebody is still at work, and nothing else. With Raw it is
// the upstream's own sign of life. Without, a provider that has no upstream says so in
// no dialect, while a model loads or a queue is waited in: a caller who streams, and
// whom nobody else can answer any more, is told in the caller's dialect.
//
// The bytes of Raw are valid until the next event is asked for.
type Event struct {
	Raw     []byte
	Whole   bool
	Deltas  []Delta
	Vectors [][]float32 // of an answer that is vectors, in the order of the texts; in the place of Deltas

	ID         string  // the upstream's id of the answer, once known
	Model      string  // the model's name as the upstream says it, once known
	Finish     Finish  // why the answer ended, once known; of several choices, why one of them did
	Confidence float64 // the model's own in its answer so far, in (0, 1], once known: the last one counts; of several choices that in the first
	Usage      *Usage  // the upstream's own count so far: cumulative, the last one counts
	Bytes      int     // bytes of answer in this event, to estimate tokens if no usage ever comes
	Idle       bool    // a sign of life, such as a comment: it belongs to no answer
	Ends       bool    // of a stream: with it the answer is complete as far as its dialect tells; more may come, such as a count
	Simulated  bool    // the upstream says of itself that it is simulated: in every event

	// Aside is a call that was made beside the one that answers: a hedge that
	// lost, or a retry whose first try may have been billed. It is booked like
	// any attempt. An event with an Aside carries nothing else.
	Aside *Attempt
}

// A Delta is a step in building the answer. Blocks are numbered from 0 in order
// of appearance; the pieces of one block share its Block. Each of several choices
// has blocks of its own, and ends in a delta that has a Finish and nothing else.
//
// Of what a model over HTTP answers, the first choice alone is told in deltas. A
// model on this machine tells them all, and gives several to a caller of the openai
// or the completions dialect only.
type Delta struct {
	Choice int      // of several that were asked for, from 0
	Kind   PartKind // TextPart, ReasoningPart, RefusalPart or CallPart; "" with a Finish
	Block  int

	Text      string  // more text, or more of a call's arguments
	Tokens    []Token // of a TextPart's Text, if their log-probabilities are asked for and known; nil else
	Signature string  // of a ReasoningPart, whole
	ID        string  // of a CallPart: in its first delta
	Name      string  // of a CallPart: in its first delta

	Finish Finish // why its choice ended; "" where one answer was asked for, of which the event says so
}

// A Token is a token of a text, and how likely it was.
type Token struct {
	Text    string  // its bytes, which need not be whole characters
	Logprob float64 // the natural logarithm of its probability
	Top     []Token // that could have stood there, the likeliest first; they have no Top
}

// A Finish says why an answer ended.
type Finish string

// The ways to end. "" is not ended.
const (
	Stopped   Finish = "stop"          // the model was done
	StopWord  Finish = "stop_sequence" // a stop sequence came up
	Length    Finish = "length"        // the output limit
	ToolUse   Finish = "tool_calls"    // the model waits for tools
	Filtered  Finish = "refusal"       // the model or its vendor refused
	Paused    Finish = "pause"         // a long turn, to be continued by the caller
	Overfull  Finish = "window"        // the context window is full
	OtherStop Finish = "other"         // something we have no word for
)

// Usage counts tokens in parts that do not overlap, whatever the dialect's own
// convention: the whole input is Input + CacheRead + CacheWrite + CacheWrite1h.
type Usage struct {
	Input        int64 `json:"input"`                    // neither read from nor written to a prompt cache
	CacheRead    int64 `json:"cache_read,omitempty"`     // read from the provider's prompt cache
	CacheWrite   int64 `json:"cache_write,omitempty"`    // written to it, default lifetime
	CacheWrite1h int64 `json:"cache_write_1h,omitempty"` // written to it for an hour
	Output       int64 `json:"output"`                   // reasoning included
	Reasoning    int64 `json:"reasoning,omitempty"`      // the part of Output that was reasoning

	Searches  int64  `json:"searches,omitempty"`     // that the vendor ran, charged beside the tokens
	Tier      string `json:"service_tier,omitempty"` // as the upstream says it
	Estimated bool   `json:"estimated,omitempty"`    // ours, not the upstream's
}

// Dearer reports whether the upstream says that it served the call in a tier for
// which it charges more than the listed price.
func (u Usage) Dearer() bool {
	switch u.Tier {
	case "priority", "fast", "scale":
		return true
	}
	return false
}

// TotalInput returns every token that was read.
func (u Usage) TotalInput() int64 { return u.Input + u.CacheRead + u.CacheWrite + u.CacheWrite1h }

// An Answer is a whole answer in no dialect, as a verifier sees it.
type Answer struct {
	Text    string // the text blocks, joined
	Calls   []ToolCall
	Refused bool // the model says, in its dialect's own form, that it will not answer
	Finish  Finish
}
