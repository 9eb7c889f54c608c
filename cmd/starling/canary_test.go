package main

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// What must never be found where it does not belong. Each is one word, so that no
// encoding of text breaks it up.
const (
	envKey     = "skcanaryenv4f1d9c"  // of a provider, from the environment
	fileKey    = "skcanaryfile77ab02" // of a provider, from a file
	inQuestion = "promptcanary5e81c3" // in every part of a question that is content
	inAnswer   = "answercanary90d6be" // in every answer
	inSum      = "731905733"          // in an answer that is a sum
)

// A loose upstream says everything that it should keep to itself: it echoes the
// question in each kind of refusal, and the key there, in answers, and in what
// breaks them off.
func loose(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // a short one is as good
	echo := fmt.Sprintf("%s %s %s %s", inAnswer, strings.ReplaceAll(string(body), `"`, `'`), r.Header.Get("Authorization"), r.Header.Get("X-Api-Key"))
	w.Header().Set("X-Echo", inAnswer)
	model, stream := gjson.GetBytes(body, "model").String(), gjson.GetBytes(body, "stream").Bool()
	switch model {
	case "refusing":
		http.Error(w, fmt.Sprintf(`{"type":"error","error":{"message":%q,"type":"invalid_request_error","code":%q}}`, echo, inAnswer), http.StatusBadRequest)
	case "failing":
		http.Error(w, echo, http.StatusInternalServerError)
	case "locked":
		http.Error(w, fmt.Sprintf(`{"error":{"message":"Incorrect API key provided: %s"}}`, r.Header.Get("Authorization")), http.StatusUnauthorized)
	case "busy":
		w.Header().Set("Retry-After", "3600")
		http.Error(w, fmt.Sprintf(`{"error":{"message":%q}}`, echo), http.StatusTooManyRequests)
	case "moved":
		http.Redirect(w, r, "http://127.0.0.1:1/"+inAnswer+"?key="+envKey, http.StatusTemporaryRedirect)
	case "babbling":
		fmt.Fprintf(w, "<html>%s", echo)
	case "cut":
		sayStream(w, inAnswer, "")
	case "erring":
		sayStream(w, inAnswer, fmt.Sprintf("data: {\"error\":{\"message\":%q}}\n\n", echo))
	case "raving":
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":%q}}\n\n", echo)
	case "denying":
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"error":{"message":%q}}`, echo)
	case "parrot":
		say(w, inAnswer+" "+r.Header.Get("Authorization"), stream)
	default:
		say(w, cmp.Or(answers[model], inAnswer), stream)
	}
}

// answers are made to be rejected by the verifiers of the shipped packs, who then
// have to say why.
var answers = map[string]string{
	"words": inAnswer + " Hello, " + inAnswer + "!",
	"json":  `{"vendor":"` + inAnswer + `","` + inAnswer + `":1,"currency":"` + inAnswer + `","subtotal":` + inSum + `,"tax":1,"total":3,"items":[{"` + inAnswer + `":"` + inAnswer + `"}]}`,
	"sums":  inAnswer + " " + inSum + " + 1 = " + inSum + "5. The answer is " + inSum + "7.",
}

func say(w http.ResponseWriter, text string, stream bool) {
	if stream {
		sayStream(w, text, "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":5,\"total_tokens\":10}}\n\ndata: [DONE]\n\n")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":%q},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":5,"total_tokens":10}}`, text)
}

func sayStream(w http.ResponseWriter, text, end string) {
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprintf(w, "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":%q}}]}\n\n%s", text, end)
}

// A cage is a gateway with canaries all around it.
type cage struct {
	*reader
	url, key  string
	found     map[string]string // where → what is there
	responses strings.Builder
}

