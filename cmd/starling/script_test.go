package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite"

	"starling/internal/sim"
	"starling/skills"
)

// TestMain makes the test binary a starling too, so that scripts and tests can
// start one as a process of its own. Neither finds the servers of the person who tests.
func TestMain(m *testing.M) {
	nobodyBeside()
	testscript.Main(m, map[string]func(){"starling": main})
}

// TestScripts tells what a user sees, one script in testdata for each part of it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Files:              scripts(t),
		RequireUniqueNames: true,
		Setup:              stage,
		Condition:          condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"absent": absent, "ask": ask, "converse": converse, "end": end, "eventually": eventually, "exits": exits, "expand": expand, "libraries": libraries,
			"logged": logged, "ollama": ollama, "outside": outside, "weights": weights, "packs": packs, "remember": remember, "send": send, "shop": shop, "start": start, "tamper": tamper,
		},
	})
}

// scripts are those in testdata; where tests are to be short, as for the race detector,
// those in which something serves: the others are one goroutine's doing.
func scripts(t *testing.T) (files []string) {
	all, err := filepath.Glob(filepath.Join("testdata", "*.txtar"))
	if err != nil || len(all) == 0 {
		t.Fatal("there are no scripts", err)
	}
	for _, file := range all {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !testing.Short() || bytes.Contains(text, []byte("\nstart ")) {
			files = append(files, file)
		}
	}
	return files
}

// learns skips a test where tests are to be short, as the race detector makes learning
// twenty times slower: packages student and distill are looked at by it themselves, and
// so are students that are swapped while they answer.
func learns(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it learns, which takes minutes under the race detector")
	}
}

// running holds a script's processes by the names of their commands.
type running map[string]*process

// stage gives a script folders of its own and ends what it leaves running. No
// key of the person who tests is in its environment.
func stage(env *testscript.Env) error {
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, ".config"))
	env.Setenv("XDG_DATA_HOME", filepath.Join(env.WorkDir, ".data"))
	env.Setenv("ENGINE", os.Getenv(realEngine))
	env.Setenv("STORIES", stories(""))
	env.Setenv("STORIES_Q8", stories("-Q8_0"))
	all := running{}
	env.Values["running"] = all
	env.Defer(func() {
		for _, p := range all {
			_ = p.kill() // ended already if the script was good
		}
	})
	return nil
}

func processes(ts *testscript.TestScript) running { return ts.Value("running").(running) }

// environ is the script's environment as a process gets it.
func environ(ts *testscript.TestScript, names ...string) []string {
	env := []string{"TMPDIR=" + ts.Getenv("TMPDIR")}
	for _, name := range append(names, "PATH", "HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "STARLING_CONFIG", "STARLING_DATA", "PROVIDER_KEY", "OLLAMA_HOST") {
		env = append(env, name+"="+ts.Getenv(name))
	}
	return env
}

// start [flags] serve|simulate [flags]: starts it on free ports and waits until
// it listens. A gateway is then at $GATEWAY (host and port: $GATEWAY_HOST), and
// simulated upstreams are at $UPSTREAM ($UPSTREAM_HOST), $UPSTREAM2, ….
func start(ts *testscript.TestScript, neg bool, args []string) {
	name := "serve"
	if slices.Contains(args, "simulate") {
		name = "simulate"
	}
	if neg || !slices.Contains(args, name) {
		ts.Fatalf("usage: start [flags] serve|simulate [flags]")
	}
	path, err := exec.LookPath("starling")
	ts.Check(err)
	cmd := exec.Command(path, append(args, "--listen", "127.0.0.1:0")...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), environ(ts)
	p, found, err := launch(cmd, map[string]string{"serve": `on (http://127\.0\.0\.1:\d+)\n`, "simulate": `(?m)^  (http://127\.0\.0\.1:\d+) .* %$`}[name])
	ts.Check(err)
	processes(ts)[name] = p
	if name == "serve" {
		ts.Setenv("GATEWAY", found[0][1])
		ts.Setenv("GATEWAY_HOST", strings.TrimPrefix(found[0][1], "http://"))
		return
	}
	for i, f := range found {
		ts.Setenv("UPSTREAM"+map[bool]string{false: strconv.Itoa(i + 1)}[i == 0], f[1])
	}
	ts.Setenv("UPSTREAM_HOST", strings.TrimPrefix(found[0][1], "http://"))
}

