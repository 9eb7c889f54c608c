package verify

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"starling/internal/skill"
)

func TestEquationsInProseAreFoundAndChecked(t *testing.T) {
	const none, ok = "there is no equation to check", ""
	wrong := func(n int) string { return fmt.Sprintf("equation %d does not hold", n) }
	for _, c := range []struct{ name, text, want string }{
		{"it holds", "2 + 3 = 5", ok},
		{"it does not", "2 + 3 = 6", wrong(1)},
		{"the second does not", "2 + 3 = 5, then 5 * 2 = 11.", wrong(2)},
		{"a chain", "2 + 3 = 5 = 10 / 2", ok},
		{"a chain that breaks", "2 + 3 = 5 = 12 / 2", wrong(2)},
		{"points before dashes", "2 + 3 × 4 − 6 ÷ 2 = 11", ok},
		{"from the left", "10 - 3 - 2 = 5; 100 / 10 / 2 = 5", ok},
		{"brackets", "(2 + 3) × (7 − 3) = 20", ok},
		{"all in brackets", "(so 2 + 3 = 5)", ok},
		{"it is worked out on the right", "20 = 4 × 5", ok},
		{"the result on the next line", "12 × 3\n= 36", ok},
		{"another line is another matter", "12 +\n3 = 15", none},
		{"no spaces", "3+4=7", ok},
		{"a dash as minus", "10 – 3 = 7", ok},
		{"an x multiplies", "3 x 4 = 12 and 3 x 4 = 13", wrong(2)},
		{"a centred dot multiplies", "3 · 4 = 12", ok},
		{"TeX", `\(3 \times 4 = 12\) and \(8 \div 2 = 4\)`, ok},
		{"about equal", "10 / 3 ≈ 3.33", ok},

		{"rounded to the decimals shown", "10 / 3 = 3.33", ok},
		{"rounded wrongly", "10 / 3 = 3.34", wrong(1)},
		{"half is rounded up", "5 / 2 = 3", ok},
		{"half is not rounded down", "5 / 2 = 2", wrong(1)},
		{"half is rounded away from zero", "-5 / 2 = -3", ok},
		{"more decimals of zero", "5 / 2 = 2.500", ok},
		{"two expressions are not rounded", "10 / 3 = 3.33 × 1", wrong(1)},

		{"thousands", "1,200 × 3 = 3,600", ok},
		{"millions", "1,234,567 + 1 = 1,234,568", ok},
		{"narrow spaces", "1\u202f200 + 5 = 1\u202f205", ok},
		{"groups that are none", "12,50 + 1 = 13,50", none},
		{"a decimal comma is not taken for a number", "1,5 + 2 = 3,5", none},
		{"a version is no number", "1.2.3 + 1 = 4", none},
		{"ordinary spaces leave doubt", "1 200 + 300 = 1 500", none},
		{"money", "$12.50 × 3 = $37.50 and 2 € + 3 € = 5 €", ok},
		{"money that is wrong", "$12.50 × 3 = $36.50", wrong(1)},

		{"percent", "20% × 50 = 10", ok},
		{"percent as a result", "5 / 20 = 25%", ok},
		{"percent, rounded", "1 / 3 = 33.3 %", ok},
		{"percent in words, in hundredths", "720 / 4800 = 15 percent", ok},
		{"percent in words, as it is", "100 - 46 - 34 = 20 percent", ok},
		{"percent in words that is wrong", "100 - 46 - 34 = 10 percent", wrong(1)},
		{"percent that is wrong", "5 / 20 = 0.25%", wrong(1)},
		{"a modulo is no percent", "7 % 4 = 3", none},

		{"a sign", "3 - 5 = -2", ok},
		{"a sign before money", "3 - 5 = -$2", ok},
		{"a sign at the start", "-3 + 5 = 2", ok},
		{"a sign in the middle", "3 * -5 = -15", ok},
		{"a sign after a word", "that is -3 + 5 = 2", ok},
		{"a bullet", "- 3 + 4 = 7\n* 3 + 4 = 7\n+ 3 + 4 = 7", ok},
		{"a numbered list", "1. 3 + 4 = 7\n2) 3 + 4 = 7", ok},
		{"bold", "**3 + 4 = 7** and **3 + 4** = 7", ok},
		{"italic", "*3 + 4 = 7*.", ok},
		{"code", "`3 + 4 = 8`", wrong(1)},
		{"a dash after it", "3 + 4 = 7 - so it is seven", ok},
		{"a full stop after it", "3 + 4 = 7.", ok},
		{"a unit after it", "3 + 4 = 7 km", ok},
		{"a step before it", "Step 2: 3 + 4 = 7", ok},

		{"an unknown on the left", "x + 3 = 7", none},
		{"an unknown that touches", "2x + 3 = 7", none},
		{"an unknown on the right", "3 + 4 = 10 - x", none},
		{"a minus after an unknown", "x -3 = 4", none},
		{"a name", "Revenue - 200 - 100 = 500", none},
		{"a function", "f(3) + 2 = 11", none},
		{"a product without a sign", "2(3 + 4) = 14", none},
		{"units between", "3 km + 4 km = 8 km", none},
		{"a scale", "2 × 500,000 = 1 million", none},
		{"another comparison", "3 + 4 >= 7, 3 + 4 == 7, 3 + 4 => 7, 3 + 4 != 8", none},
		{"nothing to work out", "total = 7, 7 = 7", none},
		{"an assignment", "a = 3 + 4", none},
		{"division by zero", "1 / 0 = 0", wrong(1)},
		{"no expression", "3 + / 4 = 7", wrong(1)},
		{"brackets that do not close", "((3 + 4 = 7", ok},
		{"brackets that do not open", "3 + 4) = 7", none},
		{"half a text", "3 + 4 =", none},
		{"no text to speak of", "seven", none},
	} {
		got := whyNot(t, skill.VerifySpec{Kind: "arithmetic", Equations: true}, "{}", c.text)
		if got != c.want {
			t.Errorf("%s: %q: %q, want %q", c.name, c.text, got, c.want)
		}
	}
}

