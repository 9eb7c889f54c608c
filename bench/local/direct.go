package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/hybridgroup/yzma/pkg/llama"
)

const (
	maxSequences = 8
	maxContext   = 1024 // tokens of a sequence
	batchSize    = 512
)

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

func newDirect(ctx context.Context, library, file string, threads int) (*direct, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-child", file, "-library", library, "-threads", strconv.Itoa(threads))
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+library)
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

func (d *direct) Ask(_ context.Context, prompts []string, n int) (a Answer, err error) {
	if err := d.enc.Encode(question{prompts, n}); err != nil {
		return a, err
	}
	err = d.dec.Decode(&a)
	return a, err
}

func (d *direct) Peak() int64 { return peak(d.cmd.Process.Pid) }

func (d *direct) Close() error { return errors.Join(d.in.Close(), d.cmd.Wait()) }

// peak is the high water mark of a process's resident memory, 0 where it cannot be read.
func peak(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			return kib << 10
		}
	}
	return 0
}

func open(library string) error {
	if err := llama.Load(library); err != nil {
		return fmt.Errorf("load the library in %q: %w", library, err)
	}
	llama.LogSet(llama.LogSilent())
	llama.Init()
	return nil
}

// serveChild answers questions until there are no more.
func serveChild(library, file string, threads int) error {
	if err := open(library); err != nil {
		return err
	}
	model, err := llama.ModelLoadFromFile(file, llama.ModelDefaultParams())
	if err != nil {
		return err
	}
	p := llama.ContextDefaultParams()
	p.NCtx, p.NBatch, p.NSeqMax = maxSequences*maxContext, batchSize, maxSequences
	p.NThreads, p.NThreadsBatch = int32(threads), int32(threads)
	ctx, err := llama.InitFromModel(model, p)
	if err != nil {
		return err
	}
	l := &loaded{ctx, llama.ModelGetVocab(model), llama.SamplerInitGreedy(), llama.BatchInit(batchSize, 0, maxSequences)}
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

type loaded struct {
	ctx    llama.Context
	vocab  llama.Vocab
	greedy llama.Sampler
	batch  llama.Batch
}

// answer reads the prompts one after the other, and then writes all sequences in step. An
// end of the text is written over, so that every answer has its length.
func (l *loaded) answer(q question) (a Answer, err error) {
	if len(q.Prompts) > maxSequences {
		return a, fmt.Errorf("at most %d sequences", maxSequences)
	}
	memory, err := llama.GetMemory(l.ctx)
	if err != nil {
		return a, err
	}
	if err := llama.MemoryClear(memory, true); err != nil {
		return a, err
	}
	began := time.Now()
	last, at := make([]llama.Token, len(q.Prompts)), make([]int, len(q.Prompts))
	for s, prompt := range q.Prompts {
		tokens := llama.Tokenize(l.vocab, prompt, true, false)
		tokens = tokens[:min(len(tokens), maxContext-q.N)]
		if last[s], err = l.read(s, tokens); err != nil {
			return a, err
		}
		at[s] = len(tokens)
		a.Prompt += len(tokens)
	}
	a.First = time.Since(began)
	a.Tokens = len(q.Prompts)
	for range q.N - 1 {
		if err := l.step(last, at); err != nil {
			return a, err
		}
		a.Tokens += len(last)
	}
	a.Total = time.Since(began)
	return a, nil
}

// read feeds a prompt and returns the first token after it.
func (l *loaded) read(s int, tokens []llama.Token) (llama.Token, error) {
	for from := 0; from < len(tokens); from += batchSize {
		to := min(from+batchSize, len(tokens))
		l.batch.NTokens = 0
		for i := from; i < to; i++ {
			if err := l.batch.Add(tokens[i], llama.Pos(i), []llama.SeqId{llama.SeqId(s)}, i == len(tokens)-1); err != nil {
				return 0, err
			}
		}
		if err := l.decode(); err != nil {
			return 0, err
		}
	}
	return llama.SamplerSample(l.greedy, l.ctx, -1), nil
}

// step writes one token of every sequence.
func (l *loaded) step(last []llama.Token, at []int) error {
	l.batch.NTokens = 0
	for s := range last {
		if err := l.batch.Add(last[s], llama.Pos(at[s]), []llama.SeqId{llama.SeqId(s)}, true); err != nil {
			return err
		}
		at[s]++
	}
	if err := l.decode(); err != nil {
		return err
	}
	for s := range last {
		last[s] = llama.SamplerSample(l.greedy, l.ctx, int32(s))
	}
	return nil
}

func (l *loaded) decode() error {
	code, err := llama.Decode(l.ctx, l.batch)
	if err == nil && code != 0 {
		err = fmt.Errorf("the library says %d", code)
	}
	return err
}

// kinds are made of what is F16.
var kinds = map[string]llama.Ftype{"Q8_0": llama.FtypeMostlyQ8_0, "Q4_0": llama.FtypeMostlyQ4_0, "Q4_K_M": llama.FtypeMostlyQ4_K_M}

// quantise makes the kinds of model that are missing.
func quantise(ctx context.Context, o options) error {
	files, err := filepath.Glob(filepath.Join(o.models, "*-F16.gguf"))
	if err != nil || len(files) == 0 {
		return err
	}
	if err := open(o.library); err != nil {
		return err
	}
	for _, file := range files {
		for kind, to := range kinds {
			target := strings.TrimSuffix(file, "F16.gguf") + kind + ".gguf"
			if _, err := os.Stat(target); err == nil {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			p := llama.ModelQuantizeDefaultParams()
			p.Ftype = to
			part := target + ".part"
			if code := llama.ModelQuantize(file, part, &p); code != 0 {
				return fmt.Errorf("quantise %s to %s: the library says %d", filepath.Base(file), kind, code)
			}
			if err := os.Rename(part, target); err != nil {
				return err
			}
		}
	}
	return nil
}
