package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"strings"

	"starling"
)

// agrees asks whoever sits at the terminal, and is no where nobody does.
func (p *program) agrees(question string) bool {
	return p.attended() && agrees(p.ctx, bufio.NewReader(os.Stdin), p.stderr, question)
}

// attended reports whether somebody sees what is asked, and can say something to it.
func (p *program) attended() bool { return terminal(os.Stdin) && terminal(p.stderr) }

// agrees asks for yes or no; whatever else is said is no.
func agrees(ctx context.Context, in *bufio.Reader, out io.Writer, question string) bool {
	printf(out, "%s [y/N] ", question)
	said, err := readLine(ctx, in)
	if err != nil {
		printf(out, "\n") // nobody has ended the line
	}
	said = strings.ToLower(strings.TrimSpace(said))
	return said == "y" || said == "yes"
}

// consent asks the user whether it may be spent. Where nobody is there to be asked, it may
// not, and hint says how that is said beforehand.
func (p *program) consent(command, hint string) error {
	switch {
	case !p.attended():
		return &starling.Error{Kind: starling.Invalid, Op: command + ": nobody said that it may be spent", Hint: hint}
	case p.agrees("go on?"):
		return nil
	case p.ctx.Err() != nil:
		return p.ctx.Err()
	}
	return &starling.Error{Kind: starling.Cancelled, Op: command + ": nothing was asked"}
}

// readLine reads what a person says. Whoever interrupts is not waited for: the error then
// is that of ctx. It ends with the line, or with the program, so nobody else may read there.
func readLine(ctx context.Context, in *bufio.Reader) (string, error) {
	type said struct {
		text string
		err  error
	}
	done := make(chan said, 1)
	go func() {
		text, err := in.ReadString('\n')
		done <- said{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case s := <-done:
		return s.text, s.err
	}
}