// TestNoKeyAndNoContentIsFoundAnywhere asks in all ways that end well or badly,
// and then looks at every byte that the gateway and its commands wrote.
func TestNoKeyAndNoContentIsFoundAnywhere(t *testing.T) {
	c := newCage(t)
	p, found, err := launch(c.starling([]string{"serve", "--listen", "127.0.0.1:0"}), `on (http://127\.0\.0\.1:\d+)\n`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.kill() }() // stopped below if all went well
	c.url = found[0][1]
	receipts := c.askAll()
	for _, path := range []string{"/metrics", "/healthz", "/v1/models"} {
		c.found[path], _ = c.get(path)
	}
	for _, id := range receipts {
		c.found["/v1/receipts/"+id], _ = c.get("/v1/receipts/" + id)
		c.found["explain "+id] = c.inProcess("explain", id)
		c.found["explain --json "+id] = c.inProcess("explain", "--json", id)
	}
	for _, args := range []string{"ledger list", "ledger list --json --limit 1000", "ledger report", "ledger report --by key --json", "ledger verify", "ledger verify --json", "key list --json", "models --json", "check"} {
		c.found[args] = c.run(strings.Fields(args))
	}
	c.gather("serving")
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	c.found["log"] = p.said.String()
	c.gather("stopped")
	c.search(len(receipts))
}

func newCage(t *testing.T) *cage {
	upstream := httptest.NewServer(http.HandlerFunc(loose))
	t.Cleanup(upstream.Close)
	r := &reader{T: t, dir: t.TempDir()}
	config := filepath.Join(r.dir, "starling.yaml")
	r.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + r.dir, "TMPDIR=" + filepath.Join(r.dir, "books"), "PROVIDER_KEY=" + envKey,
		"STARLING_CONFIG=" + config, "STARLING_DATA=" + filepath.Join(r.dir, "books"),
	}
	key := filepath.Join(r.dir, "file.key")
	for file, content := range map[string]string{key: fileKey + "\n", config: cageConfig(upstream.URL, key)} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := &cage{reader: r, found: map[string]string{}}
	c.key = strings.TrimSpace(c.run([]string{"key", "create", "--team", "support"}))
	return c
}

func cageConfig(url, keyFile string) string {
	return fmt.Sprintf(`
providers:
  env: {dialect: openai, url: %[1]q, zone: machine, key_env: PROVIDER_KEY, models: [words, json, sums, refusing, failing, locked, busy, moved, babbling, cut, erring, denying, parrot]}
  file: {dialect: anthropic, url: %[1]q, zone: machine, key_file: %[2]q, models: [strange, raving]}
models: {small: env/words, open: env/json, premium: env/sums}
`, url+"/v1", keyFile)
}

// questions are content in every place that a question has, well said and badly.
// %s is the model.
var questions = []struct{ path, body string }{
	{"/v1/chat/completions", `{"model":"%s","max_tokens":9,"user":"@","messages":[{"role":"system","content":"@"},{"role":"user","name":"@","content":[{"type":"text","text":"@"},{"type":"image_url","image_url":{"url":"data:image/png;base64,@"}}]}],"stop":["@"],"metadata":{"@":"@"}}`},
	{"/v1/chat/completions", `{"model":"%s","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"@"},{"role":"assistant","content":null,"tool_calls":[{"id":"@","type":"function","function":{"name":"t","arguments":"{\"@\":\"@\"}"}}]},{"role":"tool","tool_call_id":"@","content":"@"}],"tools":[{"type":"function","function":{"name":"t","description":"@","parameters":{"type":"object","properties":{"@":{"type":"string"}}}}}]}`},
	{"/v1/messages", `{"model":"%s","max_tokens":9,"system":"@","metadata":{"user_id":"@"},"messages":[{"role":"user","content":[{"type":"text","text":"@","cache_control":{"type":"ephemeral"}}]}],"stop_sequences":["@"]}`},
	{"/v1/messages", `{"model":"%s","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"@"}]}`},
	{"/v1/chat/completions", `{"model":"%s","messages":[{"role":"@","content":"@"}]}`},
	{"/v1/chat/completions", `{"model":"%s","temperature":"@","messages":[{"role":"user","content":[{"type":"@","@":"@"}]}]}`},
	{"/v1/messages", `{"model":"%s","max_tokens":"@","messages":"@"}`},
	{"/v1/chat/completions", `{"model":"%s","messages":[{"role":"user","content":"@` + "\n" + `@`},
	{"/v1/messages", `@ %s`},
}

