package ledger

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"sync"
	"time"

	"starling"
)

// encode returns a receipt's JSON, byte for byte what encoding/json makes of it.
// Every exchange waits for this, and by hand it takes a fifth of the time; a
// test holds the two together, field by field.
func encode(r *starling.Receipt) ([]byte, error) {
	e := encoders.Get().(*encoder)
	e.receipt(r)
	payload, err := bytes.Clone(e.b), e.err
	e.b, e.err = e.b[:0], nil
	encoders.Put(e)
	return payload, err
}

// encoders have memory of the size that receipts turn out to have.
var encoders = sync.Pool{New: func() any { return &encoder{b: make([]byte, 0, 4096)} }}

// An encoder appends JSON. Its methods are named after what they append; those
// with a name append a member of an object, and "some" leaves zero values out.
type encoder struct {
	b   []byte
	err error // the first
}

func (e *encoder) open(bracket byte)  { e.b = append(e.b, bracket) }
func (e *encoder) close(bracket byte) { e.b = append(e.b, bracket) }

// next separates elements.
func (e *encoder) next() {
	if last := e.b[len(e.b)-1]; last != '{' && last != '[' {
		e.b = append(e.b, ',')
	}
}

func (e *encoder) name(name string) {
	e.next()
	e.b = append(e.b, '"')
	e.b = append(e.b, name...)
	e.b = append(e.b, '"', ':')
}

func (e *encoder) text(s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			e.value(s)
			return
		}
	}
	e.b = append(e.b, '"')
	e.b = append(e.b, s...)
	e.b = append(e.b, '"')
}

// value leaves a rare case to encoding/json.
func (e *encoder) value(v any) {
	text, err := json.Marshal(v)
	if err != nil && e.err == nil {
		e.err = err
	}
	e.b = append(e.b, text...)
}

func (e *encoder) number(n int64) { e.b = strconv.AppendInt(e.b, n, 10) }

func str[T ~string](e *encoder, name string, v T) {
	e.name(name)
	e.text(string(v))
}

func someStr[T ~string](e *encoder, name string, v T) {
	if v != "" {
		str(e, name, v)
	}
}

func num[T ~int64](e *encoder, name string, v T) {
	e.name(name)
	e.number(int64(v))
}

func someNum[T ~int64](e *encoder, name string, v T) {
	if v != 0 {
		num(e, name, v)
	}
}

func (e *encoder) someTrue(name string, v bool) {
	if v {
		e.name(name)
		e.b = append(e.b, "true"...)
	}
}

func (e *encoder) float(name string, v float64) {
	e.name(name)
	if abs := math.Abs(v); v == 0 || abs >= 1e-6 && abs < 1e21 {
		e.b = strconv.AppendFloat(e.b, v, 'f', -1, 64)
		return
	}
	e.value(v)
}

func (e *encoder) someFloat(name string, v float64) {
	if v != 0 {
		e.float(name, v)
	}
}

func (e *encoder) time(name string, t time.Time) {
	e.name(name)
	if y := t.Year(); t.Location() != time.UTC || y < 0 || y > 9999 {
		e.value(t)
		return
	}
	e.b = append(e.b, '"')
	e.b = t.AppendFormat(e.b, time.RFC3339Nano)
	e.b = append(e.b, '"')
}

// list appends null for nil, as encoding/json does.
func list[T any](e *encoder, name string, all []T, one func(*T)) {
	e.name(name)
	if all == nil {
		e.b = append(e.b, "null"...)
		return
	}
	e.open('[')
	for i := range all {
		e.next()
		one(&all[i])
	}
	e.close(']')
}

func someList[T any](e *encoder, name string, all []T, one func(*T)) {
	if len(all) > 0 {
		list(e, name, all, one)
	}
}

func (e *encoder) textOf(s *string) { e.text(*s) }

func (e *encoder) receipt(r *starling.Receipt) {
	e.open('{')
	str(e, "id", r.ID)
	e.time("time", r.Time)
	num(e, "took_ns", r.Took)
	num(e, "added_ns", r.Added)
	str(e, "dialect", r.Dialect)
	e.someTrue("stream", r.Stream)
	str(e, "asked", r.Asked)
	someStr(e, "audit_of", r.AuditOf)
	someStr(e, "part_of", r.PartOf)
	someStr(e, "key", r.Key)
	someStr(e, "team", r.Team)
	e.screen(&r.Screen)
	e.plan(&r.Plan)
	e.observed(r.Observed)
	list(e, "attempts", r.Attempts, e.attempt)
	e.response(&r.Response)
	str(e, "outcome", r.Outcome)
	someStr(e, "kind", r.Kind)
	someStr(e, "why", r.Why)
	num(e, "cost_nanodollars", r.Cost)
	someNum(e, "parts", r.Parts)
	someNum(e, "parts_nanodollars", r.PartsCost)
	someNum(e, "reference_nanodollars", r.Reference)
	num(e, "saved_nanodollars", r.Saved)
	e.someTrue("saved_is_estimate", r.Estimate)
	someStr(e, "request_mac", r.RequestMAC)
	someStr(e, "answer_mac", r.AnswerMAC)
	e.close('}')
}

