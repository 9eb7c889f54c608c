package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"starling"
	"starling/internal/strict"
	"starling/internal/student"
	"starling/internal/wire"
)

// Students answers with the students of skills, in this process: nobody is called,
// and nothing leaves, but for the text of a question to a student that learned with
// an embedding model, which that model is asked about. It implements [starling.Provider]. It is immutable and safe
// for concurrent use; another student makes another Students.
//
// A student answers only what it was taught to. Every other question is Invalid,
// so that a ladder goes on with the next candidate: one of several turns, with
// another system prompt than its lesson's, with tools, pictures or documents, or
// one that demands a form in which it cannot answer.
type Students struct {
	models   []starling.Model
	taught   map[string]*pupil // by model
	embedder *Embedder         // nil if none is configured
}

// A pupil is a student, and what is known of the vectors that it is given.
type pupil struct {
	*student.Taught
	model   starling.Model
	checked atomic.Pointer[check] // nil until they were
}

var _ starling.Provider = (*Students)(nil)

// longestThought is how long a student may take, for the worst case of its
// electricity: a text is read up to a limit, in far less than a millisecond.
const longestThought = time.Second

// usualToken is how many bytes a token of plain text has.
const usualToken = 4

// NewStudents returns the provider of the given students, of which each is of
// another skill. Price says what the model of a name costs that asks nobody. One
// that learned with an embedding model asks e, whose zone and price it has then; if
// e is another model, or nil, it is there and away.
func NewStudents(all []*student.Taught, price func(name string) starling.Price, e *Embedder) *Students {
	s := &Students{taught: make(map[string]*pupil, len(all)), embedder: e}
	for _, t := range all {
		m := StudentModel(t)
		m.Price = price(m.Name)
		if t.Lesson.Embedder != nil {
			m = e.lend(m, t)
		}
		s.models, s.taught[m.Name] = append(s.models, m), &pupil{Taught: t, model: m}
	}
	return s
}

// StudentModel is the model that a student is by itself, without its price.
func StudentModel(t *student.Taught) starling.Model {
	return starling.Model{
		Provider: starling.StudentName, Name: t.Lesson.Skill, Zone: starling.Machine, Digest: t.Digest(),
		NoTools: true, NoImages: true, Student: true, Longest: longestThought,
	}
}

// Find returns the student of a skill. A nil Students has none.
func (s *Students) Find(skill string) (*student.Taught, bool) {
	if s == nil {
		return nil, false
	}
	t, ok := s.taught[skill]
	if !ok {
		return nil, false
	}
	return t.Taught, true
}

// Models implements [starling.Provider].
func (s *Students) Models() []starling.Model {
	if s == nil {
		return nil
	}
	return slices.Clone(s.models)
}

// Generate implements [starling.Provider]. Of its errors Invalid says that the
// question is another than was taught, and Refused that none of the labels fits or
// the text is a strange one. A student with an embedding model has that one's
// errors too. A student reads and writes no tokens: the usage is an estimate of what another
// model would have needed, so that the two can be compared.
func (s *Students) Generate(ctx context.Context, c starling.Call) iter.Seq2[starling.Event, error] {
	return func(yield func(starling.Event, error) bool) {
		ev, err := s.answer(ctx, c)
		if err != nil {
			yield(starling.Event{}, err)
			return
		}
		yield(ev, nil)
	}
}

func (s *Students) answer(ctx context.Context, c starling.Call) (ev starling.Event, err error) {
	t, known := s.taught[c.Model.Name]
	op := "provider " + starling.StudentName
	switch {
	case !known || c.Model.Provider != starling.StudentName:
		return ev, &starling.Error{Kind: starling.NotFound, Op: fmt.Sprintf("%s: model %q", op, c.Model.ID()), Hint: "starling distill <skill> makes one"}
	case c.Model.Digest != "" && c.Model.Digest != t.Digest(): // a plan is of one student, and evidence too
		return ev, &starling.Error{Kind: starling.Overloaded, Op: op + ": the plan is of another student of this skill", Hint: "ask again"}
	case c.Model.Zone != t.model.Zone || c.Furthest < t.model.Zone:
		return ev, &starling.Error{Kind: starling.Forbidden, Op: fmt.Sprintf("%s: the plan has it in zone %s, it is in zone %s", op, c.Model.Zone, t.model.Zone)}
	case t.model.Away != "":
		return ev, &starling.Error{Kind: starling.Invalid, Op: op + ": " + t.model.Away}
	case ctx.Err() != nil:
		return ev, &starling.Error{Kind: starling.Cancelled, Op: op + ": the caller left", Err: ctx.Err()}
	}
	q := *c.Request // whose view is the exchange's own to make
	chat, err := wire.View(&q)
	if err != nil {
		return ev, err
	}
	text, why := asked(&q, chat, &t.Lesson)
	if why != "" {
		return ev, otherwise(why)
	}
	if t.Dims() > 0 && t.Stranger(text) { // before anybody is asked and paid for a vector
		return ev, unfit("the text is unlike all that it learned from")
	}
	vector, paid, err := s.vector(ctx, c, t, text)
	if err != nil {
		return ev, err
	}
	p, err := t.PredictWith(text, vector)
	switch {
	case err != nil:
	case p.Label == "":
		err = unfit("none of its labels seems to fit")
	case p.Strange:
		err = unfit("the text is unlike all that it learned from")
	default:
		ev, err = worded(c, chat, t.Lesson.Form.Say(p.Label), p.Confidence)
	}
	if vector == nil {
		return ev, err
	}
	if err != nil {
		return ev, starling.AsBilled(err)
	}
	ev.Usage.Input = paid.Input // what is charged; the answer's length stays an estimate
	return ev, nil
}

