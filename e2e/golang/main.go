// Command clients is what Go's official SDKs do with the gateway, and what its
// answers are held against: a script like those in node and python, one mode each.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

var (
	gateway, counted = os.Getenv("GATEWAY"), os.Getenv("COUNTED")
	key, poor        = os.Getenv("KEY"), os.Getenv("POOR")
	dialects         = strings.Fields(os.Getenv("DIALECTS"))
	left             = strings.Fields(os.Getenv("SKIP"))
)

const (
	question = "What do starlings eat?"
	one      = "Use the tool: what is the weather in Rome?"
	both     = "Use both tools: the weather and the time in Rome."
	stopWord = "wrote" // in the middle of what simulated models say
	png      = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
	patience = 20 * time.Second
)

var (
	city = map[string]any{"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}, "required": []string{"city"}, "additionalProperties": false}
	form = map[string]any{
		"type": "object",
		"properties": map[string]any{
			"city": map[string]any{"type": "string"}, "degrees": map[string]any{"type": "integer"},
			"kind": map[string]any{"type": "string", "enum": []string{"sun", "rain"}},
		},
		"required": []string{"city", "degrees", "kind"}, "additionalProperties": false,
	}
	names = []string{"weather", "time"}
)

func main() {
	modes := map[string]func(){
		"openai-chat": openaiChat, "openai-responses": openaiResponses, "anthropic": anthropicMessages, "gemini": gemini,
		"oracle-chat": oracleChat, "oracle-responses": oracleResponses, "oracle-messages": oracleMessages, "oracle-gemini": oracleGemini,
	}
	if len(os.Args) != 2 || modes[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "name one of the modes")
		os.Exit(2)
	}
	modes[os.Args[1]]()
}

// each checks a feature with the model behind every upstream; once, with none in
// particular.
func each(feature string, body func(ctx context.Context, model string) error) {
	for _, d := range dialects {
		check(feature, d, func(ctx context.Context) error { return body(ctx, d+"-bird") })
	}
}

func once(feature string, body func(ctx context.Context) error) { check(feature, "-", body) }

// errSkipped begins the error of a check that could not be made here.
var errSkipped = errors.New("not tried")

func check(feature, dialect string, body func(context.Context) error) {
	if slices.Contains(left, feature) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	word, err := "not ok", body(ctx)
	switch {
	case err == nil:
		fmt.Printf("ok %s %s\n", feature, dialect)
		return
	case errors.Is(err, errSkipped):
		word = "skip"
	}
	fmt.Printf("%s %s %s: %.600s\n", word, feature, dialect, strings.Join(strings.Fields(err.Error()), " "))
}

// must returns an error with what was seen unless the condition holds.
func must(condition bool, seen ...any) error {
	if condition {
		return nil
	}
	var b strings.Builder
	for _, s := range seen {
		fmt.Fprintf(&b, "%+v ", s)
	}
	return errors.New(b.String())
}

func simulated(text string) bool { return strings.Contains(text, "[simulated]") }

func toolSaid(text string) bool {
	return simulated(text) && strings.Contains(text, "The tool answered:")
}

func isReport(text string) bool {
	var r struct {
		City    *string
		Degrees *int
		Kind    string
	}
	return json.Unmarshal([]byte(text), &r) == nil && r.City != nil && r.Degrees != nil && (r.Kind == "sun" || r.Kind == "rain")
}

func hasCity(arguments string) bool {
	var a struct{ City *string }
	return json.Unmarshal([]byte(arguments), &a) == nil && a.City != nil
}

// counts are what passed the taps: questions to the gateway, and calls of
// upstreams that were cancelled.
func counts() (asked, cancelled int, err error) {
	resp, err := http.Get(os.Getenv("COUNTS"))
	if err != nil {
		return 0, 0, err
	}
	defer resp.Body.Close()
	var c struct {
		Gateway, Upstream struct{ Asked, Cancelled int }
	}
	err = json.NewDecoder(resp.Body).Decode(&c)
	return c.Gateway.Asked, c.Upstream.Cancelled, err
}

// refusal checks that body fails after one request, and with the reason.
func refusal(body func() error) error {
	before, _, err := counts()
	if err != nil {
		return err
	}
	said := body()
	after, _, err := counts()
	if err != nil {
		return err
	}
	return must(said != nil && strings.Contains(said.Error(), "budget") && after == before+1, after-before, "requests:", said)
}

// hangsUp has body leave the slow model's answer in the middle, and waits until
// the upstream knows.
func hangsUp(body func(ctx context.Context, model string) error) {
	for _, d := range dialects {
		check("abort", d, func(ctx context.Context) error {
			_, before, err := counts()
			if err != nil {
				return err
			}
			leave, cancel := context.WithCancel(ctx)
			defer cancel()
			if err := body(leave, d+"-slow"); err != nil {
				return err
			}
			cancel()
			for end := time.Now().Add(8 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
				if _, now, err := counts(); err == nil && now > before {
					return nil
				}
			}
			return errors.New("the upstream's call goes on")
		})
	}
}
