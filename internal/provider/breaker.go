package provider

import (
	"fmt"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"starling"
)

// A breaker stops the calls to one model after so many failures in a row that
// are the upstream's own, and lets a single one through after a rest. What the
// caller did wrong, or that the caller left, says nothing about the upstream.
type breaker struct {
	circuitbreaker.CircuitBreaker[any]
	model string
}

func newBreaker(model string, o Options) *breaker {
	return &breaker{
		model: model,
		CircuitBreaker: circuitbreaker.NewBuilder[any]().
			WithFailureThreshold(uint(o.Trip)).
			WithSuccessThreshold(1).
			WithDelay(o.Rest).
			WithJitterFactor(0.1).
			Build(),
	}
}

// admit returns the permit for one call, Overloaded while the breaker is open.
// Every permit is to be settled.
func (b *breaker) admit() (*permit, *starling.Error) {
	if !b.TryAcquirePermit() {
		text := "another call is trying it"
		if rest := b.RemainingDelay(); rest > 0 {
			text = fmt.Sprintf("next try in %s", rest.Round(time.Second/10))
		}
		return nil, &starling.Error{Kind: starling.Overloaded, Op: "provider " + b.model + " failed repeatedly and is not called", Hint: text + "; check the upstream"}
	}
	return &permit{breaker: b, probe: b.IsHalfOpen()}, nil
}

// A permit is one call's word on the health of its upstream. The first word
// counts. It belongs to one goroutine at a time.
type permit struct {
	breaker *breaker
	probe   bool // the breaker waits for this call's word
	settled bool
}

func (p *permit) good() {
	if !p.settled {
		p.settled = true
		p.breaker.RecordSuccess()
	}
}

func (p *permit) bad() {
	if !p.settled {
		p.settled = true
		p.breaker.RecordFailure()
	}
}

// unknown gives no word. A probe has to: that of a call which was given up is no
// sign of health.
func (p *permit) unknown() {
	if p.probe {
		p.bad()
	}
	p.settled = true
}
