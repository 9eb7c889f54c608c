package serve

import (
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"starling"
)

// metrics are a fold over exchanges as they are settled. Labels come from the
// configuration only, never from a caller's words, so their number is bounded.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	refusals *prometheus.CounterVec
	attempts *prometheus.CounterVec
	nets     *prometheus.CounterVec
	tokens   *prometheus.CounterVec
	cost     *prometheus.CounterVec
	audits   *prometheus.CounterVec
	observed *prometheus.CounterVec
	short    *prometheus.CounterVec
	saved    *prometheus.GaugeVec
	took     *prometheus.HistogramVec
	added    prometheus.Histogram

	byAnswer, byAttempt, bySkill sync.Map // series by their labels
}

func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "starling_" + name, Help: help}, labels)
		m.registry.MustRegister(v)
		return v
	}
	m.requests = counter("requests_total", "Exchanges, by skill, answering model, zone and outcome.", "skill", "model", "zone", "outcome")
	m.refusals = counter("refusals_total", "Requests without an answer, by kind of error.", "kind")
	m.attempts = counter("attempts_total", "Calls of candidates, by model and outcome.", "model", "outcome")
	m.nets = counter("nets_total", "What safety nets found in answers, by model, net and what came of it: rejected and replaced, mended in its form, or noted as it was sent all the same.", "model", "net", "result")
	m.tokens = counter("tokens_total", "Tokens, by model and what they were.", "model", "what")
	m.cost = counter("cost_dollars_total", "Spent, failed attempts and verifiers included.", "skill", "model")
	m.audits = counter("audits_total", "Answers that were drawn to be audited, by skill and whether the reference agreed, or in a shadow whether it agreed with the answer that was given; climbed shadows were not accepted, skipped were not compared for want of room, failed since it could not be asked or compared with.", "skill", "result")
	m.observed = counter("observed_total", "Exchanges that were only observed, by the skill that would have decided and the model that would have been asked first.", "skill", "model")
	m.short = counter("short_reads_total", "Calls of candidates that read less than they were sent, by model.", "model")
	m.saved = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "starling_saved_estimate_dollars", Help: "Reference model's price for the same tokens minus everything spent since start; an estimate, and negative when it is."}, []string{"skill"})
	m.took = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "starling_request_seconds", Help: "From arrival to settlement.", Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 13)}, []string{"skill"})
	m.added = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "starling_added_seconds", Help: "Of that, not spent waiting for upstreams.", Buckets: prometheus.ExponentialBuckets(0.00005, 2, 14)})
	m.registry.MustRegister(m.saved, m.took, m.added, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// observe counts a settled exchange.
func (m *metrics) observe(ex *starling.Exchange) {
	r := ex.Receipt
	if r == nil {
		m.refused(starling.Internal)
		return
	}
	who := "none"
	if r.Response.Model != "" {
		who = r.Response.Provider + "/" + r.Response.Model
	}
	m.answers(answerLabels{r.Plan.Skill, who, r.Response.Zone, r.Outcome}).Inc()
	if r.Kind != "" {
		m.refused(r.Kind)
	}
	if r.Observed != nil {
		m.observed.WithLabelValues(r.Observed.Skill, or(r.Observed.First(), "none")).Inc()
	}
	for _, part := range ex.Parts {
		m.spent(part)
	}
	s := m.spent(r)
	s.took.Observe(r.Took.Seconds())
	m.added.Observe(r.Added.Seconds())
}

// spent counts what the attempts of an exchange took.
func (m *metrics) spent(r *starling.Receipt) *skillSeries {
	for i := range r.Attempts {
		a := &r.Attempts[i]
		m.attempt(attemptLabels{r.Plan.Skill, a.Model, a.Outcome}).count(a)
		if a.Short != "" {
			m.short.WithLabelValues(a.Model).Inc()
		}
		m.caught(a)
	}
	s := m.skill(r.Plan.Skill)
	s.saved.Add(dollars(r.Saved))
	return s
}

// caught counts what safety nets found in an answer.
func (m *metrics) caught(a *starling.Attempt) {
	for i := range a.Verdicts {
		v := &a.Verdicts[i]
		if !v.Net() {
			continue
		}
		result := "noted"
		switch {
		case v.Accept:
			result = "mended"
		case a.Outcome == starling.Rejected:
			result = "rejected"
		}
		m.nets.WithLabelValues(a.Model, v.Verifier, result).Inc()
	}
}

// audited counts what an audit took. It is nobody's request.
func (m *metrics) audited(ex *starling.Exchange) {
	if ex != nil && ex.Receipt != nil {
		m.spent(ex.Receipt) // it has no parts: the reference reads all that it is asked
	}
}

// The series that exchanges are counted in are looked up by values that come
// from the configuration, so the tables below are as bounded as the labels.
type (
	answerLabels struct {
		skill, model string
		zone         starling.Zone
		outcome      starling.Outcome
	}
	attemptLabels struct {
		skill, model string
		outcome      starling.Outcome
	}
)

func (m *metrics) answers(l answerLabels) prometheus.Counter {
	if c, ok := m.byAnswer.Load(l); ok {
		return c.(prometheus.Counter)
	}
	c := m.requests.WithLabelValues(l.skill, l.model, l.zone.String(), string(l.outcome))
	m.byAnswer.Store(l, c)
	return c
}

// An attemptSeries is what the attempts of one model are counted in.
type attemptSeries struct {
	attempts, cost                       prometheus.Counter
	input, cacheRead, cacheWrite, output prometheus.Counter
}

func (m *metrics) attempt(l attemptLabels) *attemptSeries {
	if s, ok := m.byAttempt.Load(l); ok {
		return s.(*attemptSeries)
	}
	tokens := func(what string) prometheus.Counter { return m.tokens.WithLabelValues(l.model, what) }
	s := &attemptSeries{
		attempts: m.attempts.WithLabelValues(l.model, string(l.outcome)), cost: m.cost.WithLabelValues(l.skill, l.model),
		input: tokens("input"), cacheRead: tokens("cache_read"), cacheWrite: tokens("cache_write"), output: tokens("output"),
	}
	m.byAttempt.Store(l, s)
	return s
}

func (s *attemptSeries) count(a *starling.Attempt) {
	s.attempts.Inc()
	s.cost.Add(dollars(a.Cost))
	s.input.Add(float64(a.Usage.Input))
	s.cacheRead.Add(float64(a.Usage.CacheRead))
	s.cacheWrite.Add(float64(a.Usage.CacheWrite + a.Usage.CacheWrite1h))
	s.output.Add(float64(a.Usage.Output))
}

// A skillSeries is what the exchanges of one skill are summed in.
type skillSeries struct {
	saved prometheus.Gauge
	took  prometheus.Observer
}

func (m *metrics) skill(name string) *skillSeries {
	if s, ok := m.bySkill.Load(name); ok {
		return s.(*skillSeries)
	}
	s := &skillSeries{m.saved.WithLabelValues(name), m.took.WithLabelValues(name)}
	m.bySkill.Store(name, s)
	return s
}

func (m *metrics) refused(kind starling.Kind) { m.refusals.WithLabelValues(string(kind)).Inc() }

// dollars is for gauges only; accounts stay in integers.
func dollars(m starling.Money) float64 { return float64(m) / float64(starling.Dollar) }
