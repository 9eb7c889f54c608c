package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"starling/bench/process"
)

// A subject is a way to a model.
type subject interface {
	Name() string

	// Ask asks for n tokens after each prompt, in as many sequences at once as there are
	// prompts, and returns when all have ended, or soon after ctx has.
	Ask(ctx context.Context, prompts []string, n int) (answer, error)

	// Processes are those that it consists of.
	Processes() []int

	Close() error
}

// An answer is how long it took, over all sequences.
type answer struct {
	First  time.Duration // until every sequence had its first token
	Total  time.Duration
	Prompt int // tokens read
	Tokens int // tokens written
	Early  int // of these, beside the first of each sequence, those written before First
}

// reads and writes are tokens a second.
func (a *answer) reads() float64 { return float64(a.Prompt) / a.First.Seconds() }
func (a *answer) writes(width int) float64 {
	return float64(a.Tokens-a.Early-width) / (a.Total - a.First).Seconds()
}

// A setting is what is measured in one row.
type setting struct {
	weights *weights
	threads int
	width   int // sequences
	window  int // tokens of each
}

// patience is how long an answer may take, a load of the model included.
const patience = 2 * time.Minute

const (
	window   = 512 // tokens
	generate = 32  // tokens
	shortest = 8   // tokens of a prompt whose answer is one token

	block = 1500 * time.Millisecond // that a subject is asked in a round
	peace = 4500 * time.Millisecond // until a gateway has its threads again
)

// prompt is how many tokens each sequence has to read.
func (s *setting) prompt() int { return max(128/s.width, 32) }

// Figures are of one subject in one setting, one of each round, and its start.
type figures struct {
	reads, writes []float64 // tokens a second
	first         []float64 // ms
	cores         []float64 // busy while it was asked
	cold, warm    float64   // ms, of the first two questions
	peak          int64     // bytes
}

// A result is a row.
type result struct {
	*setting
	library, api figures
}

// A bench is a run under way.
type bench struct {
	options
	plan
	program *program
	store   store
	stdout  io.Writer

	asked    int // prompts so far
	left     int // settings
	deadline time.Time
}

// all measures every setting.
func (b *bench) all(ctx context.Context, said string) (*text, error) {
	t := &text{said: said, began: time.Now(), machine: process.Machine(), before: readClocks(), perKWh: b.perKWh}
	own := lived()
	b.left = len(b.shapes) * len(b.kinds) * len(b.threads) * len(b.widths)
	fmt.Fprint(b.stdout, head)
	for _, shape := range b.shapes {
		for _, kind := range b.kinds {
			w, err := b.store.supply(ctx, shape, kind)
			if err != nil {
				return nil, err
			}
			if err := b.measure(ctx, w, t); err != nil {
				return nil, fmt.Errorf("%s: %w", w.name(), err)
			}
		}
	}
	t.after, t.own = readClocks(), lived()-own
	fmt.Fprint(b.stdout, t.findings())
	return t, nil
}

// measure measures every setting of a model. One that cannot be measured is noted.
func (b *bench) measure(ctx context.Context, w *weights, t *text) error {
	if err := b.program.run(ctx, "model", "import", w.file, "--name", w.name(), "--link"); err != nil {
		return err
	}
	for _, threads := range b.threads {
		for _, width := range b.widths {
			if b.deadline.IsZero() { // what is made before the first setting takes as long as it takes
				b.deadline = time.Now().Add(b.limit)
			}
			r, err := b.row(ctx, &setting{w, threads, width, window})
			b.left--
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil { // the others are measured all the same
				t.failed = append(t.failed, fmt.Sprintf("%s, threads %d, at once %d: %v", w.name(), threads, width, err))
				continue
			}
			fmt.Fprint(b.stdout, t.row(r))
			t.results = append(t.results, r)
		}
	}
	return b.program.run(ctx, "model", "rm", w.name())
}

