package engine

import (
	"math"

	"starling"
)

// Parent and child speak over the child's standard input and output, which nobody else
// can reach. Each message is a frame: its length in bytes, four of them, the lowest
// first, and then one JSON value, an [Order] on the way in and a [Report] on the way
// back. A frame longer than MostFrame is garbage. What the library prints goes to the
// standard error and never between the frames.
const MostFrame = 64 << 20

// Version is that of this language. A child says it in its [Hello], and a parent of
// another version ends it.
const Version = 2

// An Order is what a parent wants. Exactly one of its pointers is set, or Cancel, or
// Threads. The first order is a Load; it is the only one that a child obeys twice never.
type Order struct {
	ID uint64 `json:"id,omitempty"` // of a piece of work, never used again; 0 of what is none

	Load     *Load     `json:"load,omitempty"`
	Generate *Generate `json:"generate,omitempty"`
	Embed    *Embed    `json:"embed,omitempty"`
	Count    *Count    `json:"count,omitempty"`

	Cancel  bool `json:"cancel,omitempty"`  // the work of that ID ends within a token
	Threads int  `json:"threads,omitempty"` // from the next batch on
}

// Choices is how many answers an order is for, at least 1.
func (o *Order) Choices() int {
	if o.Generate == nil {
		return 1
	}
	return max(1, o.Generate.Choices)
}

// A Load says what a child holds until it ends.
type Load struct {
	Library   string    `json:"library"`              // folder of the shared libraries
	Model     string    `json:"model"`                // file
	Context   int       `json:"context"`              // tokens that each sequence may have
	Sequences int       `json:"sequences"`            // that are worked on at once, at least 1
	Batch     int       `json:"batch,omitempty"`      // tokens that are read at once; 0: 512
	Threads   int       `json:"threads"`              // at least 1
	Adapters  []Adapter `json:"adapters,omitempty"`   // that a Generate may ask for
	Vectors   bool      `json:"vectors,omitempty"`    // it makes vectors of texts, and no words
	CacheType string    `json:"cache_type,omitempty"` // of keys and values: "f16" (also ""), "q8_0"
}

// An Adapter is a LoRA adapter.
type Adapter struct {
	Name string `json:"name"`
	File string `json:"file"`
}

// A Generate asks for the text that follows a prompt, or for several such texts: the
// prompt is read once for all of them, and all else holds of each.
type Generate struct {
	Prompt    []Text   `json:"prompt"`
	Choices   int      `json:"choices,omitempty"`    // texts, at most as many as there are sequences; 0: 1
	MaxTokens int      `json:"max_tokens,omitempty"` // 0: until the window is full
	Stop      []string `json:"stop,omitempty"`       // texts before which the answer ends; they are not part of it
	Grammar   string   `json:"grammar,omitempty"`    // GBNF, whose root is "root"; "" everything may be said
	Adapter   string   `json:"adapter,omitempty"`    // by name; "" none
	Scale     float32  `json:"scale,omitempty"`      // of the adapter; 0: 1
	Logprobs  bool     `json:"logprobs,omitempty"`   // with each token its log-probability
	Top       int      `json:"top,omitempty"`        // and those of so many likely ones, at most 20

	Sampling
}

// A Text is a piece of a prompt. What a template says may name special tokens, such as
// those that begin a turn; what a person says is read as it is written, so that nobody
// can end their own turn and begin another's.
type Text struct {
	Text    string `json:"text"`
	Special bool   `json:"special,omitempty"`
}

// Sampling says how a token is chosen. A pointer that is nil, and 0 elsewhere, leaves a
// step out: with no temperature the likeliest token is taken.
type Sampling struct {
	Temperature float32           `json:"temperature,omitempty"`
	TopK        int32             `json:"top_k,omitempty"`
	TopP        float32           `json:"top_p,omitempty"` // 0 and 1: all
	MinP        float32           `json:"min_p,omitempty"`
	Typical     float32           `json:"typical,omitempty"` // 0 and 1: all
	Repeat      float32           `json:"repeat,omitempty"`  // penalty of tokens said before; 0 and 1: none
	Frequency   float32           `json:"frequency,omitempty"`
	Presence    float32           `json:"presence,omitempty"`
	Last        int32             `json:"last,omitempty"` // how many tokens back the penalties look; 0: 64, -1: all
	Bias        map[int32]float32 `json:"bias,omitempty"` // added to the logits, by token
	Seed        *uint32           `json:"seed,omitempty"` // nil: one by chance, which Done tells
}

// MostSeed is the greatest seed that the library takes as one: the next means one by
// chance to it, and is read as MostSeed.
const MostSeed = math.MaxUint32 - 1

