package rightsize

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"starling"
	"starling/internal/evidence"
)

//go:embed report.html
var page string

var pageTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"percent": func(share float64) string { return strconv.FormatFloat(math.Round(1000*share)/10, 'f', -1, 64) + " %" },
	"millis":  func(d time.Duration) string { return d.Round(time.Millisecond).String() },
	"missing": func(l Line) string {
		switch {
		case l.Missing == 0:
			return "–"
		case l.Missing == evidence.Never:
			return "never"
		}
		return strconv.Itoa(l.Missing)
	},
	"date": func(t time.Time) string { return t.UTC().Format(time.DateOnly) },
}).Parse(page))

// HTML writes the report as one file that needs nothing else, with a picture of
// quality over cost.
func (out *Report) HTML(w io.Writer, made time.Time) error {
	simulated := slices.ContainsFunc(out.Lines, func(l Line) bool { return l.Simulated })
	return pageTemplate.Execute(w, struct {
		*Report
		Plot      plot
		Simulated bool
		Made      string
	}{out, plotOf(out), simulated, made.UTC().Format("2006-01-02 15:04 MST")})
}

// A plot is the picture, in its own coordinates: rates upwards, the logarithm of
// cost to the right.
type plot struct {
	Width, Height, Left, Right int
	TextLeft, TextBelow        int
	Bar, BarText               float64
	Rates, Costs               []tick
	Points                     []point
	Front                      string // of the Pareto front, as a polyline has it
}

type tick struct {
	At, Text float64
	Label    string
}

type point struct {
	X, Y, Low, High, Name float64
	Label                 string
	Shown                 bool
}

const (
	plotWidth, plotHeight   = 760, 340
	plotLeft, plotRight     = 56, 700
	plotTop, plotBottom     = 16, 300
	cheapest                = starling.Money(1000) // a cost of nothing has no logarithm
	leastSpan               = 0.1                  // of the rates shown
	nearBar, besideThePoint = 4, 4
)

func plotOf(r *Report) plot {
	s := scaleOf(r)
	p := plot{Width: plotWidth, Height: plotHeight, Left: plotLeft, Right: plotRight, TextLeft: plotLeft - 8, TextBelow: plotBottom + 22}
	p.Bar = s.y(cmp.Or(r.level, r.Bar.Pass))
	p.BarText = p.Bar - nearBar
	for rate := math.Ceil(s.low*10) / 10; rate <= 1.0001; rate += 0.1 {
		p.Rates = append(p.Rates, tick{s.y(rate), s.y(rate) + 4, fmt.Sprintf("%.0f %%", 100*rate)})
	}
	for decade := s.from; decade <= s.to; decade++ {
		p.Costs = append(p.Costs, tick{At: s.x(math.Pow(10, decade)), Label: starling.Money(math.Pow(10, decade)).String()})
	}
	for _, l := range r.Lines {
		if l.Accepted() > 0 {
			x, y := s.x(float64(l.Cost)), s.y(rate(l))
			p.Points = append(p.Points, point{x, y, s.y(l.Low), s.y(l.High), y + besideThePoint, l.Name, l.Shown})
		}
	}
	p.Front = front(p.Points)
	return p
}

func rate(l Line) float64 { return float64(l.Passes) / float64(l.Accepted()) }

// A scale maps rates from low to 1, and costs of whole decades, to the picture.
type scale struct{ low, from, to float64 }

func scaleOf(r *Report) scale {
	s := scale{low: cmp.Or(r.level, r.Bar.Pass), from: math.Inf(1), to: math.Inf(-1)}
	for _, l := range r.Lines {
		if l.Accepted() == 0 {
			continue
		}
		s.low = min(s.low, l.Low)
		cost := math.Log10(float64(max(l.Cost, cheapest)))
		s.from, s.to = min(s.from, math.Floor(cost)), max(s.to, math.Ceil(cost))
	}
	switch {
	case s.from > s.to: // nobody was asked
		s.from, s.to = 6, 9
	case s.from == s.to:
		s.to++
	}
	s.low = max(0, min(math.Floor(s.low*20)/20, 1-leastSpan))
	return s
}

func (s scale) y(rate float64) float64 {
	return round(plotBottom - (rate-s.low)/(1-s.low)*(plotBottom-plotTop))
}

func (s scale) x(cost float64) float64 {
	at := (math.Log10(max(cost, float64(cheapest))) - s.from) / (s.to - s.from)
	return round(plotLeft + at*(plotRight-plotLeft))
}

func round(v float64) float64 { return math.Round(10*v) / 10 }

// front joins the points that no other beats in both: none is as high and further
// to the left.
func front(points []point) string {
	sorted := slices.Clone(points)
	slices.SortStableFunc(sorted, func(a, b point) int { return cmp.Or(cmp.Compare(a.X, b.X), cmp.Compare(a.Y, b.Y)) })
	var b strings.Builder
	best := math.Inf(1)
	for _, p := range sorted {
		if p.Y < best {
			best = p.Y
			fmt.Fprintf(&b, "%g,%g ", p.X, p.Y)
		}
	}
	return strings.TrimSpace(b.String())
}
