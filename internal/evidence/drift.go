package evidence

import (
	"fmt"
	"math"
	"time"
)

// Drifted is the end of a warrant whose candidate meets other requests than those
// that showed it: fewer of its answers are accepted, by verifiers or by its own
// confidence, than were then. That says nothing of those that are, so it does not
// end at once: there is time to show it again, on cases like the requests.
const Drifted End = "drifted"

const (
	// afterDrift is how long a warrant goes on then, if no audit ends it before.
	afterDrift = 7 * 24 * time.Hour
	// calm is by how much the share may be less than what was shown, and nobody
	// minds: cases are never quite like the requests.
	calm = 0.05
	// alarms are false once in so many warrants, however long one looks.
	alarms = 1000
)

// A drift watches the share of a candidate's answers that are accepted since its
// warrant was issued.
type drift struct {
	least           float64 // what was shown of that share, less what is let pass
	tried, accepted int
	since           time.Time // of the alarm; zero if there was none
}

func newDrift(w *Warrant) drift {
	return drift{least: max(0, LowerBound(w.Covered, w.Asked, 0.99)-calm)}
}

// add takes in whether an answer was accepted.
func (d *drift) add(accepted bool, now time.Time) {
	if d.tried++; accepted {
		d.accepted++
	}
	if d.since.IsZero() && d.against() >= math.Log(alarms) {
		d.since = now
	}
}

// against is the logarithm of what somebody has made of 1 by betting, at odds that
// are fair if the share is least, that it is any other: evidence against least, and
// against whatever is more, where fewer were accepted.
//
// Source: H. Robbins, "Statistical methods related to the law of the iterated
// logarithm", Ann. Math. Stat. 41 (1970) 1397–1409, the uniform mixture.
func (d *drift) against() float64 {
	k, n := float64(d.accepted), float64(d.tried)
	if d.least == 0 || k >= n*d.least {
		return 0
	}
	return logBeta(k+1, n-k+1) - k*math.Log(d.least) - (n-k)*math.Log1p(-d.least)
}

func (d *drift) why(w *Warrant) string {
	return fmt.Sprintf("%d of %d answers were accepted lately, and %d of %d when it was issued: the requests are others than the cases", d.accepted, d.tried, w.Covered, w.Asked)
}
