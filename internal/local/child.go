package local

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"starling"
	"starling/internal/engine"
)

// Of what a child says to people, so many bytes are kept for the log: half of them from
// its beginning.
const mostWords = 4 << 10

// mostOrders may wait for a child to read them. There are fewer works than that, so one
// that lets more wait reads none.
const mostOrders = 1024

// readingRate is how many bytes of prompts any engine reads in a second. While it reads
// it says nothing.
const readingRate = 100

// buried is how long a child that was killed may keep its pipes open.
const buried = 2 * time.Second

// A child is one process that holds one model. run is its life; everything else may be
// called by anybody, at any time, and does not block.
type child struct {
	name   string
	number uint64 // no other child of this gateway has it
	load   engine.Load
	limits limits
	log    *slog.Logger
	cmd    *exec.Cmd
	link   *engine.Conn
	words  ends

	orders chan engine.Order
	told   chan engine.Report // what concerns the child itself
	broken chan error         // holds why the link is of no use any more
	stop   chan struct{}      // closed when nobody needs the child any more
	closed chan struct{}      // closed when run is about to return
	once   sync.Once
	pumps  sync.WaitGroup // the goroutines that read and write

	loaded  *engine.Loaded // once ready was called
	process atomic.Int64

	mu    sync.Mutex // guards what follows
	works map[uint64]*work
	last  uint64
	heard time.Time
	gone  error // why it takes no works any more
}

// limits are what is expected of a child.
type limits struct {
	load    time.Duration // until it has loaded
	silence time.Duration // until it says something, while it has work
}

func newChild(name string, number uint64, cmd *exec.Cmd, load engine.Load, l limits, log *slog.Logger) *child {
	return &child{
		name: name, number: number, cmd: cmd, load: load, limits: l, log: log,
		orders: make(chan engine.Order, mostOrders), told: make(chan engine.Report), broken: make(chan error, 1),
		stop: make(chan struct{}), closed: make(chan struct{}), works: map[uint64]*work{},
	}
}

// run starts the child, has it load, and returns when the process is no more. It calls
// ready once the child has loaded, and gone at the end: with nil if the child was told
// to end, with an [*starling.Error] otherwise. Only then the works that were under way
// fail: who asks again at once is not sent to the same child.
//
// It keeps its thread, with which the child would die.
func (c *child) run(ready func(), gone func(error)) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := c.start()
	if err == nil {
		err = c.live(ready)
	}
	err = c.bury(err)
	works := c.renounce(err)
	gone(err)
	for _, w := range works {
		w.put(engine.Report{}, c.gone)
	}
}

func (c *child) start() error {
	detach(c.cmd)
	c.cmd.Stderr, c.cmd.WaitDelay = &c.words, buried
	// The library would have a debugger look into a process that falls: that takes
	// seconds, and what it prints may hold of prompts.
	c.cmd.Env = append(c.cmd.Environ(), "GGML_NO_BACKTRACE=1")
	in, err := c.cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	c.link = engine.NewConn(pipes{out, in})
	if err := c.cmd.Start(); err != nil {
		return err
	}
	c.process.Store(int64(c.cmd.Process.Pid))
	_ = expose(c.cmd.Process.Pid)
	c.pumps.Go(c.write)
	c.pumps.Go(c.read)
	return nil
}

var errStopped = errors.New("nobody needs it any more")

// live waits until the child may not go on, and returns why.
func (c *child) live(ready func()) error {
	late := time.NewTimer(c.limits.load)
	defer late.Stop()
	watch := time.NewTicker(max(c.limits.silence/4, time.Millisecond))
	defer watch.Stop()
	for greeted := false; ; {
		select {
		case <-c.stop:
			return errStopped
		case err := <-c.broken:
			return err
		case <-late.C:
			return fmt.Errorf("it had not loaded after %s", c.limits.load)
		case now := <-watch.C:
			if c.hangs(now) {
				return fmt.Errorf("it has work and said nothing for %s", c.limits.silence)
			}
		case r := <-c.told:
			if err := c.meet(r, greeted); err != nil {
				return err
			}
			greeted = true
			if r.Loaded != nil {
				late.Stop()
				ready()
			}
		}
	}
}

// meet takes what a child says of itself: first who it is, then how far it is with its
// load, and then that it is ready.
func (c *child) meet(r engine.Report, greeted bool) error {
	switch {
	case r.Fault != nil:
		return asError(r.Fault)
	case r.Hello != nil && r.Hello.Version != engine.Version:
		return &starling.Error{Kind: starling.Refused, Op: fmt.Sprintf("the engine speaks version %d of our language, we speak %d", r.Hello.Version, engine.Version), Hint: "the program was replaced while it ran: start it again"}
	case r.Hello != nil && !greeted:
		c.send(engine.Order{Load: &c.load})
	case r.Loaded != nil && greeted && c.loaded == nil:
		c.loaded = r.Loaded
	case r.Progress > 0 && greeted && c.loaded == nil:
	default:
		return engine.ErrGarbage
	}
	return nil
}