func started(ts *testscript.TestScript, name string) *process {
	p, ok := processes(ts)[name]
	if !ok {
		ts.Fatalf("%s was not started", name)
	}
	return p
}

// end NAME ends a started command as a service manager does; it must end well.
// What it said is then in NAME.log.
func end(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: end serve|simulate")
	}
	p := started(ts, args[0])
	ts.Check(p.stop())
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".log"), []byte(p.said.String()), 0o600))
	delete(processes(ts), args[0])
}

// send HUP|KILL NAME sends a signal.
func send(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: send HUP|KILL serve|simulate")
	}
	p := started(ts, args[1])
	if args[0] == "KILL" {
		ts.Check(p.kill())
		return
	}
	ts.Check(p.cmd.Process.Signal(syscall.SIGHUP))
}

// logged NAME REGEXP waits until a started command has said something.
func logged(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] logged serve|simulate REGEXP")
	}
	p := started(ts, args[0])
	if neg {
		if regexp.MustCompile(args[1]).MatchString(p.said.String()) {
			ts.Fatalf("%s said %q:\n%s", args[0], args[1], p.said.String())
		}
		return
	}
	_, err := p.await(args[1])
	ts.Check(err)
}

// exits CODE COMMAND… runs a command that must end with that code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		failed, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = failed.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s ended with %d, not %d", strings.Join(args[1:], " "), got, want)
	}
}

// eventually COMMAND… runs a command until it succeeds: a receipt is with other
// processes a moment after the answer.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: eventually COMMAND…")
	}
	if !poll(func() bool { return ts.Exec(args[0], args[1:]...) == nil }) {
		ts.Fatalf("%v never succeeded", args)
	}
}

// expand FILE… replaces $NAME and ${NAME} in files.
func expand(ts *testscript.TestScript, neg bool, args []string) {
	for _, file := range args {
		text := os.Expand(ts.ReadFile(file), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o600))
	}
}

// remember NAME FILE|stdout|stderr REGEXP sets $NAME to what the group matches.
func remember(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: remember NAME FILE|stdout|stderr REGEXP")
	}
	m := regexp.MustCompile("(?m)" + args[2]).FindStringSubmatch(ts.ReadFile(args[1]))
	if m == nil {
		ts.Fatalf("nothing in %s matches %q", args[1], args[2])
	}
	ts.Setenv(args[0], m[1])
}

// absent TEXT FILE|FOLDER… finds no file that holds the text, in any byte of it.
func absent(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || args[0] == "" {
		ts.Fatalf("usage: absent TEXT FILE|FOLDER…")
	}
	for _, root := range args[1:] {
		looked := 0
		ts.Check(filepath.WalkDir(ts.MkAbs(root), func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // a serving gateway's journal comes and goes
			}
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if bytes.Contains(data, []byte(args[0])) {
				ts.Fatalf("%s holds %q", path, args[0])
			}
			looked++
			return err
		}))
		if looked == 0 {
			ts.Fatalf("there is no file in %s", root)
		}
	}
}

