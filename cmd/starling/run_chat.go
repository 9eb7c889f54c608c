package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"

	"starling"
)

// A chat is a conversation in a terminal. What was said is in memory and nowhere else.
type chat struct {
	run    runCmd
	client *client
	model  string
	size   func() (width, height int) // of the terminal; nil: not known
	said   []message

	screen *term.Terminal
	keys   *keyboard
	print  *printer
}

// chat holds a conversation on the user's terminal.
func (c runCmd) chat(p *program, to *client, model string) error {
	fd, out := int(os.Stdin.Fd()), p.stdout.(*os.File)
	before, err := term.MakeRaw(fd)
	if err != nil {
		return &starling.Error{Kind: starling.Invalid, Op: "run: use this terminal", Hint: "say what to ask behind the model's name", Err: err}
	}
	defer func() { _ = term.Restore(fd, before) }()
	ch := &chat{run: c, client: to, model: model, size: func() (int, int) {
		width, height, err := term.GetSize(int(out.Fd()))
		if err != nil {
			return 0, 0
		}
		return width, height
	}}
	return ch.hold(p.ctx, struct {
		io.Reader
		io.Writer
	}{os.Stdin, out})
}

const (
	ready = ">>> "
	more  = "... "
	quote = `"""` // around text of several lines
)

const chatHelp = `/clear     forgets what was said
/bye       ends, as ctrl-D does
"""        begins text of several lines, and ends it
ctrl-C     stops the answer under way
`

// hold reads what the user says and has it answered, until one of the two has enough.
// Errors: Cancelled where ctx ends.
func (ch *chat) hold(ctx context.Context, on io.ReadWriter) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	ch.keys = newKeyboard(ctx, on)
	ch.screen = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{ch.keys, on}, ready)
	ch.screen.SetBracketedPasteMode(true)
	defer ch.screen.SetBracketedPasteMode(false)
	ch.print = &printer{out: ch.screen, signs: ch.screen, model: ch.model, dims: true, thinks: *cmp.Or(ch.run.Thinking, new(true))}
	ch.tell("%s answers; /? helps\n", ch.model)
	interrupted := false
	for {
		text, err := ch.read()
		switch again := ch.keys.interrupted(); {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, io.EOF) || again && interrupted:
			return nil
		case err != nil:
			return &starling.Error{Kind: starling.Internal, Op: "run: read from the terminal", Err: err}
		case again:
			ch.tell("ctrl-C once more ends this, as ctrl-D and /bye do\n")
			interrupted = true
			continue
		}
		interrupted = false
		if ch.obey(ctx, text) {
			return nil
		}
	}
}

// tell prints a line of ours.
func (ch *chat) tell(format string, args ...any) { printf(ch.screen, format, args...) }

// read returns what the user says: a line, what was pasted, or what stands in quotes.
func (ch *chat) read() (string, error) {
	if ch.size != nil {
		if width, height := ch.size(); width > 0 {
			_ = ch.screen.SetSize(width, height) // a line may be drawn ill, and is read well
		}
	}
	ch.screen.SetPrompt(ready)
	text, err := ch.line()
	rest, quoted := strings.CutPrefix(strings.TrimSpace(text), quote)
	if err != nil || !quoted {
		return text, err
	}
	ch.screen.SetPrompt(more)
	for {
		if whole, done := strings.CutSuffix(strings.TrimRight(rest, " "), quote); done {
			return whole, nil
		}
		next, err := ch.line()
		if err != nil || ch.keys.broken {
			return "", err
		}
		rest += "\n" + next
	}
}

// line reads to the end of a line that was typed: those that are pasted belong together.
func (ch *chat) line() (string, error) {
	var lines []string
	for {
		line, err := ch.screen.ReadLine()
		lines = append(lines, line)
		if !errors.Is(err, term.ErrPasteIndicator) {
			return strings.Join(lines, "\n"), err
		}
	}
}