// unfit is the error of a question to which the student has no answer.
func unfit(why string) error {
	return &starling.Error{Kind: starling.Refused, Op: "provider " + starling.StudentName + ": " + why, Hint: "the next candidate may know better"}
}

// otherwise is the error of a question that a student was not taught to answer.
func otherwise(why string) error {
	return &starling.Error{Kind: starling.Invalid, Op: "student: asked otherwise than it was taught", Hint: "the next candidate answers", Err: errors.New(why)}
}

// worded makes the one event of an answer, if that is in the form that the caller
// demands.
func worded(c starling.Call, chat *starling.Chat, text string, confidence float64) (ev starling.Event, err error) {
	if chat.MaxTokens > 0 && int64(len(text)) > usualToken*chat.MaxTokens {
		return ev, otherwise("its answer is longer than the output limit")
	}
	if slices.ContainsFunc(chat.Stop, func(stop string) bool { return stop != "" && strings.Contains(text, stop) }) {
		return ev, otherwise("its answer has a stop sequence in it")
	}
	if why := misshapen(chat.Format, text); why != "" {
		return ev, otherwise(why)
	}
	for name := range chat.Extra {
		c.Left(name)
	}
	usage := spared(chat, text)
	return starling.Event{
		Whole: !c.Request.Stream, Deltas: []starling.Delta{{Kind: starling.TextPart, Text: text}}, Model: c.Model.Name,
		Finish: starling.Stopped, Confidence: confidence, Usage: &usage, Bytes: len(text),
	}, nil
}

// spared estimates the tokens that another model would have needed. A saving is
// claimed of them, so the estimate rather errs downwards, unlike that of what is
// charged ([starling.Model.Estimate]): of the words alone, and few tokens to them.
func spared(chat *starling.Chat, answer string) starling.Usage {
	system, _ := textOf(chat.System)
	question, _ := textOf(chat.Messages[0].Parts)
	tokens := func(text string) int64 { return int64((len(text) + usualToken - 1) / usualToken) }
	return starling.Usage{Input: tokens(system) + tokens(question), Output: tokens(answer), Estimated: true}
}

// asked returns the text that a question asks about, or why it is none that was
// taught.
func asked(r *starling.Request, chat *starling.Chat, l *student.Lesson) (text, why string) {
	switch {
	case r.Tools+r.Hosted+len(chat.Tools) > 0:
		return "", "there are tools"
	case r.Images+r.Documents > 0:
		return "", "there is more than text"
	case r.Choices > 1 || chat.Choices > 1:
		return "", "more than one answer is asked for"
	case chat.Logprobs:
		return "", "it says logprobs"
	case len(chat.Messages) != 1 || chat.Messages[0].Role != starling.User:
		return "", "there is more than one message of a user"
	}
	for name, value := range chat.Extra {
		if !idle(name, value) {
			return "", "it says " + name
		}
	}
	system, plain := textOf(chat.System)
	if !plain || !l.Asks(system) {
		return "", "the system prompt is another"
	}
	text, plain = textOf(chat.Messages[0].Parts)
	if _, seen := student.Key(text); !plain || !seen {
		return "", "there is no text, or more than text"
	}
	return text, ""
}

// textOf joins parts as the texts were joined from which a student learned.
func textOf(parts []starling.Part) (text string, plain bool) {
	var all []string
	for _, p := range parts {
		if p.Kind != starling.TextPart {
			return "", false
		}
		all = append(all, p.Text)
	}
	return strings.Join(all, "\n"), true
}

// idle reports whether a field that has no dialect-free form makes no difference
// to who always gives the same answer to the same text.
func idle(name string, value json.RawMessage) bool {
	switch string(value) {
	case "false", "0", "[]", "{}", `""`, "0.0":
		return true
	}
	return idleFields[name] || strings.HasSuffix(name, ".cache_control") || strings.HasPrefix(name, "metadata.")
}

var idleFields = map[string]bool{
	"metadata": true, "store": true, "service_tier": true, "speed": true, "verbosity": true, "prompt_cache_key": true, "prompt_cache_retention": true,
	"frequency_penalty": true, "presence_penalty": true, "stream_options.include_obfuscation": true, "cache_control": true,
	"response_format.json_schema.description": true,
}

// misshapen says why an answer is not in a demanded form.
func misshapen(f *starling.Format, text string) string {
	if f == nil {
		return ""
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var value any
	if dec.Decode(&value) != nil || strings.TrimSpace(text[dec.InputOffset():]) != "" {
		return "JSON is demanded, and its answer is none"
	}
	if _, object := value.(map[string]any); !object && f.Kind == "json_object" {
		return "a JSON object is demanded, and its answer is none"
	}
	if f.Kind != "json_schema" || len(f.Schema) == 0 {
		return ""
	}
	if broken, err := strict.NewSchema(f.Schema).Check(value); err != nil || broken != "" {
		return "its answer breaks the JSON Schema that is demanded"
	}
	return ""
}
