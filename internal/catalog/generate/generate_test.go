package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"starling"
	"starling/internal/catalog"
)

// file wraps model records into a file as the generator reads it.
func file(models ...string) string {
	return `{"source":"models.dev (MIT), copy of 2026-07-02","unit":"USD per million tokens","providers":{},"models":[` + strings.Join(models, ",") + `]}`
}

// rows runs the generator and returns the lines below the head.
func rows(t *testing.T, models ...string) (string, []string) {
	t.Helper()
	text, remarks, err := snapshot([]byte(file(models...)))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text, "# date: 2026-07-02\n") || !strings.Contains(text, "MIT") {
		t.Errorf("the head lacks date or licence: %s", text)
	}
	_, body, _ := strings.Cut(text, "updated\n")
	return body, remarks
}

func TestARecordBecomesALine(t *testing.T) {
	for _, c := range []struct{ name, record, want string }{
		{"with everything",
			`{"provider":"p","model":"m","name":"M","cost_usd_per_mtok":{"input":2,"output":8.5,"cache_read":0.5,"cache_write":2.5},"limit":{"context":1000,"input":900,"output":100},"modalities":{"input":["text","image"],"output":["text"]},"tool_call":true,"reasoning":true,"open_weights":false,"released":"2026-01","updated":"2026-02-03"}`,
			"p\tm\t2000000000\t8500000000\t500000000\t2500000000\t\t\t1000\t100\t\t2026-01\t2026-02-03\n"},
		{"with nothing",
			`{"provider":"p","model":"m","cost_usd_per_mtok":null,"limit":null,"modalities":null,"tool_call":null,"released":null,"updated":null}`,
			"p\tm\t\t\t\t\t\t\t\t\t\t\t\n"},
		{"free of charge is unknown",
			`{"provider":"p","model":"m","cost_usd_per_mtok":{"input":0,"output":0.0}}`,
			"p\tm\t\t\t\t\t\t\t\t\t\t\t\n"},
		{"what it cannot do",
			`{"provider":"p","model":"m","modalities":{"input":["text"]},"tool_call":false}`,
			"p\tm\t\t\t\t\t\t\t\t\tno-tools,no-images\t\t\n"},
		{"tiers in order",
			`{"provider":"p","model":"m","cost_usd_per_mtok":{"input":1,"output":2,"tiers":[{"tier":{"size":500},"input":3,"output":6},{"tier":{"type":"context","size":200},"input":2,"output":4,"cache_read":0.2}]}}`,
			"p\tm\t1000000000\t2000000000\t\t\t\t200:2000000000:4000000000:200000000::;500:3000000000:6000000000:::\t\t\t\t\t\n"},
		{"the cache's rates by their older names",
			`{"provider":"p","model":"m","cost_usd_per_mtok":{"input":1,"output":2,"cached_input":0.1,"cached_write":1.5}}`,
			"p\tm\t1000000000\t2000000000\t100000000\t1500000000\t\t\t\t\t\t\t\n"},
		{"Anthropic's hour, in every tier",
			`{"provider":"p","model":"claude-x","cost_usd_per_mtok":{"input":1,"output":2,"cache_write":1.25,"tiers":[{"tier":{"size":200},"input":2,"output":3,"cache_write":2.5}]}}`,
			"p\tclaude-x\t1000000000\t2000000000\t\t1250000000\t2000000000\t200:2000000000:3000000000::2500000000:4000000000\t\t\t1h=2x\t\t\n"},
		{"the dearer rate of reasoning",
			`{"provider":"p","model":"m","cost_usd_per_mtok":{"input":1,"output":2,"reasoning":4}}`,
			"p\tm\t1000000000\t4000000000\t\t\t\t\t\t\tmax-reasoning\t\t\n"},
		{"a float's slip, rounded to the nanodollar",
			`{"provider":"p","model":"m","cost_usd_per_mtok":{"input":0.049999999999999996,"output":1e-05}}`,
			"p\tm\t50000000\t10000\t\t\t\t\t\t\t\t\t\n"},
		{"a window from the input's limit",
			`{"provider":"p","model":"m","limit":{"input":77}}`,
			"p\tm\t\t\t\t\t\t\t77\t\t\t\t\n"},
		{"vectors, whose length is no limit",
			`{"provider":"p","model":"m-embed","cost_usd_per_mtok":{"input":0.1,"output":0},"limit":{"context":512,"output":1024}}`,
			"p\tm-embed\t100000000\t\t\t\t\t\t512\t\t\t\t\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, remarks := rows(t, c.record); got != c.want || len(remarks) > 0 {
				t.Errorf("got\n%q, want\n%q; remarks %q", got, c.want, remarks)
			}
		})
	}
}

func TestAFigureThatIsNotTakenIsRemarkedOn(t *testing.T) {
	for _, c := range []struct{ name, record, want, says string }{
		{"cache writes below input",
			`{"provider":"p","model":"m","cost_usd_per_mtok":{"input":1,"output":2,"cache_write":0.08}}`,
			"p\tm\t1000000000\t2000000000\t\t\t\t\t\t\t\t\t\n", "p/m: cache writes"},
		{"fees per request",
			`{"provider":"p","model":"m","cost_usd_per_mtok":{"input":1,"output":2,"request":5}}`,
			"p\tm\t\t\t\t\t\t\t\t\t\t\t\n", "p/m: charges by the request"},
		{"a day that no calendar has",
			`{"provider":"p","model":"m","released":"2025-25-11","updated":"2026-02-28"}`,
			"p\tm\t\t\t\t\t\t\t\t\t\t\t2026-02-28\n", `p/m: "2025-25-11" is no day`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, remarks := rows(t, c.record)
			if got != c.want || len(remarks) != 1 || !strings.Contains(remarks[0], c.says) {
				t.Errorf("got %q, remarks %q", got, remarks)
			}
		})
	}
}

