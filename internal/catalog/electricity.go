package catalog

import (
	"fmt"
	"strings"

	"starling"
)

// Electricity returns the price of a model that runs on the user's own power:
// what it draws while answering, above idle, in watts ("45", "7.5"), and what a
// kilowatt-hour costs. Both must be above zero; otherwise it is Invalid.
func Electricity(watts string, perKWh starling.Money) (starling.Price, error) {
	const nanosPerMilli = 1_000_000
	drawn, err := starling.ParseMoney(watts) // the same decimals: nanowatts
	if err != nil || drawn <= 0 || perKWh <= 0 || strings.Contains(watts, "$") {
		return starling.Price{}, &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("electricity: %.20q watts at %s per kWh", watts, perKWh), Hint: "state both above zero, or declare the model free"}
	}
	return starling.Price{
		Milliwatts: (int64(drawn)-1)/nanosPerMilli + 1, // rounded up: what was drawn is not free
		PerKWh:     perKWh,
		Source:     "electricity as configured",
	}, nil
}