var models = []string{
	"words", "refusing", "failing", "locked", "busy", "moved", "babbling", "cut", "erring", "denying", "parrot", "strange", "raving",
	"starling/support-intent", "starling/invoice-fields", "starling/kb-answer", "starling/research-arithmetic", "starling/marketing-draft", "starling/email-reply",
}

// askAll asks every question of every model and returns the receipts.
func (c *cage) askAll() []string {
	var receipts []string
	for _, model := range models {
		for _, q := range questions {
			i := inquiry{url: c.url + q.path, body: strings.ReplaceAll(fmt.Sprintf(q.body, model), "@", inQuestion), header: [][2]string{{"X-Api-Key", c.key}}}
			said, receipt, err := i.ask()
			if err != nil {
				said += err.Error() // broken off, as asked
			}
			if receipt == "" {
				c.Fatalf("no receipt: %s %s: %s", model, q.body, said)
			}
			receipts = append(receipts, receipt)
			head, _, _ := strings.Cut(said, "\n\n")
			c.found["headers of "+receipt] = head
			c.responses.WriteString(said)
		}
	}
	return receipts
}

// inProcess is run without a process for each of hundreds of receipts.
func (c *cage) inProcess(args ...string) string {
	var out bytes.Buffer
	args = append([]string{"--config", filepath.Join(c.dir, "starling.yaml"), "--data", filepath.Join(c.dir, "books")}, args...)
	if code := run(c.Context(), args, &out, &out); code != 0 {
		c.Errorf("%v: %d %s", args, code, out.String())
	}
	return out.String()
}

func (c *cage) get(path string) (said, receipt string) {
	said, receipt, err := inquiry{url: c.url + path, header: [][2]string{{"X-Api-Key", c.key}}}.ask()
	if err != nil || !regexp.MustCompile(`^200\b`).MatchString(said) {
		c.Errorf("%s: %v %s", path, err, said)
	}
	return said, receipt
}

// gather reads all files of the data folder.
func (c *cage) gather(when string) {
	err := filepath.WalkDir(filepath.Join(c.dir, "books"), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a serving gateway's journal comes and goes
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		c.found[when+" "+path] = string(data)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		c.Error(err)
	}
}

// search looks for every canary in everything. In the answers themselves content
// is at home, and only keys are not.
func (c *cage) search(receipts int) {
	if len(c.found) < 3*receipts {
		c.Errorf("only %d things to look at", len(c.found))
	}
	for _, canary := range []string{envKey, fileKey, c.key, inQuestion, inAnswer, inSum} {
		for where, text := range c.found {
			if at := indexOf(text, canary); at >= 0 {
				c.Errorf("%q is in %s: …%s…", canary, where, text[max(0, at-200):min(len(text), at+100)])
			}
		}
	}
	for _, canary := range []string{envKey, fileKey, c.key} {
		if at := indexOf(c.responses.String(), canary); at >= 0 {
			c.Errorf("%q was sent to a caller: …%s…", canary, c.responses.String()[max(0, at-200):at])
		}
	}
	if !strings.Contains(c.responses.String(), inAnswer) {
		c.Error("no answer came through at all")
	}
}

// indexOf finds a canary as it is, in hex and in base64.
func indexOf(text, canary string) int {
	for _, form := range []string{canary, hex.EncodeToString([]byte(canary)), base64.RawStdEncoding.EncodeToString([]byte(canary[:len(canary)/3*3]))} {
		if at := strings.Index(text, form); at >= 0 {
			return at
		}
	}
	return -1
}
