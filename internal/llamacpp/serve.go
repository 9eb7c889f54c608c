package llamacpp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"time"

	"starling"
	"starling/internal/engine"
)

// parting is the longest that a child without a parent waits for a step to end.
const parting = time.Second

// Serve is a child's whole life: it greets, waits for its [Load], loads, and obeys
// orders until in ends, which means that its parent is gone. Then it returns nil once the
// step under way is done, and after a second even in the middle of one: the process is
// meant to end with it. A load that fails is told as a Fault of no ID, and ends Serve
// with nil too. Errors: Overloaded where what comes in is no order or nobody reads what
// goes out, ctx.Err() where ctx ends first.
//
// The library is called by one goroutine, on a thread of its own.
func Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	c := &child{out: out, orders: mailbox{arrived: make(chan struct{}, 1)}}
	read, lived := make(chan error, 1), make(chan error, 1)
	go func() { read <- c.read(in) }()
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread() // a thread that was called back by the library may crash where it ends
		lived <- c.live()
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-lived:
		if err == nil && c.orders.over() {
			return <-read // it lived until orders ended: why they did is read's to say
		}
		return err
	case err := <-read:
		select { // a program that ends in the middle of a step may crash at its end
		case <-lived:
		case <-time.After(parting):
		}
		return err
	}
}

// A child is one side of the talk. Only its read is called beside the rest.
type child struct {
	out    io.Writer
	orders mailbox
}

// read collects orders, also while a batch is worked on.
func (c *child) read(in io.Reader) error {
	defer c.orders.close()
	from := bufio.NewReader(in)
	for {
		o, err := engine.ReadOrder(from)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		c.orders.put(o)
	}
}

// live greets, loads and works until no more orders can come, nobody listens, or nothing
// could be loaded.
func (c *child) live() error {
	if err := c.say(engine.Report{Hello: &engine.Hello{Version: engine.Version, Pid: os.Getpid()}}); err != nil {
		return err
	}
	l, err := c.awaitLoad()
	if l == nil || err != nil {
		return err
	}
	m, err := load(l, func(p float32) { _ = c.say(engine.Report{Progress: p}) })
	if err != nil {
		return c.say(engine.Report{Fault: faultOf(err)})
	}
	if err := c.say(engine.Report{Loaded: m.loaded()}); err != nil {
		return err
	}
	return newLoop(m, l, c).run()
}

// awaitLoad refuses all that comes before the Load, which is nil if there is none.
func (c *child) awaitLoad() (*engine.Load, error) {
	for {
		o, open := c.orders.first()
		switch {
		case !open:
			return nil, nil
		case o.Load != nil:
			return o.Load, nil
		case o.Cancel || o.Threads != 0:
			continue
		}
		if err := c.say(engine.Report{ID: o.ID, Fault: faultOf(invalid("the first order is a load"))}); err != nil {
			return nil, err
		}
	}
}

func (c *child) say(r engine.Report) error {
	return engine.WriteReport(c.out, r)
}

// A mailbox holds orders that nobody has taken yet. It never makes its writer wait, so
// that the end of a stream is seen while a model is loaded or a long prompt read.
type mailbox struct {
	mu      sync.Mutex
	held    []engine.Order
	closed  bool
	arrived chan struct{} // has room for one
}

func (m *mailbox) put(o engine.Order) {
	m.mu.Lock()
	m.held = append(m.held, o)
	m.mu.Unlock()
	m.ring()
}

func (m *mailbox) close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.ring()
}

// over is true once no more can come.
func (m *mailbox) over() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.closed
}

func (m *mailbox) ring() {
	select {
	case m.arrived <- struct{}{}:
	default:
	}
}

// take returns what has arrived, and waits for something if it is told to. It is not
// open once no more can come.
func (m *mailbox) take(wait bool) (all []engine.Order, open bool) {
	for {
		m.mu.Lock()
		all, m.held, open = m.held, nil, !m.closed
		m.mu.Unlock()
		if len(all) > 0 || !wait || !open {
			return all, open
		}
		<-m.arrived
	}
}

// first waits for one order alone.
func (m *mailbox) first() (o engine.Order, open bool) {
	all, open := m.take(true)
	if len(all) == 0 {
		return engine.Order{}, open
	}
	m.mu.Lock()
	m.held = append(all[1:], m.held...)
	m.mu.Unlock()
	return all[0], open
}

func invalid(format string, args ...any) error {
	return &starling.Error{Kind: starling.Invalid, Op: "llamacpp: " + fmt.Sprintf(format, args...)}
}

func faultOf(err error) *engine.Fault {
	e, ok := errors.AsType[*starling.Error](err)
	if !ok {
		e = &starling.Error{Kind: starling.Internal, Op: "llamacpp", Err: err}
	}
	plain := starling.Error{Op: e.Op, Err: e.Err}
	return &engine.Fault{Kind: e.Kind, Op: plain.Error(), Hint: e.Hint}
}