func (e *encoder) screen(s *starling.Screen) {
	e.name("screen")
	e.open('{')
	str(e, "class", s.Class)
	str(e, "furthest_zone", s.Furthest.String())
	list(e, "from", s.From, e.textOf)
	e.close('}')
}

func (e *encoder) plan(p *starling.Plan) {
	e.name("plan")
	e.open('{')
	someStr(e, "skill", p.Skill)
	someStr(e, "rubric", p.Rubric)
	someStr(e, "identified", p.Identified)
	str(e, "rule", p.Rule)
	e.someTrue("pinned", p.Pinned)
	if p.Reference != nil {
		e.name("reference")
		e.model(p.Reference)
	}
	someNum(e, "limit_nanodollars", p.Limit)
	e.someFloat("bar", p.Bar)
	someNum(e, "patience_ns", p.Patience)
	someNum(e, "expected_nanodollars", p.Expected)
	list(e, "candidates", p.Candidates, e.candidate)
	someList(e, "left_out", p.Left, e.left)
	e.close('}')
}

func (e *encoder) observed(o *starling.Observed) {
	if o == nil {
		return
	}
	e.name("observed")
	e.open('{')
	e.someTrue("shadow", o.Shadow)
	someStr(e, "skill", o.Skill)
	someStr(e, "rubric", o.Rubric)
	someStr(e, "identified", o.Identified)
	someStr(e, "rule", o.Rule)
	someNum(e, "expected_nanodollars", o.Expected)
	someNum(e, "at_tokens_nanodollars", o.AtTokens)
	someList(e, "candidates", o.Candidates, e.wouldBe)
	e.close('}')
}

func (e *encoder) wouldBe(c *starling.WouldBe) {
	e.open('{')
	str(e, "model", c.Model)
	someStr(e, "unit", c.Unit)
	someStr(e, "warrant", c.Warrant)
	e.someFloat("threshold", c.Threshold)
	e.float("probability", c.Probability)
	num(e, "expected_nanodollars", c.Expected)
	e.close('}')
}

func (e *encoder) model(m *starling.Model) {
	e.open('{')
	str(e, "provider", m.Provider)
	str(e, "name", m.Name)
	str(e, "dialect", m.Dialect)
	str(e, "zone", m.Zone.String())
	e.price(&m.Price)
	someNum(e, "context", m.Context)
	someNum(e, "max_output", m.MaxOutput)
	e.someTrue("no_tools", m.NoTools)
	e.someTrue("no_images", m.NoImages)
	someStr(e, "takes", m.Takes)
	e.someTrue("embeds", m.Embeds)
	someStr(e, "released", m.Released)
	someStr(e, "digest", m.Digest)
	e.someTrue("student", m.Student)
	e.someTrue("hedged", m.Hedged)
	e.someTrue("simulated", m.Simulated)
	e.close('}')
}

func (e *encoder) price(p *starling.Price) {
	e.name("price")
	e.open('{')
	e.rates(&p.Rates)
	someList(e, "tiers", p.Tiers, e.tier)
	someNum(e, "milliwatts", p.Milliwatts)
	someNum(e, "per_kwh_nanodollars", p.PerKWh)
	someNum(e, "search_nanodollars", p.Search)
	e.someTrue("declared_free", p.Free)
	str(e, "source", p.Source)
	someStr(e, "as_of", p.AsOf)
	e.close('}')
}

func (e *encoder) rates(r *starling.Rates) {
	someNum(e, "input", r.Input)
	someNum(e, "output", r.Output)
	someNum(e, "cache_read", r.CacheRead)
	someNum(e, "cache_write", r.CacheWrite)
	someNum(e, "cache_write_1h", r.CacheWrite1h)
}

func (e *encoder) tier(t *starling.Tier) {
	e.open('{')
	num(e, "above", t.Above)
	e.rates(&t.Rates)
	e.close('}')
}

