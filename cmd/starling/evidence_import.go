package main

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"starling"
	"starling/internal/corpus"
	"starling/internal/verify"
)

type evidenceImportCmd struct {
	File    string `arg:"" help:"Trace, one JSON object a line: {input, output or label}, {messages} or {request, response}; - for standard input."`
	Skill   string `required:"" help:"Skill that the questions are of." placeholder:"NAME"`
	Consent bool   `help:"Say that these texts may be kept on this machine."`
	Aside   string `help:"File for lines that cannot be used; FILE.aside by default." placeholder:"FILE"`
	JSON    bool   `help:"Print JSON."`
}

// An imported is what came of a trace.
type imported struct {
	Lines int       `json:"lines"` // that are not empty
	Added int       `json:"added"`
	Known int       `json:"known"`
	Aside int       `json:"set_aside"`
	File  string    `json:"aside_file,omitempty"`
	Why   []refused `json:"why"`
}

// A refused says what is wrong with a line; lines with the same fault are told
// together.
type refused struct {
	Line  int    `json:"line"` // the first
	Lines int    `json:"lines"`
	Why   string `json:"why"`
}

// Run keeps what can be used and sets the rest aside.
func (c evidenceImportCmd) Run(p *program) error {
	if !c.Consent {
		return &starling.Error{Kind: starling.Invalid, Op: "import: nobody said that these texts may be kept", Hint: "say --consent if those whose texts they are agreed; starling evidence forget removes them again"}
	}
	in, size, err := c.input()
	if err != nil {
		return err
	}
	defer in.Close()
	cfg, err := loadConfig(p.flags.Config)
	if err != nil {
		return err
	}
	i := &importer{program: p, cmd: c, found: imported{Why: []refused{}}}
	if err := i.open(cfg); err != nil {
		return err
	}
	err = i.read(in, size)
	if err = errors.Join(err, i.close()); err != nil {
		return err
	}
	return i.report()
}

func (c evidenceImportCmd) input() (io.ReadCloser, int64, error) {
	if c.File == "-" {
		return io.NopCloser(os.Stdin), -1, nil
	}
	f, err := os.Open(c.File)
	if err != nil {
		return nil, 0, &starling.Error{Kind: starling.NotFound, Op: "import: open the trace", Hint: "name a file that is there", Err: err}
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	if there, err := os.Stat(c.aside()); err == nil && info.Mode().IsRegular() && os.SameFile(info, there) {
		return nil, 0, errors.Join(&starling.Error{Kind: starling.Invalid, Op: "import: set aside lines in the trace itself, and lose the others", Hint: "name another file with --aside"}, f.Close())
	}
	return f, info.Size(), nil
}

// aside is where lines go that cannot be used.
func (c evidenceImportCmd) aside() string {
	if c.File == "-" {
		return cmp.Or(c.Aside, "stdin.aside")
	}
	return cmp.Or(c.Aside, c.File+".aside")
}

// An importer reads a trace into the corpus.
type importer struct {
	*program
	cmd       evidenceImportCmd
	texts     *corpus.Corpus
	verifiers []starling.Verifier // of the skill
	aside     *os.File            // nil until a line is set aside
	batch     []corpus.Text
	at        int // line of the trace
	found     imported
}

// open finds the skill, whose verifiers know what an answer may be.
func (i *importer) open(cfg Config) error {
	set, err := cfg.loadSkills()
	if err != nil {
		return err
	}
	s, ok := set.Find(i.cmd.Skill)
	if !ok {
		return noSkill(i.cmd.Skill, set)
	}
	if i.verifiers, err = verify.ForSkill(s); err != nil {
		return err
	}
	i.unasked(s, i.verifiers)
	dir := cfg.dataDir(i.flags.Data)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return &starling.Error{Kind: starling.Invalid, Op: "import: data folder " + dir, Hint: "name a folder that can be one", Err: err}
	}
	i.texts, err = corpus.Open(i.ctx, dir)
	return err
}

func (i *importer) close() error {
	err := i.texts.Close()
	if i.aside != nil {
		err = errors.Join(err, i.aside.Close())
	}
	return err
}

// longestLine is what a line may have: two texts of the longest, escaped.
const longestLine = 16 << 20