func TestAnEndlessEquationDoesNotHold(t *testing.T) {
	for _, text := range []string{
		"1" + strings.Repeat(" + 1", 100_000) + " = 100001",
		strings.Repeat("(", 150) + "1" + strings.Repeat(")", 150) + " + 1 = 2",
		"9" + strings.Repeat("*99999999999999999999999999999999999999", 10_000) + " = 1",
	} {
		if got := whyNot(t, skill.VerifySpec{Kind: "arithmetic", Equations: true}, "{}", text); got != "equation 1 does not hold" {
			t.Errorf("%.20s…: %q", text, got)
		}
	}
}

// A drawn expression is written in one way or another, and worked out beside the
// verifier's own code.
func TestWhatIsWorkedOutRightlyIsAcceptedAndNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := rapid.Int64Range(0, 1e6).Draw(t, "a"), rapid.Int64Range(0, 1e6).Draw(t, "b"), rapid.Int64Range(1, 1e4).Draw(t, "c")
		times := rapid.SampledFrom([]string{" * ", " × ", "*", " x ", " · "}).Draw(t, "times")
		plus := rapid.SampledFrom([]string{" + ", "+"}).Draw(t, "plus")
		decimals := rapid.IntRange(0, 6).Draw(t, "decimals")
		off := rapid.Int64Range(-2, 2).Draw(t, "off")

		result := new(big.Rat).Add(big.NewRat(a, 1), new(big.Rat).Mul(big.NewRat(b, 1), big.NewRat(c, 7)))
		shown := result.FloatString(decimals) // rounds half away from zero
		n, _ := new(big.Rat).SetString(shown)
		n.Add(n, new(big.Rat).Mul(big.NewRat(off, 1), new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil))))
		text := fmt.Sprintf("We get %d%s%d%s%d / 7 = %s.", a, plus, b, times, c, n.FloatString(decimals))

		if why := calculate(t.Context(), text); (why == "") != (off == 0) {
			t.Fatalf("%s: %q", text, why)
		}
	})
}

// FuzzEquations: no text makes the scanner or the calculation panic, and they
// come to the same end twice.
func FuzzEquations(f *testing.F) {
	for _, seed := range []string{
		"2 + 3 × (4 − 1) = 11", "1,200 % = -.5", "\\times x *a* **b** = =", "= 5\n= 3 + 2", "((1)) / 0 = 1 ≈ 2", "1\u202f000 – 5% =\n€3",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first := calculate(t.Context(), text)
		if again := calculate(t.Context(), text); again != first {
			t.Fatalf("%q, then %q", first, again)
		}
		if n, ok := lastNumber(text); ok != (n != nil) {
			t.Fatal("a number that is none")
		}
	})
}

// FuzzJSON: no answer makes the reader of JSON panic.
func FuzzJSON(f *testing.F) {
	f.Add("{\"a\": [1, 2.5e3, null]}", "lines.#.amount")
	f.Add("```json\n{}\n```", "a")
	f.Add(invoice, "lines.#(amount>5)#.amount|@reverse")
	f.Fuzz(func(t *testing.T, answer, path string) {
		value, raw, why := document{fence: true}.read(answer)
		if why != "" {
			return
		}
		if !covers(value, value) {
			t.Fatal("a value differs from itself")
		}
		add(raw, skill.Sum{Total: "total", Parts: []string{"lines.#.amount", "net"}})
	})
}
