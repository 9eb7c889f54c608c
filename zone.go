package starling

import (
	"fmt"
	"slices"
	"strings"
)

// A Zone says how far from the user's machine a model runs. Zones are ordered:
// data that may travel to a zone may travel to every nearer one.
type Zone uint8

// The zones, nearest first. The zero value is no zone at all: a model without a
// zone can receive nothing, and a request that may travel nowhere is refused.
const (
	Nowhere Zone = iota
	Machine      // this computer
	Office       // a computer on the same private network
	Tenant       // a cloud account under the user's own contract
	Cloud        // a vendor's shared service
)

var zoneNames = []string{"nowhere", "machine", "office", "tenant", "cloud"}

// ParseZone reads one of "machine", "office", "tenant" and "cloud".
func ParseZone(s string) (Zone, error) {
	if i := slices.Index(zoneNames, s); i > 0 {
		return Zone(i), nil
	}
	return Nowhere, &Error{Kind: Invalid, Op: fmt.Sprintf("zone %q", s), Hint: "use one of " + strings.Join(zoneNames[1:], ", ")}
}

func (z Zone) String() string {
	if int(z) < len(zoneNames) {
		return zoneNames[z]
	}
	return "nowhere"
}

// MarshalText writes the zone's name.
func (z Zone) MarshalText() ([]byte, error) { return []byte(z.String()), nil }

// UnmarshalText reads the zone's name; "nowhere" is accepted, as receipts may
// say it.
func (z *Zone) UnmarshalText(text []byte) error {
	if string(text) == zoneNames[0] {
		*z = Nowhere
		return nil
	}
	parsed, err := ParseZone(string(text))
	*z = parsed
	return err
}

// A Class is a label for data, such as "internal". How far each class may travel
// is said by a table (internal/privacy), not by the name.
type Class string
