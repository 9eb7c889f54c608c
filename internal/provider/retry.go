package provider

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/hedgepolicy"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
)

// policies returns what is around a call's tries: retry outside, hedge inside.
// The breaker is innermost, in each try, since it also hears how a stream ends.
// The policies hold no state; whether to retry was decided by [call.patient].
func policies(hedgeAfter time.Duration) failsafe.Executor[*try] {
	retry := retrypolicy.NewBuilder[*try]().
		HandleIf(func(_ *try, err error) bool { return again(err) > 0 }).
		WithDelayFunc(func(e failsafe.ExecutionAttempt[*try]) time.Duration { return again(e.LastError()) }).
		WithMaxRetries(-1). // bounded by the call's patience
		Build()
	if hedgeAfter <= 0 {
		return failsafe.With(retry)
	}
	// The first answer ends the race, and so does a failure when nobody else is
	// running or has answered: a call that was refused is not worth a second one.
	hedge := hedgepolicy.NewBuilderWithDelay[*try](hedgeAfter).
		CancelIf(func(t *try, err error) bool { return err == nil || t == nil || t.running.Load() == 0 }).
		Build()
	return failsafe.With[*try](retry, hedge)
}

// again returns how long to wait before trying again, 0 for not to.
func again(err error) time.Duration {
	if f, ok := errors.AsType[*failure](err); ok && f.again {
		return f.after
	}
	return 0
}

// patient decides whether a failed try is followed by another: only if nothing
// was bought, by this one or another of the call, and the wait ends before the call's patience does.
func (c *call) patient(f *failure) {
	if !f.retriable || f.final || !time.Now().Before(c.patience) || slices.ContainsFunc(c.tries, (*try).bought) {
		return
	}
	c.retries++
	if f.after == 0 {
		f.after = backoff(c.retries)
	}
	f.after = max(f.after, time.Millisecond)
	f.again = time.Now().Add(f.after).Before(c.patience)
}

// backoff doubles from a quarter of a second to eight, give or take a quarter.
func backoff(retry int) time.Duration {
	d := 250 * time.Millisecond << min(retry-1, 5)
	return d - d/4 + rand.N(d/2)
}

// postponed reports whether an upstream did nothing and may do something later.
// 529 is Anthropic's "overloaded".
func postponed(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable || status == 529
}

// doubtful reports whether a status is that of a proxy which lost sight of the
// upstream behind it: the call may have been served. 520 to 524 are Cloudflare's.
func doubtful(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusGatewayTimeout || status >= 520 && status <= 524
}

// sickly reports whether a status counts against an upstream in its breaker.
func sickly(status int) bool {
	return status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
}

// retryAfter returns how long an upstream asks to be left alone, 0 if it does
// not say. The vendors' header in milliseconds goes before RFC 9110's.
func retryAfter(h http.Header, now time.Time) time.Duration {
	if d, ok := number(h.Get("Retry-After-Ms"), time.Millisecond); ok {
		return d
	}
	text := h.Get("Retry-After")
	if d, ok := number(text, time.Second); ok {
		return d
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), time.Millisecond), longest)
	}
	return 0
}

// longest is what an upstream can ask for; more than a day is a day.
const longest = 24 * time.Hour

// number reads a count of units.
func number(text string, unit time.Duration) (time.Duration, bool) {
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || n != n || n < 0 {
		return 0, false
	}
	if n >= float64(longest)/float64(unit) {
		return longest, true
	}
	return max(time.Duration(n*float64(unit)), time.Millisecond), true
}
