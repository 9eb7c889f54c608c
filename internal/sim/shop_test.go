package sim_test

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"starling/internal/sim"
	"starling/internal/skill"
	"starling/internal/student"
)

func TestAShopNeverRepeatsAMessage(t *testing.T) {
	large(t)
	const n = 20_000
	seen := map[string]bool{}
	for _, c := range messages(sim.NewShop(1), n) {
		seen[c.Input] = true
	}
	if len(seen) != n {
		t.Errorf("%d of %d messages are distinct", len(seen), n)
	}
}

func TestMessagesComeInTheStatedShares(t *testing.T) {
	large(t)
	stated := map[string]float64{
		"order_status": 0.22, "order_change": 0.08, "order_cancel": 0.07, "return_item": 0.10, "refund_status": 0.08, "faulty_item": 0.09,
		"billing": 0.07, "account_access": 0.06, "account_data": 0.04, "subscription": 0.04, "product_question": 0.09, "other": 0.06,
	}
	shop := sim.NewShop(1)
	shares := sharesOf(messages(shop, 10_000))
	for label, share := range stated {
		if got := shares[label]; got < share-0.015 || got > share+0.015 {
			t.Errorf("%s has a share of %.3f, want about %.2f", label, got, share)
		}
	}
	shop.Drift()
	if got := sharesOf(messages(shop, 10_000))["subscription"]; got < 0.29 || got > 0.37 {
		t.Errorf("after the launch, subscription has a share of %.3f, want about 0.33", got)
	}
}

func TestEveryLabelIsOneOfThePack(t *testing.T) {
	large(t)
	pack, err := skill.Load(os.DirFS("../../skills"), "support-intent")
	if err != nil {
		t.Fatal(err)
	}
	labels := pack.Rubric.Verify[0].Values
	shop := sim.NewShop(1)
	before := messages(shop, 2000)
	shop.Drift()
	seen := map[string]bool{}
	for _, c := range append(before, messages(shop, 2000)...) {
		seen[c.Answer] = true
		if c.Skill != pack.Name || len(c.Wrong) != 2 || slices.Contains(c.Wrong, c.Answer) {
			t.Fatalf("not a case of the pack: %+v", c)
		}
		for _, label := range append(c.Wrong, c.Answer) {
			if !slices.Contains(labels, label) {
				t.Fatalf("%q is no label of the pack", label)
			}
		}
	}
	if len(seen) != len(labels) {
		t.Errorf("%d of %d labels occur", len(seen), len(labels))
	}
}

func TestTheSameSeedMakesTheSameShop(t *testing.T) {
	const n = 500
	one, two, other := messages(sim.NewShop(1), n), messages(sim.NewShop(1), n), messages(sim.NewShop(2), n)
	if !reflect.DeepEqual(one, two) {
		t.Error("the same seed made other messages")
	}
	same := 0
	for i := range one {
		if one[i].Input == other[i].Input {
			same++
		}
	}
	if same > n/100 {
		t.Errorf("another seed made %d of %d messages the same", same, n)
	}
}

func TestNoChoiceIsLeftInAMessage(t *testing.T) {
	large(t)
	shop := sim.NewShop(3)
	shop.Drift()
	for _, c := range messages(shop, 5000) {
		if strings.ContainsAny(c.Input, `<{}|\`) || strings.TrimSpace(c.Input) != c.Input || c.Input == "" {
			t.Fatalf("%q", c.Input)
		}
	}
}

func TestEverySlotNamesASection(t *testing.T) {
	data, err := os.ReadFile("shop.txt")
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(?m)^# .*$`).ReplaceAllString(string(data), "")
	for _, slot := range regexp.MustCompile(`\{([^{}]*)\}`).FindAllStringSubmatch(text, -1) {
		name := strings.NewReplacer("this.", "billing.", "that.", "billing.").Replace(slot[1])
		if !strings.Contains(text, "\n== "+name+"\n") {
			t.Errorf("no section %q", name)
		}
	}
}

// A student learns the shop well but not wholly, knows what it knows, and does
// not know that the world has changed.
func TestAStudentLearnsTheShopAndIsSurprisedByTheLaunch(t *testing.T) {
	large(t)
	shop := sim.NewShop(1)
	s := taught(t, messages(shop, 1500))
	threshold := 1.0
	for _, step := range s.Steps() {
		if step.Agreement >= 0.97 {
			threshold = step.Confidence
		}
	}
	fresh := messages(shop, 1500)
	if _, right := asked(s, fresh, 0); right < 0.90 || right > 0.985 {
		t.Errorf("it is right on %.3f of fresh messages", right)
	}
	covered, before := asked(s, fresh, threshold)
	if covered < 0.6 {
		t.Errorf("it covers %.3f of fresh messages", covered)
	}
	shop.Drift()
	if _, after := asked(s, messages(shop, 1500), threshold); after > before-0.1 {
		t.Errorf("it agrees on %.3f of what it covers before the launch, and %.3f after", before, after)
	}
}

// large skips a test where tests are to be short: one goroutine makes or reads much
// text, at which the race detector has nothing to see.
func large(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it runs without -short")
	}
}

func messages(s *sim.Shop, n int) []sim.Case {
	cases := make([]sim.Case, n)
	for i := range cases {
		cases[i] = s.Next()
	}
	return cases
}

func sharesOf(cases []sim.Case) map[string]float64 {
	shares := map[string]float64{}
	for _, c := range cases {
		shares[c.Answer] += 1 / float64(len(cases))
	}
	return shares
}

func taught(t *testing.T, cases []sim.Case) *student.Student {
	t.Helper()
	examples := make([]student.Example, len(cases))
	for i, c := range cases {
		examples[i] = student.Example{Text: c.Input, Label: c.Answer}
	}
	s, err := student.Train(t.Context(), examples, student.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asked returns the share of cases about which s is confident, and the share of
// those in which it is right.
func asked(s *student.Student, cases []sim.Case, threshold float64) (covered, right float64) {
	for _, c := range cases {
		p := s.Predict(c.Input)
		if p.Confidence < threshold {
			continue
		}
		covered++
		if p.Label == c.Answer {
			right++
		}
	}
	return covered / float64(len(cases)), right / covered
}
