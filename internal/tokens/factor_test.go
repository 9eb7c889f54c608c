package tokens

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"starling"
	"starling/internal/sim"
)

// local is a model near by, of which nobody knows the tokenizer or the window.
var local = starling.Model{Provider: "here", Name: "local", Zone: starling.Machine}

// after settles a call of a model in which so many tokens of ours were read as so many.
func after(f *Factors, m starling.Model, ours, theirs int64) (short string) {
	u := starling.Usage{Input: theirs}
	short = f.Short(&starling.Request{Body: make([]byte, ours*4)}, m, ours, u)
	f.Fold(&starling.Receipt{Attempts: []starling.Attempt{{Model: m.ID(), Counted: ours, Usage: u, Short: short}}})
	return short
}

func TestAFactorIsLearnedFromWhatModelsReturn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.Float64Range(0.65, 3).Draw(t, "factor")
		noise := rapid.Float64Range(0, 0.04).Draw(t, "noise")
		f, calls := NewFactors(), rapid.IntRange(enough, 200).Draw(t, "calls")
		for range calls {
			ours := rapid.Int64Range(1000, 100_000).Draw(t, "ours")
			off := 1 + noise*rapid.Float64Range(-1, 1).Draw(t, "off")
			after(f, local, ours, int64(want*off*float64(ours)))
		}
		k := f.known(local.ID())
		if k.seen == 0 || math.Abs(k.factor/want-1) > noise+0.01 || k.least > k.factor {
			t.Fatalf("learned %+v, want %.3f", k, want)
		}
	})
}

func TestWhatTeachesNothing(t *testing.T) {
	for name, a := range map[string]starling.Attempt{
		"what was not counted":     {Usage: starling.Usage{Input: 500}},
		"what is short":            {Counted: 100, Usage: starling.Usage{Input: 500}},
		"what nobody reported":     {Counted: 1000, Usage: starling.Usage{Output: 5}},
		"our own estimate":         {Counted: 1000, Usage: starling.Usage{Input: 500, Estimated: true}},
		"what no tokenizer has":    {Counted: 1000, Usage: starling.Usage{Input: 9000}},
		"what was read by a third": {Counted: 1000, Usage: starling.Usage{Input: 299}},
		"what was read in part":    {Counted: 1000, Usage: starling.Usage{Input: 500}, Short: "read 500 of 1000 tokens"},
	} {
		f := NewFactors()
		for range 20 {
			a.Model = local.ID()
			f.Fold(&starling.Receipt{Attempts: []starling.Attempt{a}})
		}
		if k := f.known(local.ID()); k != unknown {
			t.Errorf("%s: %+v", name, k)
		}
	}
	(*Factors)(nil).Fold(&starling.Receipt{Attempts: []starling.Attempt{{Counted: 1000}}})
}

// taught is a model of which twenty readings say that its factor is 1.2.
func taught() *Factors {
	f := NewFactors()
	for i := range int64(20) {
		after(f, local, 1000+100*i, (1000+100*i)*12/10)
	}
	return f
}

