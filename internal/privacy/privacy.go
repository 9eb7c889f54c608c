// Package privacy says how far a request's data may travel: it reads the labels
// that a request came with and picks the strictest. It guesses nothing from
// content, knows no model, and enforces nothing by itself; the router leaves out
// what is too far away, and the egress guard refuses it again.
//
// Start reading at [Policy.Screen].
package privacy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"starling"
)

// The classes of the usual table.
const (
	Public       starling.Class = "public"       // anybody may read it
	Internal     starling.Class = "internal"     // for the organisation and those it has a contract with
	Confidential starling.Class = "confidential" // never leaves the organisation's network
	Restricted   starling.Class = "restricted"   // never leaves the machine it is on
)

// A Policy says how far each class may travel. The zero value is the usual
// table, with Public as the class of what nobody labelled. It is safe for
// concurrent use as long as nobody changes it.
type Policy struct {
	Reach   map[starling.Class]starling.Zone // replaces the usual table; nil keeps it
	Default starling.Class                   // of a request without any label; "" is Public
}

// Validate returns an Invalid error for a policy that could not screen every
// request: a class without a name or a real zone, or a default that the table
// does not know.
func (p *Policy) Validate() error {
	for _, class := range slices.Sorted(maps.Keys(p.Reach)) {
		if class == "" {
			return &starling.Error{Kind: starling.Invalid, Op: "data class without a name", Hint: "name it"}
		}
		if _, ok := p.reach(class); !ok {
			return &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("data class %q reaches no zone", class), Hint: "give it one of machine, office, tenant, cloud"}
		}
	}
	if _, ok := p.reach(p.unlabelled()); !ok {
		return &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("default class %q is not in the table", p.unlabelled()), Hint: "use one of " + p.known()}
	}
	return nil
}

func (p *Policy) unlabelled() starling.Class { return cmp.Or(p.Default, Public) }

// reach returns how far a class may travel, and false for a class that is not
// in the table or leads to no real zone.
func (p *Policy) reach(class starling.Class) (starling.Zone, bool) {
	zone := p.table()[class] // Nowhere for an unknown one
	return zone, starling.Nowhere < zone && zone <= starling.Cloud
}

func (p *Policy) table() map[starling.Class]starling.Zone {
	if p.Reach == nil {
		return usual
	}
	return p.Reach
}

// Classes returns a copy of the table in force.
func (p *Policy) Classes() map[starling.Class]starling.Zone { return maps.Clone(p.table()) }

var usual = map[starling.Class]starling.Zone{
	Public:       starling.Cloud,
	Internal:     starling.Tenant,
	Confidential: starling.Office,
	Restricted:   starling.Machine,
}

// Usual returns a copy of the usual table.
func Usual() map[starling.Class]starling.Zone { return maps.Clone(usual) }

// known lists the classes for people, those that travel furthest first.
func (p *Policy) known() string {
	reach := p.table()
	classes := slices.SortedFunc(maps.Keys(reach), func(a, b starling.Class) int {
		return cmp.Or(cmp.Compare(reach[b], reach[a]), cmp.Compare(a, b))
	})
	names := make([]string, len(classes))
	for i, class := range classes {
		names[i] = string(class)
	}
	return strings.Join(names, ", ")
}
