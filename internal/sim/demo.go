package sim

import (
	"time"

	"starling"
)

// DemoModels are the four models of the demo: one on this CPU, one in the
// office, one in the company's own cloud account, one of a vendor. Every figure
// is stated to make a story that can be followed, and measured nowhere: real
// models of these classes are slower, and differ.
func DemoModels() []Model { return []Model{small(), open(), tenant(), premium()} }

// stated is where every price here is from.
const stated = "stated by the simulator, never charged"

const cent = starling.Dollar / 100

// small stands for a 4-bit model of the 1B class on this CPU.
func small() Model {
	return Model{
		Name: "small", Dialect: starling.OpenAI, Zone: starling.Machine,
		Price:   starling.Price{Milliwatts: 15_000, PerKWh: 15 * cent, Source: stated},
		Latency: Latency{FirstToken: 40 * time.Millisecond, PerToken: time.Millisecond, Jitter: 0.2},
		Quality: 0.85,
		QualityBySkill: map[string]float64{
			"support-intent": 0.90, "invoice-fields": 0.82, "kb-answer": 0.80,
			"email-reply": 0.86, "marketing-draft": 0.88, "research-arithmetic": 0.80,
		},
		MaxOutput: 2048, Context: 8192,
	}
}

// open stands for open weights of middle size on a machine in the office.
func open() Model {
	return Model{
		Name: "open", Dialect: starling.OpenAI, Zone: starling.Office,
		Price:     starling.Price{Rates: starling.Rates{Input: starling.Rate(27 * cent), Output: starling.Rate(110 * cent)}, Source: stated},
		Latency:   Latency{FirstToken: 30 * time.Millisecond, PerToken: 500 * time.Microsecond, Jitter: 0.2},
		Failure:   Failure{Overloaded429: 0.01, Error500: 0.005},
		Quality:   0.93,
		MaxOutput: 8192, Context: 131_072, Reasoning: 30,
	}
}

// tenant stands for a good model under the company's own contract.
func tenant() Model {
	return Model{
		Name: "tenant", Dialect: starling.OpenAI, Zone: starling.Tenant,
		Price:   starling.Price{Rates: starling.Rates{Input: starling.Rate(80 * cent), Output: starling.Rate(400 * cent), CacheRead: starling.Rate(8 * cent)}, Source: stated},
		Latency: Latency{FirstToken: 35 * time.Millisecond, PerToken: 400 * time.Microsecond, Jitter: 0.2},
		Quality: 0.96, PromptCache: true,
		MaxOutput: 16_384, Context: 131_072,
	}
}

// premium stands for the best model of a vendor.
func premium() Model {
	return Model{
		Name: "premium", Dialect: starling.Anthropic, Zone: starling.Cloud,
		Price: starling.Price{Rates: starling.Rates{
			Input: starling.Rate(500 * cent), Output: starling.Rate(2500 * cent),
			CacheRead: starling.Rate(50 * cent), CacheWrite: starling.Rate(625 * cent), CacheWrite1h: starling.Rate(1000 * cent),
		}, Source: stated},
		Latency: Latency{FirstToken: 50 * time.Millisecond, PerToken: 600 * time.Microsecond, Jitter: 0.2},
		Quality: 0.985, PromptCache: true,
		MaxOutput: 64_000, Context: 200_000, Reasoning: 60,
	}
}

// Teacher is premium for the part of the demo in which a student learns from it: it
// is always right, so that what goes wrong there is the student's, and answers in half
// the time, as there is more to ask.
func Teacher() Model {
	m := premium()
	m.Quality = 1
	m.Latency.FirstToken /= 2
	m.Latency.PerToken /= 2
	return m
}
