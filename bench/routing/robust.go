package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// A disturbance changes a prompt in a way that leaves its meaning as it is.
type disturbance struct {
	name string
	do   func(prompt string, rng *rand.Rand) string
}

var disturbances = []disturbance{
	{"doubled spaces", func(p string, _ *rand.Rand) string { return strings.ReplaceAll(p, " ", "  ") }},
	{"Please …", func(p string, _ *rand.Rand) string { return "Please " + p }},
	{"Please answer this: …", func(p string, _ *rand.Rand) string { return "Please answer this: " + p }},
	{"newlines to spaces", func(p string, _ *rand.Rand) string { return strings.ReplaceAll(p, "\n", " ") }},
	{"newlines gone", func(p string, _ *rand.Rand) string { return strings.ReplaceAll(p, "\n", "") }},
	{"lower case", func(p string, _ *rand.Rand) string { return strings.ToLower(p) }},
	{"typing errors, one word in 20", func(p string, rng *rand.Rand) string { return mistype(p, 0.05, rng) }},
}

// mistype swaps, drops or doubles a letter in a share of the words.
func mistype(prompt string, share float64, rng *rand.Rand) string {
	words := strings.Split(prompt, " ")
	for i, w := range words {
		if len(w) < 4 || rng.Float64() >= share {
			continue
		}
		b := []byte(w)
		switch at := 1 + rng.IntN(len(b)-2); rng.IntN(3) {
		case 0:
			b[at], b[at-1] = b[at-1], b[at]
		case 1:
			b = slices.Delete(b, at, at+1)
		default:
			b = slices.Insert(b, at, b[at])
		}
		words[i] = string(b)
	}
	return strings.Join(words, " ")
}

// measureRobustness measures how many decisions stay as they are.
func measureRobustness(dir string) error {
	all, err := pools(dir)
	if err != nil {
		return err
	}
	sets := []*set{all[0].set, all[1].set}
	for _, file := range []string{"mmlu", "gsm8k"} {
		records, err := read(dir, "routellm/"+file+".jsonl")
		if err != nil {
			return err
		}
		sets = append(sets, newSet("RouteLLM "+file, records, map[string]float64{"mistralai/Mixtral-8x7B-Instruct-v0.1": 0, "gpt-4-1106-preview": 1}))
	}
	fmt.Println("robust: share of decisions that stay as they are, over the prices at which 25, 50 and 75 % of the possible cost is spent; bar ≥ 0.96 each")
	t := newTable("")
	for _, s := range sets {
		t.rows[0] = append(t.rows[0], s.name)
	}
	columns := make([][]string, len(sets))
	for i, s := range sets {
		if columns[i], err = s.unmoved(); err != nil {
			return err
		}
	}
	for k, d := range disturbances {
		cells := []any{d.name}
		for i := range sets {
			cells = append(cells, columns[i][k])
		}
		t.add(cells...)
	}
	return t.print()
}

// unmoved learns from four fifths of the rows, and disturbs the others.
func (s *set) unmoved() (shares []string, err error) {
	fold := partitions(len(s.rows))[0]
	var train, test []row
	for i, r := range s.rows {
		if fold[i] > 0 {
			train = append(train, r)
		} else {
			test = append(test, r)
		}
	}
	see, err := learnForecast(train)
	if err != nil {
		return nil, err
	}
	cost := learnCosts(train)
	levels := s.levels(see, cost, test)
	for _, d := range disturbances {
		rng := rand.New(rand.NewPCG(6, 0))
		same := 0
		for _, r := range test {
			changed := r
			changed.Prompt = d.do(r.Prompt, rng)
			for _, price := range levels {
				if best(see(r), cost(r), price) == best(see(changed), cost(r), price) {
					same++
				}
			}
		}
		shares = append(shares, fmt.Sprintf("%.3f", float64(same)/float64(len(test)*len(levels))))
	}
	return shares, nil
}

// levels are the prices at which a quarter, half and three quarters of the span
// between the least and the most expected cost is spent.
func (s *set) levels(see, cost seer, rows []row) (all []float64) {
	spent := func(price float64) float64 {
		sum := 0.0
		for _, r := range rows {
			c := cost(r)
			sum += c[best(see(r), c, price)]
		}
		return sum
	}
	unit := slices.Max(cost(rows[0]))
	least, most := spent(1e6/unit), spent(0)
	for _, share := range []float64{0.25, 0.5, 0.75} {
		low, high := 0.0, 10.0
		for range 25 {
			if middle := (low + high) / 2; spent(middle/unit) > least+share*(most-least) {
				low = middle
			} else {
				high = middle
			}
		}
		all = append(all, high/unit)
	}
	return all
}
