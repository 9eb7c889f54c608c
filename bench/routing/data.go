package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	"starling/internal/forecast"
)

// A record is a line of a data set.
type record struct {
	Task    string              `json:"task"`
	Prompt  string              `json:"prompt"`
	Scores  map[string]*float64 `json:"scores"`
	Costs   map[string]*float64 `json:"costs"`
	Conf    map[string]*float64 `json:"conf"`
	Answers map[string]string   `json:"answers"`
}

// A set is a data set with its candidates in order.
type set struct {
	name       string
	candidates []string
	rows       []row
}

// A row is a case with what every candidate did. What is unknown is NaN.
type row struct {
	forecast.Row
	costs   []float64
	conf    []float64
	answers []string
}

// errNoData says that there is nothing to measure with.
var errNoData = errors.New("the shared data is not there")

// findData returns the folder of the routing data: the one that is named, or
// ../shared/data from the repository's root.
func findData(named string) (string, error) {
	for _, dir := range []string{named, os.Getenv("STARLING_SHARED_DATA"), filepath.Join("..", "shared", "data")} {
		if dir == "" {
			continue
		}
		at := filepath.Join(dir, "routing")
		if _, err := os.Stat(at); err == nil {
			return at, nil
		}
	}
	return "", errNoData
}

// read returns the records of the files that match the pattern, in order.
func read(dir, pattern string) ([]record, error) {
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(names) == 0 {
		return nil, fmt.Errorf("%s: %w", pattern, errNoData)
	}
	slices.Sort(names)
	var all []record
	for _, name := range names {
		if all, err = readFile(name, all); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return all, nil
}

func readFile(name string, all []record) ([]record, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	for dec := json.NewDecoder(bufio.NewReader(file)); ; {
		var r record
		if err := dec.Decode(&r); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
}

// newSet puts the candidates in the order of what they cost together, the
// cheapest first; price, if not nil, replaces the costs of the records.
func newSet(name string, records []record, price map[string]float64) *set {
	s := &set{name: name}
	total := map[string]float64{}
	for _, r := range records {
		for c := range r.Scores {
			if price != nil {
				total[c] += price[c]
			} else {
				total[c] += or(r.Costs[c], 0)
			}
		}
	}
	for c := range total {
		s.candidates = append(s.candidates, c)
	}
	slices.SortFunc(s.candidates, func(a, b string) int {
		if total[a] < total[b] || total[a] == total[b] && a < b {
			return -1
		}
		return 1
	})
	for _, r := range records {
		s.rows = append(s.rows, s.row(r, price))
	}
	return s
}

func (s *set) row(r record, price map[string]float64) row {
	out := row{Row: forecast.Row{Skill: r.Task, Prompt: r.Prompt}}
	for _, c := range s.candidates {
		out.Grades = append(out.Grades, or(r.Scores[c], math.NaN()))
		out.conf = append(out.conf, or(r.Conf[c], math.NaN()))
		out.answers = append(out.answers, r.Answers[c])
		if price != nil {
			out.costs = append(out.costs, price[c])
		} else {
			out.costs = append(out.costs, or(r.Costs[c], math.NaN()))
		}
	}
	return out
}

func or(v *float64, otherwise float64) float64 {
	if v == nil {
		return otherwise
	}
	return *v
}
