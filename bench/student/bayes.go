package main

import (
	"math"
	"strings"

	"starling/internal/student"
)

// A bayes is the simple baseline: multinomial naive Bayes over lower-case words,
// each counted once more than it was seen.
type bayes struct {
	labels []string
	prior  map[string]float64
	words  map[string]map[string]float64 // by label
	total  map[string]float64
	seen   map[string]bool
}

func learnBayes(all []student.Example) *bayes {
	b := &bayes{prior: map[string]float64{}, words: map[string]map[string]float64{}, total: map[string]float64{}, seen: map[string]bool{}}
	for _, e := range all {
		if b.words[e.Label] == nil {
			b.words[e.Label] = map[string]float64{}
			b.labels = append(b.labels, e.Label)
		}
		b.prior[e.Label]++
		for _, w := range words(e.Text) {
			b.words[e.Label][w]++
			b.total[e.Label]++
			b.seen[w] = true
		}
	}
	return b
}

func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return strings.ContainsRune(" .,?!'\"", r) })
}

func (b *bayes) label(text string) string {
	best, top := "", math.Inf(-1)
	for _, l := range b.labels {
		score := math.Log(b.prior[l])
		for _, w := range words(text) {
			score += math.Log((b.words[l][w] + 1) / (b.total[l] + float64(len(b.seen))))
		}
		if score > top {
			best, top = l, score
		}
	}
	return best
}

// majority returns the label that most examples have.
func majority(all []student.Example) string {
	counts, best := map[string]int{}, ""
	for _, e := range all {
		if counts[e.Label]++; counts[e.Label] > counts[best] {
			best = e.Label
		}
	}
	return best
}
