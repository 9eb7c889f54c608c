package ledger

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"starling"
)

// vectors returns the fenced blocks at the end of the specification.
func vectors(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/spec/receipt.md")
	must(t, err)
	blocks := map[string]string{}
	for _, m := range regexp.MustCompile("(?s)```([a-z]+)\n(.*?)\n```").FindAllStringSubmatch(string(text), -1) {
		blocks[m[1]] = m[2]
	}
	return blocks
}

// vectorSigner is the signer of the specification's vectors.
func vectorSigner(t *testing.T, seed []byte) *signer {
	t.Helper()
	path := filepath.Join(t.TempDir(), keyFile)
	must(t, os.WriteFile(path, encodePrivate(ed25519.NewKeyFromSeed(seed)), 0o600))
	s, err := openSigner(path)
	must(t, err)
	return s
}

func vectorReceipts() []*entry {
	at := time.Date(2026, 11, 23, 12, 0, 0, 250_000_000, time.UTC)
	small := model("openai", 100_000_000, 400_000_000)
	return []*entry{
		newEntry(&starling.Receipt{
			ID: "rcp_019ab0c1d2e37f4f8a1b2c3d4e5f6071", Time: at, Took: 900 * time.Millisecond, Added: 2 * time.Millisecond, Dialect: starling.OpenAI, Asked: "auto",
			Key: "key_ada", Team: "sales", Screen: starling.Screen{Class: "internal", Furthest: starling.Cloud, From: []string{"key internal"}},
			Plan: starling.Plan{Rule: "a < b & c", Candidates: []starling.Candidate{{Model: small, Probability: 0.93, Basis: "240 cases", Expected: 240_000, Worst: 900_000, Why: "cheapest"}}},
			Attempts: []starling.Attempt{{Model: small.ID(), Zone: starling.Cloud, Took: 898 * time.Millisecond, Outcome: starling.Answered, Finish: starling.Stopped, Usage: starling.Usage{Input: 1200, Output: 300},
				Lines: []starling.CostLine{{What: "input", Tokens: 1200, Rate: 100_000_000, Amount: 120_000}, {What: "output", Tokens: 300, Rate: 400_000_000, Amount: 120_000}}, Cost: 240_000}},
			Response: starling.Response{Model: small.ID(), Provider: "openai", Zone: starling.Cloud, Reason: "cheapest", Finish: starling.Stopped, Cost: 240_000},
			Outcome:  starling.Answered, Cost: 240_000,
		}),
		hold{ID: "rcp_019ab0c1d2e47000b0112233445566aa", At: at.Add(time.Second).UnixNano(), Team: "sales", Held: 900_000}.interrupted(),
	}
}

// TestTheSpecificationsVectorsHold recomputes every vector, with the program's
// own functions and with nothing but the formulas.
func TestTheSpecificationsVectorsHold(t *testing.T) {
	v := vectors(t)
	seed, err := hex.DecodeString(v["seed"])
	must(t, err)
	s := vectorSigner(t, seed)
	c := &chain{id: chainID(s.public), signer: s, head: genesis(s.public)}
	entries := vectorReceipts()
	b, err := seal(c, entries, time.Date(2026, 11, 23, 12, 0, 2, 0, time.UTC))
	must(t, err)

	var receipts []string
	for _, e := range entries {
		receipts = append(receipts, string(e.payload))
	}
	var envelope struct{ Payload string }
	must(t, json.Unmarshal(b.envelope, &envelope))
	statement, err := base64.StdEncoding.DecodeString(envelope.Payload)
	must(t, err)
	mac := s.mac()
	mac.Write([]byte(`{"model":"auto"}`))
	for name, want := range map[string]string{
		"chain":     c.id,
		"receipts":  strings.Join(receipts, "\n"),
		"hashes":    b.links[0].String() + "\n" + b.links[1].String(),
		"statement": string(statement),
		"envelope":  string(b.envelope),
		"mac":       hex.EncodeToString(mac.Sum(nil)),
	} {
		if v[name] != want {
			t.Errorf("the specification's %s is\n%s\nand the program makes\n%s", name, v[name], want)
		}
	}

	sealed := &Sealed{ID: entries[1].id, Payload: json.RawMessage(strings.Split(v["receipts"], "\n")[1]), Chain: v["chain"], Seq: 2,
		Prev: strings.Split(v["hashes"], "\n")[0], Hash: strings.Split(v["hashes"], "\n")[1], Public: s.public, Checkpoint: json.RawMessage(v["envelope"])}
	must(t, sealed.Check())
}

// TestTheSpecificationNamesEveryMemberOfAReceipt, of its outermost object.
func TestTheSpecificationNamesEveryMemberOfAReceipt(t *testing.T) {
	text, err := os.ReadFile("../../docs/spec/receipt.md")
	must(t, err)
	for f := range reflect.TypeFor[starling.Receipt]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("it does not say what %s is", name)
		}
	}
}
