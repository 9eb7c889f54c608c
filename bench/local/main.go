package main

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"starling/bench/process"
)

// A plan says how much is measured.
type plan struct {
	rounds    int // of each row, the subjects in turn
	prompt    int // tokens
	generate  int // tokens
	sequences []int
	threads   []int
	starts    int // cold starts
}

var (
	full  = plan{rounds: 5, prompt: 512, generate: 128, sequences: []int{1, 2, 4, 8}, threads: []int{1, 2}, starts: 5}
	brief = plan{rounds: 2, prompt: 128, generate: 32, sequences: []int{1, 2}, threads: []int{1}, starts: 2}
)

// A Subject is a way to a model.
type Subject interface {
	Name() string

	// Ask asks for n tokens after the prompt, in as many sequences at once as there are
	// prompts, and returns when all have ended.
	Ask(ctx context.Context, prompts []string, n int) (Answer, error)

	// Peak is the most memory that was resident so far, in bytes; 0 if nobody knows.
	Peak() int64

	Close() error
}

// An Answer is how long it took, over all sequences.
type Answer struct {
	First  time.Duration // until every sequence had its first token
	Total  time.Duration
	Prompt int // tokens read
	Tokens int // tokens written
}

// An options is what the user says.
type options struct {
	library, models, out string
	url, name, key       string
	pid                  int
}

const resultFile = "bench/local/result.md"

func main() {
	var o options
	flag.StringVar(&o.library, "library", "", "folder of llama.cpp's shared libraries")
	flag.StringVar(&o.models, "models", "", "folder of GGUF files")
	flag.StringVar(&o.out, "out", resultFile, "where a whole result is written")
	flag.StringVar(&o.url, "url", "", "OpenAI-compatible base, such as http://127.0.0.1:7777/v1")
	flag.StringVar(&o.name, "name", "%s", "how the server calls a model whose file is %s.gguf")
	flag.StringVar(&o.key, "key", "", "the server's key")
	flag.IntVar(&o.pid, "pid", 0, "process whose memory is the server's")
	threads := flag.String("threads", "", "threads instead of the plan's, as 1,2")
	quick := flag.Bool("quick", false, "a look instead of a measurement")
	child := flag.String("child", "", "serve this model to the run itself")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := func() error {
		p := full
		if *quick {
			p, o.out = brief, ""
		}
		if err := p.setThreads(*threads); err != nil {
			return err
		}
		if *child != "" {
			return serveChild(o.library, *child, p.threads[0])
		}
		return run(ctx, o, p)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/local:", err)
		os.Exit(1)
	}
}

func (p *plan) setThreads(list string) error {
	if list == "" {
		return nil
	}
	p.threads = nil
	for part := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 {
			return fmt.Errorf("-threads %s: numbers from 1 on, with commas between", list)
		}
		p.threads = append(p.threads, n)
	}
	return nil
}

// run measures every model, and writes a whole result to its file.
func run(ctx context.Context, o options, p plan) error {
	if err := quantise(ctx, o); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(o.models, "*.gguf"))
	if err != nil || len(files) == 0 {
		return cmp.Or(err, fmt.Errorf("no models in %q: write some, or name their folder with -models", o.models))
	}
	var text bytes.Buffer
	out := io.MultiWriter(os.Stdout, &text)
	fmt.Fprintf(out, "# What Starling costs a local model\n\n`go run ./bench/local` wrote this on %s.\n%s\n", time.Now().UTC().Format(time.DateOnly), process.Machine())
	fmt.Fprintf(out, "Prompts of about %d tokens, %d tokens generated, %d rounds in turn; medians, in brackets the interval of 95 %% by the bootstrap. How it is measured says `go doc ./bench/local`.\n", p.prompt, p.generate, p.rounds)
	for _, file := range files {
		if err := measure(ctx, out, o, p, file); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
	}
	if o.out == "" {
		return nil
	}
	return os.WriteFile(o.out, text.Bytes(), 0o644)
}

// measure prints the tables of a model.
func measure(ctx context.Context, out io.Writer, o options, p plan, file string) error {
	name := strings.TrimSuffix(filepath.Base(file), ".gguf")
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n## %s (%d MiB)\n", name, info.Size()>>20)
	for _, threads := range p.threads {
		direct, err := newDirect(ctx, o.library, file, threads)
		if err != nil {
			return err
		}
		subjects := []Subject{direct}
		if o.url != "" {
			subjects = append(subjects, newServer(o, name))
		}
		err = speeds(ctx, out, p, threads, subjects)
		for _, s := range subjects {
			err = cmp.Or(err, s.Close())
		}
		if err != nil {
			return err
		}
	}
	return cold(ctx, out, o, p, file)
}

// A row is one subject's figures over the rounds of one width.
type row struct {
	read, write []float64 // tokens a second
	first       []float64 // ns
}

