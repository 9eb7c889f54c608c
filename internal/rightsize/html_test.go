package rightsize

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

func pageOf(t *testing.T, r *Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.HTML(&b, time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestThePageSaysWhatTheReportSaysAndNeedsNothingElse(t *testing.T) {
	w := newWorld(100, high, but(3), always)
	w.Candidates[0].Name = `<script>alert("x")</script>`
	w.quality[w.Candidates[0].Name] = but(3)
	w.Candidates[1].Model.Simulated = true
	text := pageOf(t, ran(t, w))
	for _, want := range []string{"c1 is good enough", "at least 90 % of the answers", "&lt;script&gt;", "p/c1 (simulated)", "are no models", `class="yes">yes`, "2026-11-26 12:00 UTC"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if points := strings.Count(text, "<circle"); points != 2 {
		t.Errorf("%d points for 2 candidates", points)
	}
	for _, bad := range []string{"<script", "http:", "https:", "src=", "NaN", "Inf", "ZgotmplZ"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
}

// TestEveryPointIsInThePicture, whatever the candidates cost and however few of
// their answers pass.
func TestEveryPointIsInThePicture(t *testing.T) {
	for name, r := range map[string]*Report{
		"nobody was asked":     {Lines: []Line{{Name: "a"}}, Bar: high},
		"all are free":         {Lines: []Line{{Name: "a", Asked: 9, Passes: 9, High: 1}, {Name: "b", Asked: 9, High: 0.3}}, Bar: high},
		"one is very dear":     {Lines: []Line{{Name: "a", Asked: 9, Passes: 9, Low: 0.7, High: 1, Cost: 1 << 60}, {Name: "b", Asked: 9, Passes: 8, High: 1, Cost: 1}}, Bar: high},
		"two cost the same":    {Lines: []Line{{Name: "a", Asked: 9, Passes: 9, Low: 0.99, High: 1, Cost: 1e9}, {Name: "b", Asked: 9, Passes: 8, Low: 0.98, High: 1, Cost: 1e9}}, Bar: high},
		"all are nearly right": {Lines: []Line{{Name: "a", Asked: 999, Passes: 999, Low: 0.999, High: 1, Cost: 5e8}}, Bar: high},
	} {
		text := pageOf(t, r)
		for _, m := range regexp.MustCompile(`(?:x1|x2|cx|y1|y2|cy|x|y)="([^"]*)"`).FindAllStringSubmatch(text, -1) {
			var at float64
			if _, err := fmt.Sscan(m[1], &at); err != nil || at < 0 || at > plotWidth {
				t.Errorf("%s: %s", name, m[0])
			}
		}
	}
}

func TestTheFrontJoinsThoseThatNoOtherBeatsInBoth(t *testing.T) {
	got := front([]point{{X: 10, Y: 200}, {X: 20, Y: 250}, {X: 30, Y: 100}, {X: 30, Y: 90}, {X: 5, Y: 240}})
	if want := "5,240 10,200 30,90"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
