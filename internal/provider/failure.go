package provider

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"starling"
)

// A failure is why a try has no answer, with what decides what to do about it.
type failure struct {
	err       *starling.Error
	retriable bool          // surely nothing was bought: it never left, or was put off
	final     bool          // though trying again is pointless, or the upstream forbids it
	sick      bool          // the upstream's own trouble: counts in its breaker
	after     time.Duration // when it may be tried again, as the upstream says; 0 unsaid
	again     bool          // decided: it is tried again, after that time
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// symptoms tell, in words of our own, what a failed exchange looked like. The
// causes themselves are not passed on: net/http quotes what it could not parse.
var symptoms = []struct {
	shows func(error) bool
	kind  starling.Kind
	text  string
	hint  string
}{
	{is(syscall.ECONNREFUSED), starling.Overloaded, "connection refused", "start it, or check its url"},
	{is(syscall.ECONNRESET), starling.Overloaded, "the connection was reset", ""},
	{is(syscall.EPIPE), starling.Overloaded, "the connection was reset", ""},
	{is(syscall.EHOSTUNREACH), starling.Overloaded, "no route to it", "check the network"},
	{is(syscall.ENETUNREACH), starling.Overloaded, "no route to it", "check the network"},
	{a[*net.DNSError], starling.Overloaded, "its name does not resolve", "check its url and the network"},
	{a[*tls.CertificateVerificationError], starling.Refused, "its certificate is not trusted", "check its url; a private authority must be in the system's trust store"},
	{is(http.ErrSchemeMismatch), starling.Refused, "it does not speak TLS", "use http in its url, if it is near"},
	{a[tls.RecordHeaderError], starling.Refused, "it does not speak TLS", "use http in its url, if it is near"},
	{a[tls.AlertError], starling.Refused, "it refused the TLS handshake", ""},
	{timeout, starling.Overloaded, "the connection timed out", "check its url and the network"},
	{dial, starling.Overloaded, "no connection", "check its url and the network"},
	{is(io.ErrUnexpectedEOF), starling.Overloaded, "the connection ended early", ""},
	{is(io.EOF), starling.Overloaded, "the connection ended early", ""},
	{a[*net.OpError], starling.Overloaded, "the connection broke", ""},
}

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func a[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func timeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

func dial(err error) bool {
	e, ok := errors.AsType[*net.OpError](err)
	return ok && e.Op == "dial"
}

// transport says why an exchange failed: Forbidden if the guard stopped it at
// the socket, Refused if trying again cannot help, else Overloaded.
func transport(err error) *starling.Error {
	if e, ok := errors.AsType[*starling.Error](err); ok {
		return e
	}
	for _, s := range symptoms {
		if s.shows(err) {
			return &starling.Error{Kind: s.kind, Op: s.text, Hint: s.hint}
		}
	}
	return &starling.Error{Kind: starling.Overloaded, Op: "the connection broke, or it does not speak HTTP", Hint: "check its url"}
}

// fail says why the exchange broke off: the caller left, a phase took too long,
// or the connection failed.
func (t *try) fail(err error) *failure {
	sent := t.sent.Load()
	f := &failure{retriable: !sent}
	late, isLate := errors.AsType[*overdue](context.Cause(t.ctx))
	switch {
	case t.caller.Err() != nil:
		f.err = t.cancelled(t.caller)
	case isLate:
		f.sick, f.err = true, &starling.Error{Kind: starling.Overloaded, Op: late.Error(), Hint: "check the upstream, or give it more time in the configuration"}
	case errors.Is(err, errTooLong):
		f.err = &starling.Error{Kind: starling.Refused, Op: fmt.Sprintf("the answer is over the limit of %d bytes", t.opts.Limits.Body)}
	default:
		own := *transport(err)
		f.err = &own
		f.sick = own.Kind == starling.Overloaded
		f.final = own.Kind != starling.Overloaded
	}
	f.err.Billed = sent
	return t.failed(f)
}

// broke says why an answer that had begun is none: what the connection did, or
// else what the dialect's reader found.
func (t *try) broke(err error) *failure {
	if e := t.body.err; e != nil && e != io.EOF {
		return t.fail(e)
	}
	e, ok := errors.AsType[*starling.Error](err)
	if !ok {
		e = &starling.Error{Kind: starling.Internal, Op: "reading the answer"}
	}
	own := *e
	own.Billed = own.Billed || t.answered
	t.free.Store(!own.Billed)
	return t.failed(&failure{err: &own, sick: own.Kind == starling.Overloaded})
}

// failed completes a failure: with who it was, and a word to the breaker.
func (t *try) failed(f *failure) *failure {
	if who := "provider " + t.opts.Name; !strings.HasPrefix(f.err.Op, who) {
		f.err.Op = who + ": " + f.err.Op
	}
	if f.err.Kind == starling.Cancelled || f.err.Kind == starling.Forbidden || errors.Is(context.Cause(t.ctx), errLost) {
		t.permit.unknown()
	} else if f.sick {
		t.permit.bad()
	} else {
		t.permit.good()
	}
	return f
}
