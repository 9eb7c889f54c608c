package main

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"starling"
	"starling/internal/route"
	"starling/internal/serve"
	"starling/internal/skill"
)

// What skill show prints is all that decides about a request of the skill, and no more
// than that: whoever reads it comes to the decisions that the gateway comes to. A test
// does so (decide_test.go), so a figure that decides something is printed to the last
// digit that matters.

// width is how wide a page is.
const width = 100

func showSkill(w io.Writer, s *shown) error {
	printf(w, "%s\n", s.Model)
	wrapped(w, "  ", "  ", s.Description)
	printf(w, "\nfrom       %s\n", s.From)
	printf(w, "rubric     %.12s…, cases %.12s\n", s.Hash, dash(s.Cases))
	if s.Observe {
		printf(w, "observed   the gateway only observes: the reference answers, and the rest is what would be\n")
	}
	printf(w, "\n")
	if err := showLadder(w, s); err != nil {
		return err
	}
	for i := range s.Ladder {
		showRung(w, i+1, s)
	}
	showTerms(w, s)
	showRules(w, s)
	return nil
}

// showLadder prints the ladder at a glance.
func showLadder(w io.Writer, s *shown) error {
	head := "SHOWN"
	if s.Bar.Pass > 0 {
		head = "SHOWN, THE BAR IS " + percentOf(s.Bar.Pass)
	}
	t := newTable(w, "   CANDIDATE", "ZONE", "A MILLION", head, "MAY ANSWER")
	for i := range s.Ladder {
		r := &s.Ladder[i]
		zone, price := "-", "-"
		if r.Facts != nil {
			zone, price = r.Facts.Zone.String(), shortPrice(r.Facts.Price)
		}
		t.row(fmt.Sprintf("%2d %s", i+1, plain(r.Name)), zone, price, picture(r, s.Bar.Pass), mayAnswer(r))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if s.Bar.Pass > 0 {
		printf(w, "   ━ shown to pass, at least; ┿ the bar where that reaches it, ┼ where it does not\n")
	}
	if who := simulatedOn(s.Ladder); who != "" {
		wrapped(w, "   ", "   ", "[simulated] "+who+": what is shown of them says nothing of a model")
	}
	return nil
}

// simulatedOn names the candidates that are simulated.
func simulatedOn(ladder []route.Rung) string {
	var who []string
	for i := range ladder {
		if r := &ladder[i]; r.Facts != nil && r.Facts.Simulated || r.Covers && r.Warrant.Simulated {
			who = append(who, fmt.Sprintf("%d %s", i+1, r.Name))
		}
	}
	return strings.Join(who, ", ")
}

// shortPrice is what a million tokens cost, read and written.
func shortPrice(p starling.Price) string {
	in, out := prices(p)
	switch {
	case in == out:
		return in
	case p.Milliwatts > 0:
		return in
	}
	return in + " / " + out
}

// cells is how wide a picture is.
const cells = 20

// picture draws the share that is shown to pass as a heavy line, and the bar across it.
func picture(r *route.Rung, bar float64) string {
	said := "-"
	switch {
	case r.Covers && r.Warrant.Margin > 0:
		said = boundText(r.Warrant, r.Warrant.Bound)
	case r.Covers:
		said = floored(r.Least, 1)
	case r.Graded > 0:
		said = floored(r.Least, 1) + " so far"
	}
	if bar == 0 {
		return said
	}
	var b strings.Builder
	for i := range cells {
		heavy := r.Least >= float64(i+1)/cells
		switch at := min(int(bar*cells), cells-1); {
		case i == at && r.Least >= bar:
			b.WriteString("┿")
		case i == at:
			b.WriteString("┼")
		case heavy:
			b.WriteString("━")
		default:
			b.WriteString("─")
		}
	}
	return b.String() + " " + said
}

// mayAnswer says in a few words whether a candidate may answer.
func mayAnswer(r *route.Rung) string {
	if r.Against != "" {
		return map[starling.Kind]string{
			starling.Forbidden: "no: too far away", starling.NotFound: "no: nobody offers it", starling.Unproven: "no: not shown to be good enough",
		}[r.Kind] + map[bool]string{true: "no: it cannot be asked"}[r.Kind == starling.Invalid]
	}
	if r.SameAs != "" {
		return "no, where " + plain(r.SameAs) + " may: the same"
	}
	said := "yes, unseen"
	if len(r.Verify) > 0 {
		said = "yes, verified"
	}
	if r.Otherwise != "" {
		said += ", as the last"
	}
	return said
}

// showRung prints all that is known of a candidate.
func showRung(w io.Writer, n int, s *shown) {
	r := &s.Ladder[n-1]
	head := fmt.Sprintf("%2d %s", n, plain(r.Name))
	if r.Model != "" {
		head += " = " + plain(r.Model) + ", zone " + r.Facts.Zone.String()
	}
	if r.Rule > 0 {
		head += fmt.Sprintf(", by rule %d alone", r.Rule)
	}
	if r.Facts != nil && r.Facts.Simulated {
		head += " [simulated]"
	}
	fmt.Fprintf(w, "\n%s\n", head)
	say := func(name, text string) {
		if text != "" {
			wrapped(w, fmt.Sprintf("   %-9s ", name), strings.Repeat(" ", 13), text)
		}
	}
	if r.Facts != nil {
		say("price", priceText(r))
		say("limits", limitsText(r))
		say("verified", verifiedText(r))
		say("evidence", evidenceText(r, s))
		say("record", recordText(r))
	}
	say("answers", answersText(r))
}

// priceText is what a call costs, to the last digit.
func priceText(r *route.Rung) string {
	p, text := r.Facts.Price, ""
	switch {
	case !p.Known():
		return "unknown"
	case p.Milliwatts > 0:
		text = fmt.Sprintf("%g W at %s a kilowatt-hour, for %s at most", float64(p.Milliwatts)/1000, p.PerKWh, briefly(r.Longest))
	case p.Free:
		text = "free"
	default:
		text = ratesText(p.Rates)
		for _, t := range p.Tiers {
			text += fmt.Sprintf("; above %d read: %s", t.Above, ratesText(t.Rates))
		}
		text += "; a million tokens"
		if r.Facts.Dialect == starling.Anthropic {
			text += ", to the cache where the caller marks it"
		}
	}
	if r.Facts.Hedged {
		text += "; a slow call is made twice"
	}
	return text
}

func ratesText(r starling.Rates) string {
	text := fmt.Sprintf("%s read, %s written", starling.Money(r.Input), starling.Money(r.Output))
	for _, c := range []struct {
		rate starling.Rate
		what string
	}{{r.CacheRead, "from the cache"}, {r.CacheWrite, "to the cache"}, {r.CacheWrite1h, "to the cache for an hour"}} {
		if c.rate > 0 {
			text += fmt.Sprintf(", %s %s", starling.Money(c.rate), c.what)
		}
	}
	return text
}

func limitsText(r *route.Rung) string {
	known := func(n int64) string {
		if n == 0 {
			return "unknown"
		}
		return fmt.Sprint(n)
	}
	text := fmt.Sprintf("window %s, longest answer %s", known(r.Facts.Context), known(r.Facts.MaxOutput))
	if r.Facts.NoTools {
		text += ", no tools"
	}
	if r.Facts.NoImages {
		text += ", no images"
	}
	if r.Reads > 0 && r.Writes > 0 {
		text += fmt.Sprintf(", reads %.6g and writes %.6g tokens a second", r.Reads, r.Writes)
	}
	return text
}

func verifiedText(r *route.Rung) string {
	text := "by nobody: its answer is seen at once"
	if len(r.Verify) > 0 {
		text = "by " + strings.Join(r.Verify, ", ")
	}
	if r.Logprobs {
		text += "; it is asked how sure it is"
	}
	return text
}

// evidenceText says what stands for a candidate: its warrant, else its cases.
func evidenceText(r *route.Rung, s *shown) string {
	var said []string
	if w := r.Warrant; w != nil {
		said = append(said, warrantText(r))
	}
	if r.Graded > 0 && !r.Covers {
		said = append(said, fmt.Sprintf("%d of %d cases passed so far, so from %s to %s do", r.Passed, r.Graded, floored(r.Least, 2), percentOf(math.Ceil(r.Most*1e4)/1e4)))
	}
	if len(said) == 0 {
		return "none yet: starling " + route.Shows(*r.Facts) + " " + s.Name
	}
	return strings.Join(said, "; ")
}

func warrantText(r *route.Rung) string {
	w := r.Warrant
	text := w.ID
	switch {
	case r.Covers:
		text += fmt.Sprintf(" covers it: %d of %d passed, so at least %s do (exact, at %s)", w.Passed, w.Covered, floored(r.Least, 2), percentOf(w.Confidence))
		if w.Margin > 0 {
			text += ", in the mean " + boundText(w, w.Bound) + " to the reference at least"
		}
		if w.Threshold > 0 {
			text += fmt.Sprintf(", from a confidence of %.4g on", w.Threshold)
		}
		if w.Verified {
			text += ", if verified"
		}
		text += ", until " + w.Expires.UTC().Format(time.DateOnly)
	case r.Revoked != nil:
		text += " is revoked: " + r.Revoked.Why
	default:
		text += " does not hold: " + r.Lapsed
	}
	if w.Simulated {
		text += " [simulated]"
	}
	return text
}

func recordText(r *route.Rung) string {
	tried := fmt.Sprintf("%d of %d accepted", r.Accepted, r.Tried)
	text := fmt.Sprintf("%.6g is expected, on %d tries", r.Probability, r.Tries)
	if r.Basis != tried {
		text += ": " + r.Basis
	}
	if r.Tried == 0 {
		return text
	}
	return tried + "; " + text
}

// answersText says whether a candidate may answer, and why.
func answersText(r *route.Rung) string {
	text := "yes: " + cmp.Or(r.Why, r.Trusted)
	switch {
	case r.Against != "":
		text = fmt.Sprintf("no (%s): %s", r.Kind, r.Against)
	case r.Otherwise != "":
		text = fmt.Sprintf("yes: %s; elsewhere no: %s", r.Trusted, r.Otherwise)
	}
	if r.SameAs != "" {
		text += "; not after " + plain(r.SameAs) + ", which is the same"
	}
	return text
}

// showTerms prints what holds for all candidates.
func showTerms(w io.Writer, s *shown) {
	printf(w, "\n")
	say := func(name, text string) { wrapped(w, fmt.Sprintf("%-10s ", name), strings.Repeat(" ", 11), text) }
	say("reference", dash(strings.TrimSuffix(s.Reference+" = "+s.ReferenceModel, " = ")))
	say("bar", barWords(s.Bar))
	say("trusted", "the reference and the last of the list need no evidence, a student always does; where a request asks for a higher bar, all others need a warrant that shows it")
	say("order", orderWords(s))
	say("class", fmt.Sprintf("%s, as far as %s", s.Screen.Class, s.Screen.Furthest)+map[bool]string{true: ", unless a request says another"}[s.Class == ""])
	say("classes", classWords(s)+"; the strictest of key, header and skill")
	say("budget", budgetWords(s.Budget))
	say("latency", latencyWords(s.Latency))
	say("audit", map[bool]string{true: "none", false: percentOf(s.Audit) + " of what others than the reference answer"}[s.Audit == 0])
	say("keep", map[bool]string{true: "requests and the reference's answers are kept on this machine", false: "nothing"}[s.Keep])
	say("grade", dash(strings.Join(s.Grade, ", ")))
	say("prompt", promptWords(s.Prompt))
	if len(s.Verifiers) == 0 {
		say("verify", "nothing: an answer is seen at once")
	}
	for _, v := range s.Verifiers {
		say("verify", v.Kind+": "+strings.Join(v.Words, "; "))
	}
}

func barWords(b serve.SheetBar) string {
	if b.Confidence == 0 {
		return "none: whoever is a candidate may answer"
	}
	text := fmt.Sprintf("%s of answers pass", percentOf(b.Pass))
	if b.Margin > 0 {
		text = fmt.Sprintf("in the mean at most %g points worse than the reference", 100*b.Margin)
	}
	text += fmt.Sprintf(", shown at a confidence of %s, for %s; who is not shown to be so ", percentOf(b.Confidence), briefly(b.Valid))
	if b.Unproven == skill.Climb {
		return text + "may not answer"
	}
	return text + "may answer what verifiers accept"
}

func orderWords(s *shown) string {
	if s.ByCost {
		return fmt.Sprintf("least expected cost, once each but the ladder's last has %d tries; until then as listed", route.Enough)
	}
	return "as listed: " + s.Order
}

func classWords(s *shown) string {
	names := slices.SortedFunc(maps.Keys(s.Classes), func(a, b starling.Class) int {
		return cmp.Or(cmp.Compare(s.Classes[b], s.Classes[a]), cmp.Compare(a, b))
	})
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = fmt.Sprintf("%s to %s", name, s.Classes[name])
	}
	return strings.Join(all, ", ")
}

