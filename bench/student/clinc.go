package main

import (
	"context"
	"fmt"
	"slices"

	"starling/internal/student"
)

// climbs is the share of requests in scope that may climb so that those out of
// scope do.
const climbs = 0.05

// clinc measures on CLINC150: trained on its training part, tested on its
// validation part and on rows that are out of scope.
func clinc(ctx context.Context, d data) error {
	train, err := d.read(ctx, "clinc150_train.jsonl")
	if err != nil {
		return err
	}
	test, err := d.read(ctx, "clinc150_val.jsonl")
	if err != nil {
		return err
	}
	outside, err := d.read(ctx, "clinc150_oos_train.jsonl")
	if err != nil {
		return err
	}
	fmt.Println("\nCLINC150, training part to train and validation part to test")
	s, err := learn(ctx, "in scope only", 1, train)
	if err != nil {
		return err
	}
	latency(s, test)
	answers := ask(s, test)
	b, most := learnBayes(train), majority(train)
	fmt.Printf("accuracy of majority     %s\n", accuracy(right(test, func(e student.Example) bool { return most == e.Label })))
	fmt.Printf("accuracy of naive Bayes  %s\n", accuracy(right(test, func(e student.Example) bool { return b.label(e.Text) == e.Label })))
	fmt.Printf("accuracy of student      %s\n", accuracy(right(answers, isRight)))
	fmt.Printf("ECE %s\n", ece(answers))
	fmt.Printf("out of scope found at 5 %% false climbs, never shown any: %s of %d\n", found(answers, ask(s, outside)), len(outside))
	return withOutside(ctx, train, test, outside)
}

// found is the share of rows out of scope below the confidence that all but 5 %
// of the rows in scope have.
func found(inside, outside []answer) figure {
	order := make([]float64, len(inside))
	for i, a := range inside {
		order[i] = a.confidence
	}
	slices.Sort(order)
	threshold := quantile(order, climbs)
	return accuracy(right(outside, func(a answer) bool { return a.confidence < threshold }))
}

// withOutside shows one half of the rows out of scope in training and tests with
// the other, both ways.
func withOutside(ctx context.Context, train, test, outside []student.Example) error {
	halves := [2][]student.Example{}
	halves[0], halves[1] = split(outside, 1, 1, 2)
	for i, shown := range halves {
		s, err := learn(ctx, "with rows out of scope", 1, slices.Concat(train, shown))
		if err != nil {
			return err
		}
		answers, rest := ask(s, test), halves[1-i]
		fmt.Printf("  accuracy %s; out of scope found at 5 %% false climbs: %s of %d\n", accuracy(right(answers, isRight)), found(answers, ask(s, rest)), len(rest))
	}
	return nil
}
