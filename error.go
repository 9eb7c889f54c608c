package starling

import (
	"errors"
	"strings"
)

// An Error says what failed, whether trying again can help, and what to do. It
// is the only error type that crosses a package boundary. Neither Op nor Hint
// nor Err may hold content of a request or an answer, or a key.
type Error struct {
	Kind Kind
	Op   string // what was being done, "provider openai: generate"
	Hint string // what a person can do about it; "" if nothing
	Err  error  // the cause, or nil

	// Detail says more to the caller alone, such as a place in the caller's own
	// schema. It is not part of the text, is never logged and never stored.
	Detail string

	// Billed is set when the upstream may charge for the failed call: the
	// request had been sent, and no refusal came back.
	Billed bool

	// Reply is what the upstream itself answered, for the caller alone. It is
	// not part of the text, is never logged and never stored.
	Reply *Reply
}

// A Reply is an upstream's own refusal, kept so that a caller of the same
// dialect can be given it unmodified.
type Reply struct {
	Dialect Dialect
	Status  int
	Header  map[string][]string
	Body    []byte
}

// A Kind is the category of an error. Programs branch on kinds, not on text.
type Kind string

const (
	Invalid         Kind = "invalid"         // the request cannot be understood
	Unauthenticated Kind = "unauthenticated" // no key, or one that we don't know
	Forbidden       Kind = "forbidden"       // the data may not go where it would have to
	NotFound        Kind = "not_found"       // no such model, skill or receipt
	TooLarge        Kind = "too_large"       // beyond a stated limit
	OverBudget      Kind = "over_budget"     // every candidate costs more than allowed
	Unproven        Kind = "unproven"        // nothing shows that it is good enough
	Overloaded      Kind = "overloaded"      // trying later may work
	Refused         Kind = "refused"         // the upstream said no; later will not help
	Cancelled       Kind = "cancelled"       // the caller left
	Internal        Kind = "internal"        // a bug, or this machine's own trouble
)

// Kinds lists every kind, so that a table over them can be shown complete.
var Kinds = []Kind{Invalid, Unauthenticated, Forbidden, NotFound, TooLarge, OverBudget, Unproven, Overloaded, Refused, Cancelled, Internal}

// Error renders "op: cause (hint)".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Err != nil {
		if b.Len() > 0 {
			b.WriteString(": ")
		}
		b.WriteString(e.Err.Error())
	}
	if b.Len() == 0 {
		b.WriteString(string(e.Kind))
	}
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// AsBilled returns err as that of a call which is charged for all the same. An error that
// is no *Error is returned as it is.
func AsBilled(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	own := *e
	own.Billed = true
	return &own
}

// KindOf returns the kind of the first *Error in err's tree, Internal for an
// error without one, and "" for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}