func budgetWords(b serve.SheetBudget) string {
	var all []string
	for _, cap := range []struct {
		amount starling.Money
		of     string
	}{{b.Request, "a request"}, {b.Day, "a day"}, {b.Month, "a month"}} {
		if cap.amount > 0 {
			all = append(all, cap.amount.String()+" "+cap.of)
		}
	}
	return cmp.Or(strings.Join(all, ", "), "none of its own")
}

func latencyWords(d time.Duration) string {
	if d == 0 {
		return "no limit"
	}
	return fmt.Sprintf("%s to the first byte, then the next is asked; the last is waited for", briefly(d))
}

// briefly writes a time without the parts that are nothing: "10m", not "10m0s".
func briefly(d time.Duration) string {
	text := d.String()
	for _, nothing := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, nothing) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// promptWords names a prompt by its first words and its digest. It decides whose evidence
// counts, and which skill a request is of that names none.
func promptWords(prompt string) string {
	if prompt == "" {
		return "none"
	}
	first, _, _ := strings.Cut(strings.TrimSpace(prompt), "\n")
	sum := sha256.Sum256([]byte(prompt))
	return fmt.Sprintf("%q… (lines: %d, sha256: %x…; --json shows it, the gateway never adds it)", cut(first, 40), strings.Count(strings.TrimSpace(prompt), "\n")+1, sum[:6])
}

