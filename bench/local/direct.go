package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/hybridgroup/yzma/pkg/llama"
)

// batchSize is how many tokens are read at once, as in the gateway's engine.
const batchSize = 512

// A direct is the library in a process of its own, which this run talks to in lines of
// JSON. The times are measured there.
type direct struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	enc *json.Encoder
	dec *json.Decoder
}

type question struct {
	Prompts []string
	N       int
}

// withLibrary is the environment in which the library finds its parts.
func withLibrary(library string) []string {
	return append(os.Environ(), "LD_LIBRARY_PATH="+library)
}

func startDirect(ctx context.Context, library string, s *setting) (*direct, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-child", s.weights.file, "-library", library,
		"-threads", strconv.Itoa(s.threads), "-sequences", strconv.Itoa(s.width), "-window", strconv.Itoa(s.window))
	cmd.Stderr = os.Stderr
	cmd.Env = withLibrary(library)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &direct{cmd, in, json.NewEncoder(in), json.NewDecoder(out)}, cmd.Start()
}

func (d *direct) Name() string { return "library" }

// Ask ends the process with ctx: the library cannot be interrupted.
func (d *direct) Ask(ctx context.Context, prompts []string, n int) (a answer, err error) {
	defer context.AfterFunc(ctx, func() { _ = d.cmd.Process.Kill() })()
	if err := d.enc.Encode(question{prompts, n}); err != nil {
		return a, err
	}
	err = d.dec.Decode(&a)
	return a, err
}

func (d *direct) Processes() []int { return []int{d.cmd.Process.Pid} }

func (d *direct) Close() error { return errors.Join(d.in.Close(), d.cmd.Wait()) }

// serveChild answers questions until there are no more.
func serveChild(library string, s *setting) error {
	if err := llama.Load(library); err != nil {
		return fmt.Errorf("load the library in %q: %w", library, err)
	}
	llama.LogSet(llama.LogSilent())
	llama.Init()
	l, err := load(s)
	if err != nil {
		return err
	}
	dec, enc := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var q question
		if err := dec.Decode(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		a, err := l.answer(q)
		if err != nil {
			return err
		}
		if err := enc.Encode(a); err != nil {
			return err
		}
	}
}

// loaded is a model with room for some sequences.
type loaded struct {
	setting *setting
	context llama.Context
	memory  llama.Memory
	vocab   llama.Vocab
	greedy  llama.Sampler
	batch   llama.Batch
	rows    []int32 // of the batch, at which a sequence's next token is said; -1: none
}

// load gives each sequence a cache of its own, as the gateway's engine does.
func load(s *setting) (*loaded, error) {
	model, err := llama.ModelLoadFromFile(s.weights.file, llama.ModelDefaultParams())
	if err != nil {
		return nil, err
	}
	p := llama.ContextDefaultParams()
	p.NCtx, p.NBatch, p.NSeqMax, p.KVUnified = uint32(s.width*s.window), batchSize, uint32(s.width), 0
	p.NThreads, p.NThreadsBatch = int32(s.threads), int32(s.threads)
	l := &loaded{setting: s, vocab: llama.ModelGetVocab(model), greedy: llama.SamplerInitGreedy(), batch: llama.BatchInit(batchSize, 0, 1), rows: make([]int32, s.width)}
	if l.context, err = llama.InitFromModel(model, p); err != nil {
		return nil, err
	}
	l.memory, err = llama.GetMemory(l.context)
	return l, err
}

// A line is a sequence: what it has to read, where it stands, and what it said last.
type line struct {
	ahead []llama.Token
	at    int
	said  llama.Token
}

// answer reads all prompts, as many tokens at once as a batch holds, and then writes all
// sequences in step. An end of the text is written over, so that every answer has its
// length.
func (l *loaded) answer(q question) (a answer, err error) {
	if len(q.Prompts) > l.setting.width {
		return a, fmt.Errorf("at most %d sequences", l.setting.width)
	}
	if err := llama.MemoryClear(l.memory, true); err != nil {
		return a, err
	}
	began := time.Now()
	lines := make([]line, len(q.Prompts))
	for s, prompt := range q.Prompts {
		lines[s].ahead = llama.Tokenize(l.vocab, prompt, true, false)
		a.Prompt += len(lines[s].ahead)
	}
	for unread := a.Prompt; unread > 0; {
		read, err := l.step(lines)
		if err != nil {
			return a, err
		}
		unread -= read
	}
	a.First = time.Since(began)
	for range q.N - 1 {
		for s := range lines {
			lines[s].ahead = append(lines[s].ahead, lines[s].said)
		}
		if _, err := l.step(lines); err != nil {
			return a, err
		}
	}
	a.Total, a.Tokens = time.Since(began), q.N*len(lines)
	return a, nil
}

// step reads one batch of what is ahead, and returns how many tokens it had. A line that
// has nothing more ahead says its next token.
func (l *loaded) step(lines []line) (read int, err error) {
	l.batch.NTokens = 0
	for s := range lines {
		n := &lines[s]
		take := min(len(n.ahead), batchSize-int(l.batch.NTokens))
		l.rows[s] = -1
		for i, token := range n.ahead[:take] {
			last := i == len(n.ahead)-1
			if last {
				l.rows[s] = l.batch.NTokens
			}
			if err := l.batch.Add(token, llama.Pos(n.at+i), []llama.SeqId{llama.SeqId(s)}, last); err != nil {
				return 0, err
			}
		}
		n.ahead, n.at, read = n.ahead[take:], n.at+take, read+take
	}
	if code, err := llama.Decode(l.context, l.batch); err != nil || code != 0 {
		return 0, fmt.Errorf("the library says %d: %w", code, err)
	}
	for s := range lines {
		if l.rows[s] >= 0 {
			lines[s].said = llama.SamplerSample(l.greedy, l.context, l.rows[s])
		}
	}
	return read, nil
}
