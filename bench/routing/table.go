package main

import (
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
)

// A table is printed when it is whole.
type table struct{ rows [][]string }

func newTable(head ...string) *table { return &table{[][]string{head}} }

// add adds a row; figures and strings print as they are.
func (t *table) add(cells ...any) {
	var row []string
	for _, c := range cells {
		row = append(row, fmt.Sprint(c))
	}
	t.rows = append(t.rows, row)
}

// addFigures adds a row of figures.
func (t *table) addFigures(name string, figures []figure) {
	cells := []any{name}
	for _, f := range figures {
		cells = append(cells, f)
	}
	t.add(cells...)
}

func (t *table) print() error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, row := range t.rows {
		fmt.Fprintf(w, "  %s\n", strings.Join(row, "\t"))
	}
	return w.Flush()
}