func TestWhatNeitherChatsNorEmbedsIsLeftOut(t *testing.T) {
	got, _ := rows(t,
		`{"provider":"p","model":"speaks","modalities":{"input":["text"],"output":["audio"]}}`,
		`{"provider":"p","model":"listens","modalities":{"input":["audio"],"output":["text"]}}`,
		`{"provider":"p","model":"counts","cost_usd_per_mtok":{"input":0.1,"output":0}}`,
		`{"provider":"p","model":"Text-Embedding-9","cost_usd_per_mtok":null}`,
		`{"provider":"p","model":"chats"}`)
	if !strings.HasPrefix(got, "p\tText-Embedding-9\t") || !strings.Contains(got, "\np\tchats\t") || strings.Count(got, "\n") != 2 {
		t.Errorf("got %q", got)
	}
}

func TestWhatIsNotUnderstoodIsRefused(t *testing.T) {
	for _, c := range []struct{ name, text string }{
		{"no JSON", `{`},
		{"another unit", strings.Replace(file(), "million tokens", "token", 1)},
		{"no day", strings.Replace(file(), "2026-07-02", "summer", 1)},
		{"a fee of an unknown name", file(`{"provider":"p","model":"m","cost_usd_per_mtok":{"input":1,"output":2,"tips":1}}`)},
		{"a price below zero", file(`{"provider":"p","model":"m","cost_usd_per_mtok":{"input":-1,"output":2}}`)},
		{"a price beyond the range", file(`{"provider":"p","model":"m","cost_usd_per_mtok":{"input":1e30,"output":2}}`)},
		{"a price with an absurd exponent", file(`{"provider":"p","model":"m","cost_usd_per_mtok":{"input":1e999999999,"output":2}}`)},
		{"a tier by something else", file(`{"provider":"p","model":"m","cost_usd_per_mtok":{"input":1,"output":2,"tiers":[{"tier":{"type":"hour","size":2},"input":1,"output":2}]}}`)},
		{"a tier without a price", file(`{"provider":"p","model":"m","cost_usd_per_mtok":{"input":1,"output":2,"tiers":[{"tier":{"size":2},"input":1}]}}`)},
		{"reasoning beside tiers", file(`{"provider":"p","model":"m","cost_usd_per_mtok":{"input":1,"output":2,"reasoning":3,"tiers":[{"tier":{"size":2},"input":1,"output":2}]}}`)},
		{"a name with a tab", file(`{"provider":"p","model":"m\tn"}`)},
		{"no name", file(`{"provider":"p"}`)},
		{"a vendor that reads like a comment", file(`{"provider":"#p","model":"m"}`)},
		{"a limit below zero", file(`{"provider":"p","model":"m","limit":{"output":-5}}`)},
		{"a model twice", file(`{"provider":"p","model":"m"}`, `{"provider":"p","model":"m","released":"2026-01"}`)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if text, _, err := snapshot([]byte(c.text)); err == nil {
				t.Errorf("accepted: %s", text)
			}
		})
	}
}

// published is the data that the committed snapshot was made from. It is no part
// of the repository.
func published(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "shared", "data", "prices", "models.json"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("../shared/data/prices/models.json is not here")
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestTheCommittedSnapshotIsWhatTheGeneratorWrites(t *testing.T) {
	text, _, err := snapshot(published(t))
	if err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile(filepath.Join("..", "snapshot.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	if text != string(committed) {
		t.Error("internal/catalog/snapshot.tsv is not what the generator writes; run go generate ./internal/catalog")
	}
}

// TestEveryPriceIsTheDigitsOfItsRecord compares the catalog with the published
// text by another road than the generator's: through ParseMoney.
func TestEveryPriceIsTheDigitsOfItsRecord(t *testing.T) {
	var all struct {
		Models []struct {
			Provider, Model string
			Cost            struct{ Input, Output, Reasoning json.Number } `json:"cost_usd_per_mtok"`
		}
	}
	if err := json.Unmarshal(published(t), &all); err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, m := range all.Models {
		row, ok := catalog.Embedded().Find(m.Provider, m.Model)
		if !ok || !row.Price.Known() || len(m.Cost.Input) > 11 || len(m.Cost.Output) > 11 {
			continue // left out, or more digits than money has
		}
		in, err1 := starling.ParseMoney(m.Cost.Input.String())
		out, err2 := starling.ParseMoney(m.Cost.Output.String())
		if err1 != nil || err2 != nil {
			t.Errorf("%s/%s: %v, %v", m.Provider, m.Model, err1, err2)
		}
		if starling.Rate(in) != row.Price.Input || m.Cost.Reasoning == "" && starling.Rate(out) != row.Price.Output {
			t.Errorf("%s/%s is %s and %s, its record says %s and %s", m.Provider, m.Model, starling.Money(row.Price.Input), starling.Money(row.Price.Output), in, out)
		}
		compared++
	}
	if compared < 900 {
		t.Errorf("only %d prices were compared", compared)
	}
}

func FuzzSnapshot(f *testing.F) {
	f.Add(file(`{"provider":"p","model":"m","cost_usd_per_mtok":{"input":2,"output":8.5,"tiers":[{"tier":{"size":5},"input":1,"output":2}]}}`))
	f.Add(file(`{"provider":"","model":"\t","limit":{"context":-1}}`))
	f.Add(`null`)
	f.Fuzz(func(t *testing.T, text string) {
		out, _, err := snapshot([]byte(text))
		if err != nil {
			return
		}
		for line := range strings.Lines(out) {
			if !strings.HasPrefix(line, "#") && strings.Count(line, "\t") != 12 {
				t.Errorf("line %q", line)
			}
		}
	})
}
