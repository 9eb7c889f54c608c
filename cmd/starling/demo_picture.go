package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"starling"
)

// A column of the picture is so many requests; the last of a chapter may be fewer.
const columnWide = 50

// A column is who answered, and for how much.
type column struct {
	asked, own int
	cost       starling.Money
}

// picture shows the loop at a glance, in plain text.
func (l *loop) picture() {
	var all []column
	var steps strings.Builder
	last := 0
	for _, c := range l.chapters {
		columns := c.columns()
		mark := ""
		if c.number != last {
			mark, last = strconv.Itoa(c.number), c.number
		}
		fmt.Fprintf(&steps, "%-*s", len(columns), mark)
		all = append(all, columns...)
	}
	most := starling.Money(1)
	for _, c := range all {
		most = max(most, c.mean())
	}
	row := func(name string, height func(column) float64, note string) {
		var b strings.Builder
		for _, c := range all {
			b.WriteString(block(height(c)))
		}
		l.tellLine("   %-8s %s  %s", name, b.String(), note)
	}
	fmt.Fprintf(l.p.stdout, "\nWho answered and what it cost, %d requests a column:\n", columnWide)
	row("premium", func(c column) float64 { return 1 - ratio(c.own, c.asked) }, "")
	row("student", func(c column) float64 { return ratio(c.own, c.asked) }, "")
	row("cost", func(c column) float64 { return float64(c.mean()) / float64(most) }, "at most "+short(100*most)+" for 100, audits too")
	l.tellLine("   %-8s %s", "step", steps.String())
}

// mean is what one request costs.
func (c column) mean() starling.Money { return c.cost / starling.Money(max(c.asked, 1)) }

// columns cuts a chapter into columns. An audit counts where its request does.
func (c *chapter) columns() (all []column) {
	for i := range c.results {
		if i%columnWide == 0 {
			all = append(all, column{})
		}
		now, r := &all[len(all)-1], &c.results[i]
		now.asked++
		if c.student(r) {
			now.own++
		}
		now.cost = now.cost.Plus(c.receipts[r.receipt].Cost)
		if a := c.audits[r.receipt]; a != nil {
			now.cost = now.cost.Plus(a.Cost)
		}
	}
	return all
}

// block is a share as the height of a character: nothing only for none, and the
// whole only for all.
func block(share float64) string {
	heights := []rune(" ▁▂▃▄▅▆▇█")
	most := len(heights) - 1
	switch n := int(math.Round(share * float64(most))); {
	case share <= 0:
		return string(heights[0])
	case share >= 1:
		return string(heights[most])
	default:
		return string(heights[min(max(n, 1), most-1)])
	}
}
