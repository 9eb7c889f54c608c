package privacy

import (
	"cmp"
	"fmt"
	"slices"

	"starling"
)

// A label is a class and who gave it.
type label struct {
	from  string
	class starling.Class
	zone  starling.Zone
}

// Screen returns the strictest class among the request's labels: the key's, the
// caller's own (a header) and the skill's; "" is no label. Of classes with the
// same reach the first by name counts. A request without a label has the
// policy's default class, which is no floor: one label is enough to replace it.
// Every further label can only narrow the reach.
//
// From names all labels, strictest first. A label that the policy does not know
// is an Invalid error that names the known ones: what cannot be read is not
// guessed to be harmless. Screen allocates nothing but From.
func (p *Policy) Screen(r *starling.Request, skillClass starling.Class) (starling.Screen, error) {
	var room [3]label
	labels := room[:0]
	for _, l := range [...]label{
		{from: "key", class: r.Caller.Class},
		{from: "header", class: r.Class},
		{from: "skill", class: skillClass},
	} {
		if l.class != "" {
			labels = append(labels, l)
		}
	}
	if len(labels) == 0 {
		labels = append(labels, label{from: "default", class: p.unlabelled()})
	}
	for i, l := range labels {
		zone, ok := p.reach(l.class)
		if !ok {
			return starling.Screen{}, p.unknown(l)
		}
		labels[i].zone = zone
	}
	slices.SortStableFunc(labels, stricter)
	return screen(labels), nil
}

// Strictest returns the screen of data of several classes together, as if each had
// come with the skill's: that of the one which reaches least far. "" is no class.
// Errors are those of Screen.
func (p *Policy) Strictest(skillClass starling.Class, classes ...starling.Class) (starling.Screen, error) {
	all, err := p.Screen(&starling.Request{}, skillClass)
	if err != nil {
		return starling.Screen{}, err
	}
	for _, class := range classes {
		one, err := p.Screen(&starling.Request{Class: class}, skillClass)
		if err != nil {
			return starling.Screen{}, err
		}
		if one.Furthest < all.Furthest {
			all = one
		}
	}
	return all, nil
}

// stricter orders labels by reach, nearest first, then by name.
func stricter(a, b label) int {
	return cmp.Or(cmp.Compare(a.zone, b.zone), cmp.Compare(a.class, b.class))
}

func screen(sorted []label) starling.Screen {
	from := make([]string, len(sorted))
	for i, l := range sorted {
		from[i] = l.from + " " + string(l.class)
	}
	return starling.Screen{Class: sorted[0].class, Furthest: sorted[0].zone, From: from}
}

// unknown cuts the label short: what stands in a header may be anything.
func (p *Policy) unknown(l label) error {
	return &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("screen: %s names data class %.40q", l.from, string(l.class)), Hint: "use one of " + p.known()}
}
