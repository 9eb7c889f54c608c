package main

import (
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"

	"starling"
)

var decimal = regexp.MustCompile(`^\d{1,9}(\.\d{1,24})?([eE][-+]?\d{1,2})?$`)

// rate turns dollars per million tokens, as the digits that stand in the file,
// into nanodollars, half up. It never passes through a float. "" is 0.
func rate(n json.Number) (starling.Rate, error) {
	text := n.String()
	if text == "" {
		return 0, nil
	}
	if !decimal.MatchString(text) {
		return 0, fmt.Errorf("price %q is no amount", text)
	}
	dollars, ok := new(big.Rat).SetString(text)
	if !ok {
		return 0, fmt.Errorf("price %q is no number", text)
	}
	nanos := dollars.Mul(dollars, big.NewRat(int64(starling.Dollar), 1))
	half := nanos.Add(nanos, big.NewRat(1, 2))
	whole := new(big.Int).Quo(half.Num(), half.Denom())
	if !whole.IsInt64() {
		return 0, fmt.Errorf("price %q is beyond the range", text)
	}
	return starling.Rate(whole.Int64()), nil
}

// rates turns input, output, cache read and cache write.
func rates(in, out, read, write json.Number) (starling.Rates, error) {
	var r starling.Rates
	for _, p := range []struct {
		text json.Number
		rate *starling.Rate
	}{{in, &r.Input}, {out, &r.Output}, {read, &r.CacheRead}, {write, &r.CacheWrite}} {
		var err error
		if *p.rate, err = rate(p.text); err != nil {
			return r, err
		}
	}
	return r, nil
}
