package sim

// A fate is how a call ends.
type fate int

const (
	fine fate = iota
	refuse429
	refuseBusy
	refuse500
	cutOff
	stall
	truncate
	errorEvent
)

// fate draws one end from the stated shares.
func (f Failure) fate(d die) fate {
	u := d.about("fate").share()
	for i, share := range [...]float64{f.Overloaded429, f.Overloaded, f.Error500, f.Cut, f.Stall, f.Truncated, f.ErrorEvent} {
		if u < share {
			return fate(i + 1)
		}
		u -= share
	}
	return fine
}

// fault returns the refusal that a fate is, or nil for an answer.
func (f fate) fault() *fault {
	switch f {
	case refuse429:
		return &fault{cause: rateLimited, message: "Rate limit reached (simulated). Please try again later."}
	case refuseBusy:
		return &fault{cause: overloaded, message: "Overloaded (simulated)"}
	case refuse500:
		return &fault{cause: broken, message: "Internal server error (simulated)"}
	}
	return nil
}