// SeedOf is the seed of a choice of an order with a seed: that many more, and 0 follows
// MostSeed. So each choice is the answer that its own seed alone brings, and the first
// is the one of who asks for one.
func SeedOf(seed uint32, choice int) uint32 {
	if choice == 0 {
		return seed
	}
	return uint32((uint64(min(seed, MostSeed)) + uint64(choice)) % (MostSeed + 1))
}

// An Embed asks for the vector of each text, normalised to length 1.
type Embed struct {
	Texts []string `json:"texts"`
}

// A Count asks for the tokens of a text.
type Count struct {
	Text []Text `json:"text"`
}

// A Report is what a child says. Exactly one of its pointers is set, or Progress. The
// first is its Hello. Each piece of work ends in one Done, Vectors, Counted or Fault; one of
// several choices in a Done for each of them, in any order, or in one Fault for all.
type Report struct {
	ID     uint64 `json:"id,omitempty"`     // of the order; 0 of the Load and what concerns the child itself
	Choice int    `json:"choice,omitempty"` // that a Token or a Done is of, from 0

	Hello    *Hello      `json:"hello,omitempty"`
	Progress float32     `json:"progress,omitempty"` // of the Load, in (0, 1]
	Loaded   *Loaded     `json:"loaded,omitempty"`
	Token    *Token      `json:"token,omitempty"`
	Done     *Done       `json:"done,omitempty"`
	Vectors  [][]float32 `json:"vectors,omitempty"`
	Counted  *Counted    `json:"counted,omitempty"`
	Fault    *Fault      `json:"fault,omitempty"`
}

// Last reports whether nothing more will be said of the piece of work.
func (r *Report) Last() bool {
	return r.Done != nil && !r.Done.More || r.Vectors != nil || r.Counted != nil || r.Fault != nil
}

// A Hello says who the child is, before it has loaded anything.
type Hello struct {
	Version int `json:"version"` // of this language
	Pid     int `json:"pid"`
}

// Loaded says what the child holds now.
type Loaded struct {
	Library      string  `json:"library"`      // version and what it was made for: "v0.5.0 haswell"
	Description  string  `json:"description"`  // the library's own, of the model: "llama 1B Q4_K - Medium"
	Architecture string  `json:"architecture"` // "llama", "qwen3"
	Trained      int     `json:"trained"`      // tokens of the window that the model was trained with
	Context      int     `json:"context"`      // tokens that each sequence may have, as the library gave them
	Vocabulary   int     `json:"vocabulary"`   // tokens
	Dimensions   int     `json:"dimensions"`   // of a vector
	Bytes        int64   `json:"bytes"`        // of its tensors
	Template     string  `json:"template"`     // the model's own chat template; "" none
	BOS          string  `json:"bos,omitempty"`
	EOS          string  `json:"eos,omitempty"`
	Seconds      float64 `json:"seconds"` // that loading took
}

// A Token is one token of an answer, in order.
type Token struct {
	Text    string   `json:"text"` // of whole characters: bytes of one that is not whole yet wait for the next token
	ID      int32    `json:"id"`
	Logprob *float64 `json:"logprob,omitempty"` // among the tokens that the grammar allowed
	Top     []Likely `json:"top,omitempty"`     // the likeliest first
}

// Likely is a token that could have been said.
type Likely struct {
	Text    []byte  `json:"text"`
	ID      int32   `json:"id"`
	Logprob float64 `json:"logprob"`
}

// Done ends an answer, or a choice of one.
type Done struct {
	Finish  starling.Finish `json:"finish"`           // Stopped, StopWord, Length
	Stop    string          `json:"stop,omitempty"`   // which stop text, of StopWord
	Window  bool            `json:"window,omitempty"` // of Length: the window was full, not the limit reached
	Prompt  int             `json:"prompt"`           // tokens of the prompt
	Cached  int             `json:"cached"`           // of these, those that had been read before; all of them for a choice but the first
	Output  int             `json:"output"`           // tokens of the answer, those included that are not told
	Seed    uint32          `json:"seed"`             // with which it can be had again
	Reading float64         `json:"reading"`          // seconds until the first token
	Writing float64         `json:"writing"`          // seconds from there to the last
	Left    bool            `json:"left,omitempty"`   // it was cancelled, with all choices
	More    bool            `json:"more,omitempty"`   // other choices of the order are still being written
}

// Counted is a text in tokens.
type Counted struct {
	Tokens []int32 `json:"tokens"`
}

// A Fault ends a piece of work, or says why nothing could be loaded. Its words hold
// nothing of a prompt.
type Fault struct {
	Kind starling.Kind `json:"kind"`
	Op   string        `json:"op"`
	Hint string        `json:"hint,omitempty"`
}
