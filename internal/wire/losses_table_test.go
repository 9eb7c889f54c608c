package wire

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"starling"
)

const (
	tablesFile  = "../../docs/spec/dialects.md"
	tablesBegin = "<!-- what follows is written by go test ./internal/wire -run TestTheTablesOfTheDialects -update -->\n"
)

// TestTheTablesOfTheDialects: what docs/spec/dialects.md says of the dialects is
// what they do.
func TestTheTablesOfTheDialects(t *testing.T) {
	text, err := os.ReadFile(tablesFile)
	if err != nil {
		t.Fatal(err)
	}
	intro, old, found := strings.Cut(string(text), tablesBegin)
	if !found {
		t.Fatalf("%s has no place for the tables", tablesFile)
	}
	tables := questionTable(t) + "\n" + answerTable(t)
	if *update && !t.Failed() {
		if err := os.WriteFile(tablesFile, []byte(intro+tablesBegin+tables), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(old, tables); d != "" {
		t.Errorf("go test ./internal/wire -run TestTheTablesOfTheDialects -update writes it anew: %s", d)
	}
}

func questionTable(t *testing.T) string {
	b := tableHead("## Questions, to an upstream of another dialect\n\n", "says", reached(t))
	for _, u := range utterances() {
		b.row(u.name, func(d starling.Dialect) string { return u.fare(t, d) })
	}
	return b.String()
}

func answerTable(t *testing.T) string {
	b := tableHead("## Answers, to a caller of another dialect\n\n", "says", conversational())
	for _, m := range mentions() {
		b.row(m.name, func(d starling.Dialect) string { return m.fare(t, d) })
	}
	return b.String()
}

// A table has a column for each dialect.
type table struct {
	strings.Builder
	columns []starling.Dialect
}

func tableHead(title, first string, columns []starling.Dialect) *table {
	b := &table{columns: columns}
	b.WriteString(title)
	b.row(first, func(d starling.Dialect) string { return string(d) })
	b.row("---", func(starling.Dialect) string { return "---" })
	return b
}

func (b *table) row(name string, cell func(starling.Dialect) string) {
	b.WriteString("| " + name + " |")
	for _, d := range b.columns {
		b.WriteString(" " + strings.ReplaceAll(cell(d), "|", "\\|") + " |")
	}
	b.WriteString("\n")
}