// row measures a setting.
func (b *bench) row(ctx context.Context, s *setting) (r *result, err error) {
	began, share := time.Now(), time.Until(b.deadline)/time.Duration(b.left)
	r = &result{setting: s}
	library, err := startDirect(ctx, b.library, s)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, library.Close()) }()
	if err := b.cold(ctx, library, &r.library, began); err != nil {
		return nil, err
	}
	api, err := b.program.serve(ctx, s)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, api.Close()) }()
	if err := b.cold(ctx, api, &r.api, time.Now()); err != nil {
		return nil, err
	}
	rounds := time.Now()
	for n := range b.pairs {
		if n > 0 && time.Since(began)+time.Since(rounds)/time.Duration(n) > share {
			break
		}
		if err := b.pair(ctx, r, library, api); err != nil {
			return nil, err
		}
	}
	r.library.peak, r.api.peak = peak(library.Processes()), peak(api.Processes())
	return r, nil
}

// cold asks a subject for the first and the second time.
func (b *bench) cold(ctx context.Context, sub subject, f *figures, began time.Time) error {
	for _, took := range []*float64{&f.cold, &f.warm} {
		if _, err := b.question(ctx, sub, 1, shortest, 1); err != nil {
			return fmt.Errorf("%s: %w", sub.Name(), err)
		}
		*took = ms(time.Since(began))
		began = time.Now()
	}
	return nil
}

// pair is two rounds: the library, the gateway; the gateway, the library.
func (b *bench) pair(ctx context.Context, r *result, library, api subject) error {
	for _, turn := range []struct {
		subject
		*figures
	}{{library, &r.library}, {api, &r.api}, {api, &r.api}, {library, &r.library}} {
		if turn.figures == &r.api && r.threads > 1 && len(r.api.reads) < len(r.library.reads) { // the library was at it
			time.Sleep(peace)
		}
		if err := b.round(ctx, r.setting, turn.subject, turn.figures); err != nil {
			return fmt.Errorf("%s: %w", turn.Name(), err)
		}
	}
	return nil
}

// round asks a subject for a while, and keeps the medians.
func (b *bench) round(ctx context.Context, s *setting, sub subject, f *figures) error {
	var one figures
	for began := time.Now(); len(one.reads) == 0 || time.Since(began) < block; {
		if err := b.ask(ctx, s, sub, &one); err != nil {
			return err
		}
	}
	f.reads = append(f.reads, process.Median(one.reads))
	f.writes = append(f.writes, process.Median(one.writes))
	f.first = append(f.first, process.Median(one.first))
	f.cores = append(f.cores, process.Median(one.cores))
	return nil
}

// ask is one question in all sequences, and two short ones.
func (b *bench) ask(ctx context.Context, s *setting, sub subject, f *figures) error {
	pids := sub.Processes()
	before := spent(pids)
	a, err := b.question(ctx, sub, s.width, s.prompt(), generate)
	if err != nil {
		return err
	}
	f.cores = append(f.cores, (spent(pids)-before).Seconds()/a.Total.Seconds())
	f.reads, f.writes = append(f.reads, a.reads()), append(f.writes, a.writes(s.width))
	for range 2 {
		a, err := b.question(ctx, sub, 1, shortest, 1)
		if err != nil {
			return err
		}
		f.first = append(f.first, ms(a.First))
	}
	return nil
}

// question asks for n tokens after each of some prompts.
func (b *bench) question(ctx context.Context, sub subject, width, prompt, n int) (answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errSilent)
	defer cancel()
	a, err := sub.Ask(ctx, b.prompts(width, prompt), n)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return a, err
}

var errSilent = fmt.Errorf("no answer within %s", patience)

// common are words that the tokenizers of the written shapes have whole.
var common = strings.Fields("the of and to in is that it was for on with as he be at by this had not are but from or have an they which one you were her all she there would their we him been has when who will more no if out so said what up its about into than them can only other")

// prompts are texts of about so many tokens, each another one. Already the first token is
// not that of the prompts before, so that nothing that was kept of them is of any use: a
// short one would be read noticeably sooner.
func (b *bench) prompts(n, tokens int) []string {
	all := make([]string, n)
	for i := range all {
		b.asked++
		begin := fmt.Sprintf(" %s %d", common[b.asked%len(common)], b.asked)
		rest := make([]string, max(tokens-3-len(strconv.Itoa(b.asked)), 1)) // a digit is a token
		for j := range rest {
			rest[j] = common[(j*j+j*b.asked+b.asked)%len(common)]
		}
		all[i] = begin + " " + strings.Join(rest, " ")
	}
	return all
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