// hangs reports whether the child has been silent for too long. Whoever has much to
// read says nothing for longer.
func (c *child) hangs(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.works) == 0 {
		return false
	}
	limit := c.limits.silence
	for _, w := range c.works {
		limit += time.Duration(w.size) * time.Second / readingRate
	}
	return now.Sub(c.heard) > limit
}

// bury ends the process, waits for it, and says why it ended.
func (c *child) bury(why error) error {
	close(c.closed)
	kill(c.cmd)
	var left error
	if c.cmd.Process != nil {
		force := time.AfterFunc(buried, func() { _ = c.link.Close() }) // somebody else may hold its pipes
		c.pumps.Wait()
		force.Stop()
		_ = c.link.Close()
		left = c.cmd.Wait()
	}
	err := c.reason(why, left)
	if err != nil {
		c.log.Warn("engine ended", "model", c.name, "why", err, "stderr", c.words.String())
	}
	return err
}

// renounce has the child take no works any more, and returns those that it had.
func (c *child) renounce(err error) map[uint64]*work {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone = err; err == nil {
		c.gone = &starling.Error{Kind: starling.Overloaded, Op: "the engine of " + c.name + " was ended: " + errStopped.Error(), Hint: "ask again"}
	}
	works := c.works
	c.works = nil
	return works
}

// reason puts into words why a child ended that left so.
func (c *child) reason(why, left error) error {
	own, ours := errors.AsType[*starling.Error](why)
	switch {
	case errors.Is(why, errStopped):
		return nil
	case ours:
		e := *own
		e.Op = "the engine of " + c.name + ": " + e.Op
		return &e
	case !errors.Is(why, io.EOF) && !errors.Is(why, io.ErrUnexpectedEOF):
		left = why
	case killed(left):
		left = errKilled
	case left == nil:
		left = errors.New("it hung up")
	}
	return &starling.Error{Kind: starling.Overloaded, Op: "the engine of " + c.name + " ended", Hint: "it is started again; the log says more", Err: left}
}

// errKilled is how a child ends that took more memory than it was expected to.
var errKilled = errors.New("signal 9, as the system ends what it has no memory for")

// end tells the child that nobody needs it any more.
func (c *child) end() { c.once.Do(func() { close(c.stop) }) }

// pid is the child's, 0 before it has one.
func (c *child) pid() int { return int(c.process.Load()) }

// begin gives the child a piece of work. done is told its last report, in whatever
// goroutine; an error says that it was not begun.
func (c *child) begin(o engine.Order, size int, done func(engine.Report)) (*work, error) {
	c.mu.Lock()
	if c.gone != nil {
		c.mu.Unlock()
		return nil, c.gone
	}
	c.last++
	o.ID = c.last
	w := &work{id: o.ID, child: c, size: size, choices: o.Choices(), open: o.Choices(), wake: make(chan struct{}, 1), done: done}
	c.works[w.id] = w
	c.heard = time.Now() // from now on silence counts
	c.mu.Unlock()
	c.send(o)
	return w, nil
}

// send has an order written.
func (c *child) send(o engine.Order) {
	select {
	case c.orders <- o:
	default:
		c.breaks(errors.New("it takes no orders"))
	}
}

// breaks says why the link is of no use any more. The first reason counts.
func (c *child) breaks(err error) {
	select {
	case c.broken <- err:
	default:
	}
}

func (c *child) write() {
	for {
		select {
		case <-c.closed:
			return
		case o := <-c.orders:
			if err := c.link.Send(o); err != nil {
				if starling.KindOf(err) == starling.TooLarge {
					c.breaks(errors.Unwrap(err))
				}
				return // else the reader knows better why
			}
		}
	}
}

func (c *child) read() {
	for {
		r, err := c.link.Receive()
		if err != nil {
			err = errors.Unwrap(err) // it is the child's end, whatever the link calls it
		} else {
			err = c.heed(r)
		}
		if err != nil {
			c.breaks(err)
			return
		}
	}
}

// heed passes a report to whom it is for.
func (c *child) heed(r engine.Report) error {
	if r.ID == 0 {
		select {
		case c.told <- r:
		case <-c.closed:
		}
		return nil
	}
	c.mu.Lock()
	c.heard = time.Now()
	w := c.works[r.ID]
	fits := w != nil && w.expects(r)
	if r.Last() {
		delete(c.works, r.ID)
	}
	c.mu.Unlock()
	if !fits {
		return engine.ErrGarbage
	}
	w.put(r, nil)
	return nil
}

// The ends of a text are what is kept of it: its beginning and its end. Of a child that
// falls the library says why, and then the runtime all that it did. Safe for concurrent
// use.
type ends struct {
	mu          sync.Mutex
	first, last []byte
	lost        bool // something between them
}

func (e *ends) Write(p []byte) (int, error) {
	const half = mostWords / 2
	e.mu.Lock()
	defer e.mu.Unlock()
	n := min(len(p), half-len(e.first))
	e.first = append(e.first, p[:n]...)
	e.last = append(e.last, p[n:]...)
	if over := len(e.last) - half; over > 0 {
		e.last, e.lost = append(e.last[:0], e.last[over:]...), true
	}
	return len(p), nil
}

func (e *ends) String() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	between := ""
	if e.lost {
		between = "\n…\n"
	}
	return string(e.first) + between + string(e.last)
}
