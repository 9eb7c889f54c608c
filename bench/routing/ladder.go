package main

import (
	"fmt"
	"math"
	"strings"

	"starling/internal/forecast"
)

// A ladder is candidates in the order in which they are called.
type ladder []int

func (l ladder) String() string { return fmt.Sprint([]int(l)) }

// A judge says after each rung of a ladder how likely an answer is right, from
// the answers and log-probabilities so far: one regression for each rung, over
// all answers that were given.
type judge map[string]forecast.Logistic

// An opinion is what is thought after a rung: whose answer is the likeliest, how
// likely it is right, and how likely the opinion after each further rung will be.
type opinion struct {
	from  int
	odds  float64
	later []float64
}

// tasksOf numbers the tasks.
type tasksOf map[string]int

// evidence describes the answer of a candidate by who else gave it, and how sure
// they all were.
func (t tasksOf) evidence(r *row, called ladder, answer string) []float64 {
	x := make([]float64, 0, (1+len(called))*len(t)+2*len(called))
	x = t.mark(x, r.Skill, 1)
	for _, c := range called {
		sure := sureness(r.conf[c])
		if r.answers[c] == answer {
			x = append(t.mark(x, r.Skill, 1), sure, 0)
		} else {
			x = append(t.mark(x, r.Skill, 0), 0, sure)
		}
	}
	return x
}

// mark appends a one for the task, and noughts for the others.
func (t tasksOf) mark(x []float64, task string, v float64) []float64 {
	from := len(x)
	x = append(x, make([]float64, len(t))...)
	x[from+t[task]] = v
	return x
}

// sureness spreads out log-probabilities, most of which are just below 0.
func sureness(conf float64) float64 {
	if math.IsNaN(conf) {
		return 0
	}
	return -math.Log(max(-conf, 0)+1e-3) / 4
}

// answersOf lists the different answers of those called, by who gave them first.
func answersOf(r *row, called ladder) (first []int) {
	for i, c := range called {
		again := false
		for _, d := range called[:i] {
			again = again || r.answers[c] == r.answers[d]
		}
		if !again {
			first = append(first, c)
		}
	}
	return first
}

// learn adds to a judge what it does not know yet of a ladder.
func (j judge) learn(t tasksOf, rows []*row, l ladder) {
	for k := range l {
		called := l[:k+1]
		if j[called.String()] != nil {
			continue
		}
		var x [][]float64
		var y []float64
		for _, r := range rows {
			for _, c := range answersOf(r, called) {
				x, y = append(x, t.evidence(r, called, r.answers[c])), append(y, r.Grades[c])
			}
		}
		j[called.String()] = forecast.FitLogistic(x, y, ridge)
	}
	for k := range l {
		for m := k + 1; m < len(l); m++ {
			j.learnLater(t, rows, l[:k+1], l[:m+1])
		}
	}
}

// learnLater learns what to expect of the opinion on more rungs after fewer.
func (j judge) learnLater(t tasksOf, rows []*row, fewer, more ladder) {
	if j[later(fewer, more)] != nil {
		return
	}
	var x [][]float64
	var y []float64
	for _, r := range rows {
		now, _ := j.likeliest(t, r, fewer)
		then, _ := j.likeliest(t, r, more)
		x, y = append(x, t.evidence(r, fewer, r.answers[now])), append(y, r.Grades[then])
	}
	j[later(fewer, more)] = forecast.FitLogistic(x, y, ridge)
}

// ridge keeps the weights of rare evidence small.
const ridge = 3

func later(fewer, more ladder) string { return fewer.String() + more.String() }

// likeliest returns who gave the likeliest answer, and how likely it is right.
func (j judge) likeliest(t tasksOf, r *row, called ladder) (from int, odds float64) {
	w := j[called.String()]
	for _, c := range answersOf(r, called) {
		if p := w.Odds(t.evidence(r, called, r.answers[c])); p > odds {
			from, odds = c, p
		}
	}
	return from, odds
}

// opinions says what is thought of a case after each rung.
func (j judge) opinions(t tasksOf, r *row, l ladder) []opinion {
	all := make([]opinion, len(l))
	for k := range l {
		o := &all[k]
		o.from, o.odds = j.likeliest(t, r, l[:k+1])
		x := t.evidence(r, l[:k+1], r.answers[o.from])
		for m := k + 1; m < len(l); m++ {
			o.later = append(o.later, j[later(l[:k+1], l[:m+1])].Odds(x))
		}
	}
	return all
}

// A result is what came of a case.
type result struct{ quality, cost float64 }

// climb runs a ladder on a case. The next rung is called while that, or going on
// from there, should make the answer likelier by more than price times the cost.
// What was called is paid for.
func (l ladder) climb(r *row, thought []opinion, price float64, expected []float64) result {
	var out result
	for k, c := range l {
		out.cost += r.costs[c]
		out.quality = r.Grades[thought[k].from]
		if !l.worth(k, thought[k], price, expected) {
			break
		}
	}
	return out
}

// worth reports whether it is worth going on after rung k.
func (l ladder) worth(k int, o opinion, price float64, expected []float64) bool {
	cost := 0.0
	for m, odds := range o.later {
		cost += expected[l[k+1+m]]
		if odds-o.odds > price*cost {
			return true
		}
	}
	return false
}

// normal is an answer without what makes no difference: it is what follows the
// last "####", in lower case, letters and digits only.
func normal(answer string) string {
	if at := strings.LastIndex(answer, "####"); at >= 0 {
		answer = answer[at:]
	}
	return strings.Map(func(c rune) rune {
		if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c > 127 {
			return c
		}
		return -1
	}, strings.TrimRight(strings.ToLower(strings.TrimSpace(answer)), "."))
}
