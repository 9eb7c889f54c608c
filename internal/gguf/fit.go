package gguf

import "strings"

// A Room is what a machine has for a model, as package machine finds it.
type Room struct {
	Memory    int64   // bytes that may be taken now, by whichever limit is the nearest
	Reserve   int64   // bytes of these that are to stay free
	Bandwidth float64 // bytes of memory read in a second by the threads that will run it; 0 unknown
}

// An Offer is the same model in another quantisation.
type Offer struct {
	Quantisation string
	Bytes        int64
}

// A Verdict says whether a model fits, and what would.
type Verdict struct {
	Fits bool
	Need Memory
	Free int64 // bytes that there are, the reserve taken off

	// Context is the largest context of each sequence, up to the one asked for, with
	// which the model fits; 0 if it does with none.
	Context int64

	// Instead is the largest of the offers that fits with the context asked for, nil if
	// the model fits itself, or none does.
	Instead *Offer

	Estimate        float64 // tokens a second that the model would generate; 0 unknown
	InsteadEstimate float64 // and that Instead would
}

// Fit says whether the model fits into the room in that use, with all of its weights:
// they are mapped, and the system may drop and read them again, but a model that is read
// from the disk for each token is of no use to anybody.
func (f *File) Fit(r Room, u Use, offers ...Offer) Verdict {
	v := Verdict{Need: f.Memory(u), Free: max(r.Memory-max(r.Reserve, 0), 0), Estimate: f.Speed(r.Bandwidth)}
	v.Fits = v.Need.Total() <= v.Free
	v.Context = f.largest(u, v.Free)
	if v.Fits {
		return v
	}
	for _, o := range offers {
		need := v.Need
		need.Weights = o.Bytes
		if o.Bytes > 0 && need.Total() <= v.Free && (v.Instead == nil || o.Bytes > v.Instead.Bytes) {
			v.Instead = &o
		}
	}
	if v.Instead != nil && v.Need.Weights > 0 {
		share := float64(v.Instead.Bytes) / float64(v.Need.Weights)
		v.InsteadEstimate = Speed(int64(float64(f.Active())*share), v.Instead.Quantisation, r.Bandwidth)
	}
	return v
}

// largest returns the most tokens of context, up to those of u, with which all fits.
func (f *File) largest(u Use, free int64) int64 {
	fits := func(context int64) bool {
		u.Context = context
		return f.Memory(u).Total() <= free
	}
	wanted := clamp(u.Context)
	if fits(wanted) {
		return wanted
	}
	low, high := int64(0), rounded(wanted)/step // of steps: low fits or is 0, high does not
	for high-low > 1 {
		if middle := (low + high) / 2; fits(middle * step) {
			low = middle
		} else {
			high = middle
		}
	}
	return low * step
}

// Speed returns how many tokens the model would generate in a second on its own. It is
// an estimate.
func (f *File) Speed(bandwidth float64) float64 {
	return Speed(f.Active(), f.Quantisation(), bandwidth)
}

// Speed estimates the tokens generated in a second by who reads the given bytes of
// weights for each: the bandwidth over the bytes, times the part of the bandwidth that is
// reached. It is 0 where something is unknown.
//
// That part was measured with llama.cpp v0.5.0 on two cores of an EPYC 7003 (AVX2), while
// machine.Bandwidth found 16.5 GB/s for two threads: Qwen3-0.6B 12.4 tokens a second in
// F16, 20.5 in Q8_0 and 30 in Q4_0, Llama-3.2-1B 16.4 in Q4_K_M. Elsewhere it is a guess:
// where cores are slow for their memory, fewer bits gain less.
func Speed(active int64, quantisation string, bandwidth float64) float64 {
	if active <= 0 || bandwidth <= 0 {
		return 0
	}
	return bandwidth / float64(active) * efficiency(quantisation)
}

// efficiency is that part: fewer bits take more work for each byte.
func efficiency(quantisation string) float64 {
	switch q := quantisation; {
	case strings.HasPrefix(q, "IQ"), strings.HasPrefix(q, "TQ"), strings.HasSuffix(q, "FP4"):
		return 0.5 // not measured; most of these look values up
	case strings.HasPrefix(q, "Q8"), strings.Contains(q, "_K"):
		return 0.8
	case strings.HasPrefix(q, "Q"):
		return 0.68
	}
	return 0.92
}
