package main

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"
)

// Commands print words from outside: the model that a caller asked for, the name
// of a key, what an upstream calls its models. They may hold anything, also what
// would forge a line or give the terminal an order, so everything goes out through
// printf and tables.

// encode prints a value as JSON.
func (p *program) encode(v any) error { return json.NewEncoder(p.stdout).Encode(v) }

// encodeWide prints a value as JSON that people read.
func (p *program) encodeWide(v any) error {
	enc := json.NewEncoder(p.stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// orEmpty makes no list an empty one, as JSON shows it.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// plain returns printable text as it is, and any other in quotes.
func plain(text string) string {
	if utf8.ValidString(text) && !strings.ContainsFunc(text, strange) {
		return text
	}
	return strconv.Quote(text)
}

func strange(r rune) bool { return !unicode.IsPrint(r) }

// printf is [fmt.Fprintf] with every text among the arguments made plain.
func printf(w io.Writer, format string, args ...any) {
	for i, arg := range args {
		args[i] = plainly(arg)
	}
	fmt.Fprintf(w, format, args...)
}

// plainly makes texts plain, and leaves what our own types say of themselves.
func plainly(arg any) any {
	switch v := reflect.ValueOf(arg); {
	case v.Kind() == reflect.String:
		return plain(v.String())
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.String:
		texts := make([]string, v.Len())
		for i := range texts {
			texts[i] = plain(v.Index(i).String())
		}
		return texts
	}
	if err, ok := arg.(error); ok {
		return plain(err.Error())
	}
	return arg
}

// A table prints rows of cells in columns.
type table struct {
	*tabwriter.Writer
	end string // of a row
}

func newTable(w io.Writer, head ...any) *table {
	t := &table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0), "\n"}
	if len(head) > 0 {
		t.row(head...)
	}
	return t
}

// newSums is a table with its columns to the right, as sums stand.
func newSums(w io.Writer, head ...any) *table {
	t := &table{tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight), "\t\n"}
	t.row(head...)
	return t
}

func (t *table) row(cells ...any) {
	for i, cell := range cells {
		if i > 0 {
			fmt.Fprint(t, "\t")
		}
		fmt.Fprint(t, plainly(cell))
	}
	fmt.Fprint(t, t.end)
}

// inLines makes text of several lines printable and leaves its lines.
func inLines(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r == '\n' || !strange(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}