// speeds prints a table: for each width a line.
func speeds(ctx context.Context, out io.Writer, p plan, threads int, subjects []Subject) error {
	fmt.Fprintf(out, "\n### %d threads\n\n| sequences | subject | prompt, tok/s | of the library | generation, tok/s | of the library | first token of a short prompt, ms | above the library |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n", threads)
	for _, width := range p.sequences {
		rows := make([]row, len(subjects))
		for round := range p.rounds + 1 {
			for i, s := range subjects {
				r, err := ask(ctx, s, p, width, round)
				if err != nil {
					return fmt.Errorf("%s: %w", s.Name(), err)
				}
				if round > 0 { // the first round warms up
					rows[i].add(r)
				}
			}
		}
		for i, s := range subjects {
			rows[i].print(out, width, s.Name(), &rows[0])
		}
	}
	fmt.Fprintln(out)
	for _, s := range subjects {
		if peak := s.Peak(); peak > 0 {
			fmt.Fprintf(out, "Peak memory of %s: %d MiB. ", s.Name(), peak>>20)
		}
	}
	fmt.Fprintln(out)
	return nil
}

// print writes a line, compared with the library's where it is another's.
func (r *row) print(out io.Writer, width int, name string, library *row) {
	read, write, above := "", "", ""
	if r != library {
		read, write = shown(pairs(r.read, library.read, ratio), 1, 3), shown(pairs(r.write, library.write, ratio), 1, 3)
		above = shown(pairs(r.first, library.first, difference), ms, 2)
	}
	fmt.Fprintf(out, "| %d | %s | %s | %s | %s | %s | %s | %s |\n", width, name, shown(r.read, 1, 1), read, shown(r.write, 1, 1), write, shown(r.first, ms, 2), above)
}

func (r *row) add(other row) {
	r.read = append(r.read, other.read...)
	r.write = append(r.write, other.write...)
	r.first = append(r.first, other.first...)
}

// ask is one round of one subject: a long prompt, and then a short one for one token.
func ask(ctx context.Context, s Subject, p plan, width, round int) (row, error) {
	long, err := s.Ask(ctx, prompts(width, round, p.prompt), p.generate)
	if err != nil {
		return row{}, err
	}
	short, err := s.Ask(ctx, prompts(1, round, 8), 1)
	if err != nil {
		return row{}, err
	}
	after := long.Total - long.First
	if after <= 0 || long.First <= 0 || long.Tokens <= width {
		return row{}, fmt.Errorf("%d tokens in %v, the first after %v: too few to measure", long.Tokens, long.Total, long.First)
	}
	return row{
		read:  []float64{float64(long.Prompt) / long.First.Seconds()},
		write: []float64{float64(long.Tokens-width) / after.Seconds()},
		first: []float64{float64(short.First)},
	}, nil
}

// prompts are texts of about so many tokens that begin differently, each time. A word is
// about one token, in tokenizers that have learnt English.
func prompts(width, round, tokens int) []string {
	words := strings.Fields("once upon a time there was a little dog who liked to play in the park with his friend and they saw a big tree")
	all := make([]string, width)
	for i := range all {
		rest := make([]string, 0, tokens)
		for j := range max(tokens-4, 1) {
			rest = append(rest, words[(j*(i+1)+round)%len(words)])
		}
		all[i] = fmt.Sprintf("%d %d %s", round, i, strings.Join(rest, " "))
	}
	return all
}

// cold prints how long a user waits for the first token when nothing runs: the library's
// start, the load, and a short prompt. A server's cold start is its own to show.
func cold(ctx context.Context, out io.Writer, o options, p plan, file string) error {
	var took []float64
	for round := range p.starts {
		began := time.Now()
		d, err := newDirect(ctx, o.library, file, p.threads[len(p.threads)-1])
		if err != nil {
			return err
		}
		_, err = d.Ask(ctx, prompts(1, round, 8), 1)
		took = append(took, float64(time.Since(began)))
		if err = cmp.Or(err, d.Close()); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "\nFirst token cold, the library in a new process, its file in the page cache: %s ms.\n", shown(took, ms, 1))
	return nil
}

const ms = float64(time.Millisecond)

func ratio(a, b float64) float64      { return a / b }
func difference(a, b float64) float64 { return a - b }

// pairs compares what two subjects did in the same rounds.
func pairs(a, b []float64, compare func(a, b float64) float64) []float64 {
	all := make([]float64, len(a))
	for i := range all {
		all[i] = compare(a[i], b[i])
	}
	return all
}

// shown is a median with its interval, in a unit.
func shown(all []float64, unit float64, digits int) string {
	low, high := process.Interval(all)
	return fmt.Sprintf("%.*f (%.*f–%.*f)", digits, process.Median(all)/unit, digits, low/unit, digits, high/unit)
}