// ask [-until REGEXP] PATH [FILE] ['Name: value'…] asks the gateway, POST with a
// file and GET without, and prints status, telling headers and body. With -until
// it asks until the output matches. The receipt's id is then in $RECEIPT.
func ask(ts *testscript.TestScript, neg bool, args []string) {
	until := regexp.MustCompile("")
	if len(args) > 2 && args[0] == "-until" {
		until, args = regexp.MustCompile(args[1]), args[2:]
	}
	if neg || len(args) == 0 {
		ts.Fatalf("usage: ask [-until REGEXP] PATH [FILE] ['Name: value'…]")
	}
	q := inquiry{url: ts.Getenv("GATEWAY") + args[0]}
	for _, arg := range args[1:] {
		if name, value, ok := strings.Cut(arg, ": "); ok {
			q.header = append(q.header, [2]string{name, value})
		} else {
			q.body = ts.ReadFile(arg)
		}
	}
	var said, receipt string
	if !poll(func() bool {
		var err error
		said, receipt, err = q.ask()
		ts.Check(err)
		return until.MatchString(said)
	}) {
		ts.Fatalf("never %q, at last:\n%s", until, said)
	}
	ts.Setenv("RECEIPT", receipt)
	_, err := io.WriteString(ts.Stdout(), said)
	ts.Check(err)
}

// An inquiry is an HTTP request to be.
type inquiry struct {
	url, body string
	header    [][2]string
}

// ask returns the answer as text, and the receipt's id.
func (q inquiry) ask() (said, receipt string, err error) {
	method := http.MethodGet
	if q.body != "" {
		method = http.MethodPost
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, q.url, strings.NewReader(q.body))
	if err != nil {
		return "", "", err
	}
	req.Header.Set("Content-Type", "application/json")
	for _, h := range q.header {
		req.Header.Set(h[0], h[1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	var b strings.Builder
	fmt.Fprintln(&b, resp.StatusCode)
	maps.Copy(resp.Header, resp.Trailer)
	for _, name := range slices.Sorted(maps.Keys(resp.Header)) {
		if strings.HasPrefix(name, "X-") || name == "Retry-After" {
			fmt.Fprintf(&b, "%s: %s\n", name, resp.Header.Get(name))
		}
	}
	fmt.Fprintf(&b, "\n%s\n", body)
	return b.String(), resp.Header.Get("X-Starling-Receipt"), err
}

// shop traces|cases FILE SEED FROM TO writes some messages of a made-up shop with
// their labels, as lines of a trace or as cases.
func shop(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 5 {
		ts.Fatalf("usage: shop traces|cases FILE SEED FROM TO")
	}
	seed, err := strconv.ParseUint(args[2], 10, 64)
	ts.Check(err)
	from, err := strconv.Atoi(args[3])
	ts.Check(err)
	to, err := strconv.Atoi(args[4])
	ts.Check(err)
	var b bytes.Buffer
	open := sim.NewShop(seed)
	for i := range to {
		m := open.Next()
		line := map[string]any{"input": m.Input, "label": m.Answer}
		if args[0] == "cases" {
			line = map[string]any{"id": fmt.Sprint("s-", i), "input": m.Input, "answer": m.Answer, "gold": map[string]string{"label": m.Answer}, "wrong": m.Wrong}
		}
		if i >= from {
			ts.Check(json.NewEncoder(&b).Encode(line))
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b.Bytes(), 0o600))
}

// packs DIR writes the shipped skills without audits, of which there would be one
// now and then among the receipts that a script counts.
func packs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: packs DIR")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.CopyFS(dir, skills.Packs))
	rubrics, err := filepath.Glob(filepath.Join(dir, "*", "rubric.yaml"))
	ts.Check(err)
	for _, file := range rubrics {
		text, err := os.ReadFile(file)
		ts.Check(err)
		ts.Check(os.WriteFile(file, regexp.MustCompile(`(?m)^audit: .*\n`).ReplaceAll(text, nil), 0o600))
	}
}

// tamper DB changes one byte of one receipt in a stopped gateway's books.
func tamper(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: tamper DB")
	}
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	defer db.Close()
	var link int64
	var payload []byte
	ts.Check(db.QueryRow("SELECT link, payload FROM receipts ORDER BY link LIMIT 1").Scan(&link, &payload))
	at := bytes.Index(payload, []byte(`"time":"2`)) + len(`"time":"2`)
	payload[at]++ // another year: still a receipt, with every length as it was
	_, err = db.Exec("UPDATE receipts SET payload = $1 WHERE link = $2", payload, link)
	ts.Check(err)
}