func TestWhoReadsLessThanWasSentIsFlagged(t *testing.T) {
	for _, c := range []struct {
		name   string
		f      *Factors
		m      starling.Model
		ours   int64
		theirs int64
		want   string
	}{
		{"by the vendor's own tokenizer 5 % are enough", nil, gpt4o, 10_000, 9499, "read 9499 of 10000 tokens"},
		{"less is not", nil, gpt4o, 10_000, 9501, ""},
		{"more is never too little", nil, gpt4o, 10_000, 30_000, ""},
		{"an unknown tokenizer may have fewer", nil, local, 10_000, 6001, ""},
		{"though not as few as that", nil, local, 10_000, 5999, "read 5999 of about 10000 tokens"},
		{"a known one varies little", taught(), local, 10_000, 11_000, "read 11000 of about 12000 tokens"},
		{"and may vary by 5 %", taught(), local, 10_000, 11_500, ""},
		{"a window is noticed at the first prompt over it", taught(), local, 9310 * 10 / 12, 4096, "read 4096 of about 9309 tokens"},
		{"a text of another kind is none, where longer ones were read", taught(), local, 1500, 1400, ""},
		{"unless it is far too little", taught(), local, 1500, 900, "read 900 of about 1800 tokens"},
		{"in a short prompt the frames weigh too much", nil, gpt4o, 255, 100, ""},
		{"who reports nothing shows nothing", nil, gpt4o, 10_000, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &starling.Request{Body: make([]byte, c.ours*4)}
			if got := c.f.Short(r, c.m, c.ours, starling.Usage{CacheRead: c.theirs}); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	managed := &starling.Request{Body: []byte(`{"model":"m","context_management":{"edits":[]},"messages":[]}`)}
	if got := NewFactors().Short(managed, local, 10_000, starling.Usage{Input: 100}); got != "" {
		t.Errorf("who was asked to leave something out is said to have %s", got)
	}
	if got := NewFactors().Short(&starling.Request{}, local, 10_000, starling.Usage{Input: 100, Estimated: true}); got != "" {
		t.Errorf("by our own estimate it has %s", got)
	}
}

func TestASuddenDropIsNotLearned(t *testing.T) {
	f := taught()
	for i := range int64(200) {
		if after(f, local, 4000+50*i, 4096) == "" {
			t.Fatalf("call %d is not flagged: %+v", i, f.known(local.ID()))
		}
	}
	if k := f.known(local.ID()); math.Abs(k.factor-1.2) > 0.01 {
		t.Errorf("learned %+v of what was cut", k)
	}
}

func TestATokenizerThatWasReplacedIsLearnedAnew(t *testing.T) {
	f, flagged := taught(), 0
	for i := range int64(100) {
		ours := 3000 + 400*(i%20)
		if after(f, local, ours, ours*95/100) != "" {
			flagged++
		}
	}
	if k := f.known(local.ID()); math.Abs(k.factor-0.95) > 0.02 || flagged > 3*enough {
		t.Errorf("learned %+v after %d flags", k, flagged)
	}
}

// kinds are texts as they come: prose in several languages, code, tables.
func kinds(t testing.TB) [][]string {
	var golden []struct{ Text string }
	if err := json.Unmarshal(must(os.ReadFile("testdata/counts.json")), &golden); err != nil {
		t.Fatal(err)
	}
	var foreign []string
	for _, g := range golden[11:15] { // in Latin, Cyrillic and Chinese script
		foreign = append(foreign, g.Text)
	}
	files := func(pattern string) (all []string) {
		for _, path := range must(filepath.Glob(pattern)) {
			text := string(must(os.ReadFile(path)))
			for len(text) > 400 {
				all, text = append(all, text[:400]), text[400:]
			}
		}
		return all
	}
	return [][]string{files("../../docs/*.md"), files("../../docs/spec/*.md"), files("../route/*.go"), files("../../skills/*/cases.jsonl"), foreign}
}

// TestVariedTrafficIsHardlyEverFlagged has models with tokenizers of their own, one
// simulated and one real, read all that they are sent; and then no more than a window.
func TestVariedTrafficIsHardlyEverFlagged(t *testing.T) {
	all := kinds(t)
	for name, theirs := range map[string]func(string) int64{
		"four characters a token":    sim.Tokens,
		"an older vocabulary's rate": func(s string) int64 { return cl100k.count([][]byte{must(json.Marshal(s))}, nil) * 6 / 5 },
	} {
		t.Run(name, func(t *testing.T) {
			draw := rand.New(rand.NewPCG(1, 2))
			text := func(tokens int) string {
				var b strings.Builder
				kind := all[min(draw.IntN(12), 11)%len(all)]
				if name == "four characters a token" { // of Chinese nobody has four characters a token
					kind = all[draw.IntN(len(all)-1)]
				}
				for b.Len() < tokens*4 {
					b.WriteString(kind[draw.IntN(len(kind))])
				}
				return b.String()
			}
			f, flagged, calls := NewFactors(), 0, 1000
			for range calls {
				s := text(300 + draw.IntN(1000))
				if short := after(f, local, Ours(asking(s), local, nil), theirs(s)+7); short != "" {
					flagged++
				}
			}
			if flagged*100 >= calls {
				t.Errorf("%d of %d are flagged, though all was read", flagged, calls)
			}
			k := f.known(local.ID())
			t.Logf("%d of %d flagged; factor %.3f, at least %.3f", flagged, calls, k.factor, k.least)
			for range 20 {
				s := text(9000)
				if short := f.Short(asking(s), local, Ours(asking(s), local, nil), starling.Usage{Input: 4096}); short == "" {
					t.Errorf("of %d tokens 4096 were read, and nothing says so (%+v)", theirs(s), k)
				}
			}
		})
	}
}

// TestWhoHasReadMoreIsRarelyCountedBeside: a window that held a longer prompt holds
// this one.
func TestWhoHasReadMoreIsRarelyCountedBeside(t *testing.T) {
	m := starling.Model{Provider: "near", Name: "m", Zone: starling.Machine}
	sized := func(bytes int) *starling.Request {
		return &starling.Request{Dialect: starling.OpenAI, Body: make([]byte, bytes)}
	}
	read := func(n int64) starling.Usage { return starling.Usage{Input: n} }
	f := NewFactors()
	if got := f.Due(sized(8000), m); got != 1 {
		t.Errorf("of a model that nobody knows the share %v is counted, want all", got)
	}
	for range enough {
		f.learn(m.ID(), reading{2000, 2000}, false)
	}
	if got := f.Due(sized(4000), m); got != 1 {
		t.Errorf("before anybody knows how dense texts are the share %v is counted, want all", got)
	}
	f.Whole(sized(8000), m, read(2000))
	for _, c := range []struct {
		name  string
		bytes int
		all   bool
		read  int64
		odd   bool
	}{
		{name: "a shorter one", bytes: 4000, read: 1000},
		{name: "one as long", bytes: 8000, read: 2000},
		{name: "a longer one", bytes: 9000, all: true, read: 2250},
		{name: "a denser one that reads more than was ever read", bytes: 7900, read: 2500, odd: true},
		{name: "one of which next to nothing is read", bytes: 8000, read: 500, odd: true},
	} {
		r := sized(c.bytes)
		if got := f.Due(r, m); (got == 1) != c.all || got == 0 {
			t.Errorf("%s: the share %v is counted beside", c.name, got)
		}
		if got := f.Odd(r, m, read(c.read)); got != c.odd {
			t.Errorf("%s: counted afterwards %v", c.name, got)
		}
	}
}
