// Command starling answers each request to a language model with the cheapest
// thing that is good enough, and accounts for everything it did.
//
// It is the composition root: what isn't wired here isn't in the program. Start
// reading at [run], then build.go, which puts the parts together.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"syscall"

	"github.com/alecthomas/kong"
	kongcompletion "github.com/jotaen/kong-completion"

	"starling"
)

// version is set by the release build.
var version = "dev"

// commands is the command line: each command is a struct with a Run method in
// the file of its name.
type commands struct {
	Config string `help:"Configuration file; without one, providers are found by their keys in the environment." placeholder:"FILE" env:"STARLING_CONFIG"`
	Data   string `help:"Folder of the ledger and its key." placeholder:"DIR" env:"STARLING_DATA"`

	ShowVersion kong.VersionFlag `name:"version" help:"Print the version."`

	Serve     serveCmd     `cmd:"" help:"Serve the gateway."`
	Run       runCmd       `cmd:"" help:"Ask a model, once or in a chat: one of this machine, or any other."`
	Ask       askCmd       `cmd:"" help:"Hand one task to whoever is good enough for it, and get the answer with its receipt."`
	Demo      demoCmd      `cmd:"" help:"Show the whole thing at work, without keys, network or weights."`
	Simulate  simulateCmd  `cmd:"" help:"Serve simulated upstreams in every dialect, for load tests and what-ifs."`
	Rightsize rightsizeCmd `cmd:"" help:"Try a skill's candidates on its cases, and say which are good enough."`
	Warrant   warrantCmd   `cmd:"" help:"List, explain and revoke warrants: who was shown to be good enough."`
	Distill   distillCmd   `cmd:"" help:"Make a small student of a skill's texts, and say from which confidence on it may answer."`
	Student   studentCmd   `cmd:"" help:"List and explain the students of skills."`
	Evidence  evidenceCmd  `cmd:"" help:"List graded outcomes, and import and forget texts to learn from."`
	Explain   explainCmd   `cmd:"" help:"Show what was done to one request, and why."`
	Ledger    ledgerCmd    `cmd:"" help:"List, sum up and verify receipts."`
	Budget    budgetCmd    `cmd:"" help:"Show how far each budget is used."`
	Key       keyCmd       `cmd:"" help:"Make, list and revoke the gateway's keys."`
	Models    modelsCmd    `cmd:"" help:"List the models that can be called, with zones and prices."`
	Model     modelCmd     `cmd:"" help:"Pull, import, quantise, list and remove models that answer on this machine."`
	Pause     pauseCmd     `cmd:"" help:"Have the models on this machine stop, at once."`
	Resume    resumeCmd    `cmd:"" help:"Have them go on."`
	Engine    engineCmd    `cmd:"" help:"Install llama.cpp, which runs them, and say what is missing."`
	Skill     skillCmd     `cmd:"" help:"List and check skills and their rubrics."`
	Mcp       mcpCmd       `cmd:"" help:"Offer all this to an agent as tools, over stdin and stdout (Model Context Protocol)."`
	Check     checkCmd     `cmd:"" help:"Check the configuration and the skills, and say what would be served."`

	Completion kongcompletion.Completion `cmd:"" help:"Print shell completion: source <(starling completion -c bash)."`
	Version    versionCmd                `cmd:"" help:"Print the version."`
}

// A program is what commands run with: tests give it their own streams.
type program struct {
	ctx            context.Context
	stdout, stderr io.Writer
	flags          *commands
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without the process.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var flags commands
	exited, code := false, 0
	parser, err := kong.New(&flags,
		kong.Name("starling"),
		kong.Description("Answers each request with the cheapest model that is good enough, and proves what it did."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(c int) { exited, code = true, c }),
		kong.UsageOnError(),
		kong.Vars{"version": "starling " + version},
		kong.ExplicitGroups([]kong.Group{{Key: ofOneModel, Title: "With --model:"}}),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		return fail(ctx, stderr, err)
	}
	kongcompletion.Register(parser)
	parsed, err := parser.Parse(args)
	if exited {
		return code
	}
	if err != nil {
		fmt.Fprintf(stderr, "starling: %s\n%s --help shows what can be said\n", inLines(noValue.ReplaceAllString(err.Error(), "a value is missing")), understood(err))
		return exitUsage
	}
	err = parsed.Run(&program{ctx, stdout, stderr, &flags})
	if status, ok := errors.AsType[exitStatus](err); ok {
		return int(status)
	}
	if err != nil {
		return fail(ctx, stderr, err)
	}
	return 0
}

// An exitStatus is how a command wants to end that has said all there is to say.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// noValue is how the parser says that a flag stands at the end of the line.
var noValue = regexp.MustCompile(`expected \w+ value but got "EOL" \(<EOL>\)`)

// understood is the command as far as it was understood.
func understood(err error) string {
	command := "starling"
	if e, ok := errors.AsType[*kong.ParseError](err); ok {
		for _, p := range e.Context.Path {
			if p.Command != nil {
				command = p.Command.FullPath()
			}
		}
	}
	return command
}

// Exit codes: scripts branch on them.
const (
	exitInternal = 1
	exitUsage    = 2
)

// exitCodes say what kind of error ended a command; docs/runbook.md lists them.
var exitCodes = map[starling.Kind]int{
	starling.Invalid: 3, starling.Unauthenticated: 4, starling.Forbidden: 5, starling.NotFound: 6, starling.TooLarge: 7,
	starling.OverBudget: 8, starling.Overloaded: 9, starling.Refused: 10, starling.Unproven: 11, starling.Cancelled: 130, starling.Internal: exitInternal,
}

// fail says why a command has ended, and returns its exit code. ctx is the command's own.
// Whoever sent a signal knows what has ended it, and is told at most what to do next.
func fail(ctx context.Context, w io.Writer, err error) int {
	e, ours := errors.AsType[*starling.Error](err)
	switch kind := kindOf(ctx, err); {
	case interrupted(ctx, err) && !(ours && e.Kind == kind && e.Hint != ""):
		return exitCodes[kind]
	case errors.Is(err, context.Canceled) && !ours:
		err = &starling.Error{Kind: starling.Internal, Op: "a part of this gave up though nobody stopped it", Hint: "run it again; if it stays so it is a bug", Err: err}
	}
	fmt.Fprintln(w, "starling:", inLines(err.Error()))
	return exitCodes[kindOf(ctx, err)]
}

// kindOf is that of the error that ended a command: Cancelled for whatever a signal did.
func kindOf(ctx context.Context, err error) starling.Kind {
	if interrupted(ctx, err) {
		return starling.Cancelled
	}
	return starling.KindOf(err)
}

// interrupted reports whether an error is of a signal, which alone ends a command's own ctx.
func interrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, context.Canceled)
}

type versionCmd struct {
	JSON bool `help:"Print JSON."`
}

func (c versionCmd) Run(p *program) error {
	if c.JSON {
		return p.encode(map[string]string{"version": version})
	}
	_, err := fmt.Fprintln(p.stdout, "starling", version)
	return err
}
