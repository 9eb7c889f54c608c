package serve

import (
	"net/http"
	"time"

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
	tokens   *prometheus.CounterVec
	cost     *prometheus.CounterVec
	saved    *prometheus.GaugeVec
	took     *prometheus.HistogramVec
	added    prometheus.Histogram
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
	m.tokens = counter("tokens_total", "Tokens, by model and what they were.", "model", "what")
	m.cost = counter("cost_dollars_total", "Spent, failed attempts and verifiers included.", "skill", "model")
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
	m.requests.WithLabelValues(r.Plan.Skill, who, r.Response.Zone.String(), string(r.Outcome)).Inc()
	if r.Kind != "" {
		m.refused(r.Kind)
	}
	for i := range r.Attempts {
		m.attempt(r.Plan.Skill, &r.Attempts[i])
	}
	m.saved.WithLabelValues(r.Plan.Skill).Add(dollars(r.Saved))
	m.took.WithLabelValues(r.Plan.Skill).Observe(r.Took.Seconds())
	m.added.Observe(max(r.Added, 0*time.Second).Seconds())
}

func (m *metrics) attempt(skill string, a *starling.Attempt) {
	m.attempts.WithLabelValues(a.Model, string(a.Outcome)).Inc()
	m.cost.WithLabelValues(skill, a.Model).Add(dollars(a.Cost))
	for what, n := range map[string]int64{
		"input": a.Usage.Input, "cache_read": a.Usage.CacheRead,
		"cache_write": a.Usage.CacheWrite + a.Usage.CacheWrite1h, "output": a.Usage.Output,
	} {
		if n > 0 {
			m.tokens.WithLabelValues(a.Model, what).Add(float64(n))
		}
	}
}

func (m *metrics) refused(kind starling.Kind) { m.refusals.WithLabelValues(string(kind)).Inc() }

// dollars is for gauges only; accounts stay in integers.
func dollars(m starling.Money) float64 { return float64(m) / float64(starling.Dollar) }