// obey does what the user says, and reports whether that was to end.
func (ch *chat) obey(ctx context.Context, text string) (over bool) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
	case text == "/bye", text == "/exit":
		return true
	case text == "/?", text == "/help":
		_, _ = io.WriteString(ch.screen, chatHelp)
	case text == "/clear":
		ch.said = nil
		ch.tell("forgotten\n")
	case strings.HasPrefix(text, "/") && !strings.ContainsAny(text, " \n"):
		ch.tell("there is no command %s; /? tells which there are\n", text)
	default:
		ch.answer(ctx, text)
	}
	return false
}

// answer has the model answer. What was told of an answer that was stopped counts as
// said; where nothing was told, neither was the question asked.
func (ch *chat) answer(ctx context.Context, text string) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ch.keys.stops(stop)
	defer ch.keys.stops(nil)
	ch.print.begin()
	talk := append(ch.said, message{"user", text})
	t, err := ch.client.talk(ctx, ch.run.question(ch.model, talk...), nil, ch.print.hear)
	ch.print.end()
	if t.answer.Len() > 0 {
		ch.said = append(talk, message{"assistant", t.answer.String()})
	}
	switch {
	case err == nil:
		t.comment(ch.screen, ch.run.Verbose)
	case ctx.Err() != nil:
		ch.tell("stopped\n")
	default:
		if fail(ctx, ch.screen, err); starling.KindOf(err) == starling.TooLarge && len(ch.said) > 0 {
			ch.tell("/clear makes room\n")
		}
	}
	fmt.Fprintln(ch.screen)
}

// A keyboard is what the user types, read ahead so that ctrl-C is noticed while nobody
// reads lines. Its Read is for one goroutine.
type keyboard struct {
	ctx    context.Context
	more   chan struct{} // something was typed, or the end was
	broken bool          // the line that was read last: by ctrl-C

	mu    sync.Mutex
	typed []byte
	err   error
	stop  func() // ends the answer under way; nil: there is none
}

func newKeyboard(ctx context.Context, from io.Reader) *keyboard {
	k := &keyboard{ctx: ctx, more: make(chan struct{}, 1)}
	go k.listen(from) // ends with what it reads from: nobody else reads there
	return k
}

const (
	ctrlC = 0x03

	// dropLine empties a line on either side of the cursor (ctrl-U, ctrl-K) and enters it.
	dropLine = "\x15\x0b\r"
)

func (k *keyboard) listen(from io.Reader) {
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		k.mu.Lock()
		for _, b := range buf[:n] {
			if b == ctrlC && k.stop != nil {
				k.stop()
			} else {
				k.typed = append(k.typed, b)
			}
		}
		k.err = err
		k.mu.Unlock()
		select {
		case k.more <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// Read returns keys up to the end of a line, or those by which the terminal drops one
// where ctrl-C was pressed.
func (k *keyboard) Read(p []byte) (int, error) {
	for {
		if n, err := k.next(p); n > 0 || err != nil {
			return n, err
		}
		select {
		case <-k.ctx.Done():
			return 0, k.ctx.Err()
		case <-k.more:
		}
	}
}

func (k *keyboard) next(p []byte) (n int, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case len(k.typed) == 0:
		return 0, k.err
	case k.typed[0] == ctrlC:
		k.typed, k.broken = k.typed[1:], true
		return copy(p, dropLine), nil
	}
	for n < len(p) && n < len(k.typed) && k.typed[n] != ctrlC {
		p[n] = k.typed[n]
		if n++; p[n-1] == '\r' {
			break
		}
	}
	k.typed = k.typed[n:]
	return n, nil
}

// interrupted reports whether the line that was read last was dropped by ctrl-C.
func (k *keyboard) interrupted() bool {
	was := k.broken
	k.broken = false
	return was
}

// stops says what ctrl-C ends from now on; nil: nothing but a line.
func (k *keyboard) stops(stop func()) {
	k.mu.Lock()
	k.stop = stop
	k.mu.Unlock()
}
