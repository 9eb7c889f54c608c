package main

import (
	"context"
	"fmt"

	"starling/internal/student"
)

// banking measures on BANKING77, of which only the published training part is
// used: two thirds to train, one third to test.
func banking(ctx context.Context, d data, seeds int) error {
	all, err := d.read(ctx, "banking77_train.jsonl")
	if err != nil {
		return err
	}
	fmt.Println("\nBANKING77, 2/3 to train and 1/3 to test")
	h := heldOut{tallies: map[string]map[string]tally{}}
	for seed := 1; seed <= seeds; seed++ {
		train, test := split(all, seed, 2, 3)
		s, err := learn(ctx, fmt.Sprintf("seed %d", seed), seed, train)
		if err != nil {
			return err
		}
		answers := ask(s, test)
		h.add(train, test, answers)
		h.warrants.add(s.Steps(), answers, seed, splits/seeds)
		latency(s, test)
	}
	h.print(all)
	return nineTenths(ctx, all)
}

// heldOut collects what was said of rows outside of training.
type heldOut struct {
	tallies  map[string]map[string]tally // by who, by text
	answers  []answer                    // the student's
	warrants warrants
}

// add counts one split: the student's answers, and the baselines'.
func (h *heldOut) add(train, test []student.Example, answers []answer) {
	h.answers = append(h.answers, answers...)
	b, most := learnBayes(train), majority(train)
	for i, e := range test {
		count(h.tallies, "student", e, answers[i].right)
		count(h.tallies, "naive Bayes", e, b.label(e.Text) == e.Label)
		count(h.tallies, "majority", e, most == e.Label)
	}
	fmt.Printf("  accuracy %s\n", accuracy(right(answers, isRight)))
}

func (h *heldOut) print(all []student.Example) {
	for _, who := range []string{"majority", "naive Bayes", "student"} {
		var rows []tally
		for _, e := range all {
			if t, ok := h.tallies[who][e.Text]; ok {
				rows = append(rows, t)
			}
		}
		fmt.Printf("accuracy of %-12s %s\n", who, accuracy(rows))
	}
	fmt.Printf("ECE %s\n", ece(h.answers))
	h.warrants.print()
}

// nineTenths shows what more examples bring: as many as a student has that is
// trained on the whole published training part, nearly.
func nineTenths(ctx context.Context, all []student.Example) error {
	fmt.Println("\nBANKING77, 9/10 to train and 1/10 to test")
	train, test := split(all, 1, 9, 10)
	s, err := learn(ctx, "seed 1", 1, train)
	if err != nil {
		return err
	}
	fmt.Printf("  accuracy %s\n", accuracy(right(ask(s, test), isRight)))
	return nil
}

func isRight(a answer) bool { return a.right }

func count(tallies map[string]map[string]tally, who string, e student.Example, right bool) {
	if tallies[who] == nil {
		tallies[who] = map[string]tally{}
	}
	t := tallies[who][e.Text]
	t.n++
	if right {
		t.right++
	}
	tallies[who][e.Text] = t
}