func cut(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most])
	}
	return text
}

// showRules prints the rules. Conditions stand as they are written, so that they can be
// read as they are meant.
func showRules(w io.Writer, s *shown) {
	if len(s.Rules) == 0 {
		printf(w, "rules      none: the list holds\n")
		return
	}
	printf(w, "rules      the first whose condition holds decides who is asked; if none does, the list holds\n")
	for i, r := range s.Rules {
		for j, line := range strings.Split(strings.TrimRight(r.When, "\n"), "\n") {
			fmt.Fprintf(w, "%-11s%s\n", map[bool]string{true: fmt.Sprintf("  %d when", i+1)}[j == 0], inLines(line))
		}
		wrapped(w, "    then   ", strings.Repeat(" ", 11), thenWords(s, &r))
		wrapped(w, "    why    ", strings.Repeat(" ", 11), r.Why)
	}
}

func thenWords(s *shown, r *serve.SheetRule) string {
	if r.Refuse {
		return "refused"
	}
	all := make([]string, len(r.Rungs))
	for i, n := range r.Rungs {
		all[i] = fmt.Sprintf("%d %s", n, s.Ladder[n-1].Name)
	}
	return strings.Join(all, ", ")
}

// percentOf writes a share as people say it.
func percentOf(share float64) string { return fmt.Sprintf("%.6g %%", 100*share) }

// floored writes a share with so many decimals, and never more than there is.
func floored(share float64, decimals int) string {
	scale := math.Pow10(decimals)
	return fmt.Sprintf("%.*f %%", decimals, math.Floor(100*share*scale)/scale)
}

// wrapped prints text in lines as wide as a page: the first begins as said, the others
// with the margin. It breaks at spaces alone.
func wrapped(w io.Writer, first, margin, text string) {
	line := []rune(first)
	empty := true
	for _, word := range strings.Split(plain(strings.TrimSpace(text)), " ") {
		if !empty && len(line)+1+len([]rune(word)) > width {
			fmt.Fprintln(w, strings.TrimRight(string(line), " "))
			line, empty = []rune(margin), true
		}
		if !empty {
			line = append(line, ' ')
		}
		line, empty = append(line, []rune(word)...), false
	}
	fmt.Fprintln(w, strings.TrimRight(string(line), " "))
}