func (i *importer) read(in io.Reader, size int64) error {
	bar := i.progress("reading")
	defer bar.Finish()
	if size > 0 {
		bar.ChangeMax64(size)
	}
	lines := bufio.NewReaderSize(in, 1<<16)
	for {
		line, read, err := nextLine(lines)
		_ = bar.Add64(read)
		if read > 0 {
			i.at++
			if err := i.line(line); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return i.flush()
		}
		if err != nil {
			return err
		}
		if err := i.ctx.Err(); err != nil {
			return &starling.Error{Kind: starling.Cancelled, Op: "import", Hint: "run it again: what is known is not added twice", Err: err}
		}
	}
}

// nextLine returns a line without its end, as far as it may be long, and how many
// bytes it has.
func nextLine(r *bufio.Reader) (line []byte, read int64, err error) {
	for {
		piece, err := r.ReadSlice('\n')
		read += int64(len(piece))
		if len(line)+len(piece) <= longestLine {
			line = append(line, piece...)
		}
		if err != bufio.ErrBufferFull {
			return bytes.TrimRight(line, "\r\n"), read, err
		}
	}
}

func (i *importer) line(line []byte) error {
	if len(bytes.TrimSpace(line)) == 0 {
		return nil
	}
	i.found.Lines++
	t, why := corpus.Trace(line)
	if why == "" {
		why = i.rejected(t)
	}
	if why != "" {
		return i.setAside(line, why)
	}
	t.Skill, t.Source, t.Time = i.cmd.Skill, i.cmd.File, time.Now()
	if i.batch = append(i.batch, t); len(i.batch) < 500 {
		return nil
	}
	return i.flush()
}

// rejected asks the skill's verifiers: an answer that would be rejected teaches
// nothing. Those that would have to ask a model have no say.
func (i *importer) rejected(t corpus.Text) string {
	for _, v := range i.verifiers {
		if verify.Asks(v) {
			continue
		}
		verdict, err := v.Verify(i.ctx, &starling.Request{Body: []byte(t.Input)}, &starling.Answer{Text: t.Answer, Finish: starling.Stopped})
		switch {
		case err != nil:
			return "verifier " + v.Name() + " cannot judge its answer"
		case !verdict.Accept:
			return "verifier " + v.Name() + " would reject its answer: " + verdict.Why
		}
	}
	return ""
}

func (i *importer) flush() error {
	added, err := i.texts.Add(i.ctx, i.batch)
	i.found.Added += added
	i.found.Known += len(i.batch) - added
	i.batch = i.batch[:0]
	return err
}

// setAside writes the line where a person can mend it.
func (i *importer) setAside(line []byte, why string) (err error) {
	i.found.Aside++
	at := slices.IndexFunc(i.found.Why, func(r refused) bool { return r.Why == why })
	if at < 0 {
		i.found.Why = append(i.found.Why, refused{Line: i.at, Why: why})
		at = len(i.found.Why) - 1
	}
	i.found.Why[at].Lines++
	if i.aside == nil {
		i.found.File = i.cmd.aside()
		if i.aside, err = os.OpenFile(i.found.File, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600); err != nil {
			return &starling.Error{Kind: starling.Invalid, Op: "import: set a line aside", Hint: "name a file that can be written with --aside", Err: err}
		}
	}
	_, err = i.aside.Write(append(line, '\n'))
	return err
}

// report says what became of every line.
func (i *importer) report() error {
	f := &i.found
	if i.cmd.JSON {
		if err := i.encode(f); err != nil {
			return err
		}
	} else {
		printf(i.stdout, "%d lines: %d added, %d known, %d set aside\n", f.Lines, f.Added, f.Known, f.Aside)
		for _, r := range f.Why {
			printf(i.stdout, "  line %d: %s%s\n", r.Line, r.Why, map[bool]string{true: fmt.Sprintf(", as %d others", r.Lines-1)}[r.Lines > 1])
		}
		if f.Aside > 0 {
			printf(i.stdout, "what was set aside is in %s\n", f.File)
		}
	}
	if f.Lines > 0 && f.Aside == f.Lines {
		return &starling.Error{Kind: starling.Invalid, Op: "import: no line can be used", Hint: "starling evidence import --help says what a line may be"}
	}
	return nil
}