func (e *encoder) candidate(c *starling.Candidate) {
	e.open('{')
	e.name("model")
	e.model(&c.Model)
	someStr(e, "unit", c.Unit)
	someStr(e, "warrant", c.Warrant)
	e.someFloat("threshold", c.Threshold)
	e.someTrue("logprobs", c.Logprobs)
	someList(e, "verify", c.Verify, e.textOf)
	someList(e, "nets", c.Nets, e.textOf)
	e.split(c.Split)
	e.float("probability", c.Probability)
	str(e, "basis", c.Basis)
	num(e, "expected_nanodollars", c.Expected)
	num(e, "worst_nanodollars", c.Worst)
	str(e, "why", c.Why)
	e.close('}')
}

func (e *encoder) split(s *starling.Split) {
	if s == nil {
		return
	}
	e.name("split")
	e.open('{')
	list(e, "readers", s.Readers, e.textOf)
	num(e, "chunks", s.Chunks)
	num(e, "readings", s.Readings)
	num(e, "tokens", s.Tokens)
	num(e, "answer_nanodollars", s.Answer)
	num(e, "whole_nanodollars", s.Whole)
	e.close('}')
}

func (e *encoder) left(l *starling.Left) {
	e.open('{')
	str(e, "model", l.Model)
	str(e, "kind", l.Kind)
	str(e, "why", l.Why)
	someNum(e, "worst_nanodollars", l.Worst)
	e.close('}')
}

func (e *encoder) attempt(a *starling.Attempt) {
	e.open('{')
	str(e, "model", a.Model)
	str(e, "zone", a.Zone.String())
	e.someTrue("simulated", a.Simulated)
	num(e, "offset_ns", a.Offset)
	someNum(e, "first_byte_ns", a.FirstByte)
	num(e, "took_ns", a.Took)
	str(e, "outcome", a.Outcome)
	someStr(e, "kind", a.Kind)
	someStr(e, "why", a.Why)
	e.someFloat("confidence", a.Confidence)
	someList(e, "verdicts", a.Verdicts, e.verdict)
	someStr(e, "finish", a.Finish)
	e.usage(&a.Usage)
	someNum(e, "counted", a.Counted)
	someStr(e, "short", a.Short)
	someStr(e, "split", a.Split)
	someNum(e, "spared", a.Spared)
	someList(e, "lines", a.Lines, e.line)
	num(e, "cost_nanodollars", a.Cost)
	someStr(e, "upstream_id", a.Upstream)
	someStr(e, "upstream_model", a.Said)
	someList(e, "left_out", a.Left, e.textOf)
	e.close('}')
}

func (e *encoder) verdict(v *starling.Verdict) {
	e.open('{')
	str(e, "verifier", v.Verifier)
	e.name("accept")
	e.b = strconv.AppendBool(e.b, v.Accept)
	someStr(e, "why", v.Why)
	someNum(e, "cost_nanodollars", v.Cost)
	e.close('}')
}

func (e *encoder) usage(u *starling.Usage) {
	e.name("usage")
	e.open('{')
	num(e, "input", u.Input)
	someNum(e, "cache_read", u.CacheRead)
	someNum(e, "cache_write", u.CacheWrite)
	someNum(e, "cache_write_1h", u.CacheWrite1h)
	num(e, "output", u.Output)
	someNum(e, "reasoning", u.Reasoning)
	someNum(e, "searches", u.Searches)
	someStr(e, "service_tier", u.Tier)
	e.someTrue("estimated", u.Estimated)
	e.close('}')
}

func (e *encoder) line(l *starling.CostLine) {
	e.open('{')
	str(e, "what", l.What)
	someNum(e, "tokens", l.Tokens)
	someNum(e, "rate", l.Rate)
	someNum(e, "count", l.Count)
	someNum(e, "each_nanodollars", l.Each)
	e.someTrue("unpriced", l.Unpriced)
	num(e, "amount_nanodollars", l.Amount)
	e.close('}')
}

func (e *encoder) response(r *starling.Response) {
	e.name("response")
	e.open('{')
	someStr(e, "model", r.Model)
	someStr(e, "provider", r.Provider)
	str(e, "zone", r.Zone.String())
	e.someTrue("simulated", r.Simulated)
	str(e, "reason", r.Reason)
	someStr(e, "finish", r.Finish)
	num(e, "cost_nanodollars", r.Cost)
	e.someTrue("unpriced", r.Unpriced)
	e.close('}')
}
