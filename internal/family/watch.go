package family

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ardanlabs/jinja"
)

// A watch counts what one rendering does. Its functions are what rewritten expressions
// call; those that take the place of the engine's own do the same as those.
type watch struct {
	rounds, macros, within int
	left                   int // bytes that may still go through expressions
	checked                int // what was left when the clock was looked at
	deadline               time.Time
}

type callee = func(args []jinja.Value, named map[string]jinja.Value) (jinja.Value, error)

// newWatch is of a rendering of these values.
func newWatch(values map[string]jinja.Value) *watch {
	const endless = 1 << 50
	w := &watch{left: endless, checked: endless, deadline: time.Now().Add(patience)}
	for _, v := range values {
		_ = w.weigh(v, 0, 1) // nothing nests in them deeper than their readers allow
	}
	w.left = mostWork + mostShare*(endless-w.left)
	w.checked = w.left
	return w
}

func (w *watch) functions() map[string]callee {
	through := func(f func(v jinja.Value) error) callee {
		return func(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
			if len(args) == 0 {
				return jinja.Undefined(), nil
			}
			return args[0], f(args[0])
		}
	}
	deep := func(times int) callee {
		return through(func(v jinja.Value) error { return w.weigh(v, 0, times) })
	}
	return map[string]callee{
		own + "tick":     w.tick,
		own + "turn":     through(func(jinja.Value) error { return w.round() }),
		own + "out":      deep(1),
		own + "weigh":    deep(1),
		own + "order":    deep(64),         // each is compared with some others, and slowly
		own + "indented": deep(mostSmall),  // of a line for each value
		own + "touch":    through(w.touch), // what a method or a filter looks at
		own + "copy":     through(w.copied),
		own + "each":     through(w.copied),
		own + "number":   through(w.number),
		own + "small":    through(w.small),
		own + "callable": through(callable),
		own + "concat":   w.concat,
		own + "add":      w.add,
		own + "times":    w.times,
		own + "slice":    w.slice,
		own + "join":     w.join,
		own + "indent":   w.indent,
		own + "replace":  w.replace,

		own + "method_replace": w.method("replace", w.replace),
		own + "method_format":  w.method("format", w.format),
		own + "method_split":   w.method("split", w.split),

		"range": w.span,
	}
}

// spend counts bytes that go through an expression, or the like of them.
func (w *watch) spend(n int) error {
	if n < 0 || n > w.left {
		return errText
	}
	w.left -= n
	if w.checked-w.left > 1<<20 {
		w.checked = w.left
		if time.Now().After(w.deadline) {
			return errPatient
		}
	}
	return nil
}

func (w *watch) round() error {
	if w.rounds++; w.rounds > mostRounds {
		return errRounds
	}
	return w.spend(16)
}

// tick counts a round of a loop, and a macro that begins or ends.
func (w *watch) tick(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	switch args[0].AsString() {
	case "macro", "call":
		w.macros++
		w.within++
	case "endmacro", "endcall":
		w.within--
	}
	switch {
	case w.macros > mostMacros:
		return jinja.Undefined(), errRounds
	case w.within > mostWithin:
		return jinja.Undefined(), errDeep
	}
	return jinja.NewBool(false), w.round()
}

// weigh counts all that a value holds, as often as it holds it. A value that holds itself
// is too deep.
func (w *watch) weigh(v jinja.Value, depth, times int) error {
	switch {
	case depth > mostLevels:
		return errDeep
	case v.IsString():
		return w.spend((16 + len(v.AsString())) * times)
	case v.IsList():
		for _, e := range v.AsList().Items {
			if err := w.weigh(e, depth+1, times); err != nil {
				return err
			}
		}
	case v.IsDict():
		d := v.AsDict()
		for _, key := range d.Keys {
			if err := w.spend((16 + len(key)) * times); err != nil {
				return err
			}
			if err := w.weigh(d.Data[key], depth+1, times); err != nil {
				return err
			}
		}
	}
	return w.spend(16 * times)
}

// touch counts what a method goes through, without what its parts hold.
func (w *watch) touch(v jinja.Value) error {
	switch {
	case v.IsString():
		return w.spend(16 + len(v.AsString()))
	case v.IsList():
		return w.spend(16 + v.AsList().Len()/8)
	case v.IsDict():
		return w.spend(16 + v.AsDict().Len()*128)
	}
	return w.spend(16)
}

// copied counts a list of what a value has.
func (w *watch) copied(v jinja.Value) error {
	switch {
	case v.IsString():
		return w.spend(64 * len(v.AsString()))
	case v.IsList():
		return w.spend(32 * v.AsList().Len())
	}
	return w.touch(v)
}

// number refuses a long text, through which the engine would go for one.
func (w *watch) number(v jinja.Value) error {
	if v.IsString() && len(v.AsString()) > 64 {
		return errText
	}
	return w.spend(16)
}

// small refuses an argument that would make much of each part of a value.
func (w *watch) small(v jinja.Value) error {
	if v.IsInt() && (v.AsInt() < 0 || v.AsInt() > mostSmall) || v.IsFloat() {
		return errText
	}
	before := w.left
	if err := w.weigh(v, 0, 1); err != nil {
		return err
	}
	if before-w.left > 4*mostSmall+16 {
		return errText
	}
	return nil
}

// callable refuses what is none: the engine would print it.
func callable(v jinja.Value) error {
	if !v.IsCallable() {
		return errBroken
	}
	return nil
}

// printed is a value as the engine prints it, weighed before.
func (w *watch) printed(v jinja.Value) (string, error) {
	if err := w.weigh(v, 0, 1); err != nil {
		return "", err
	}
	switch {
	case v.IsString():
		return v.AsString(), nil
	case v.IsUndefined(), v.IsNone(), v.IsCallable():
		return "", nil
	}
	return v.String(), nil
}

func (w *watch) texts(args []jinja.Value) ([]string, error) {
	all := make([]string, len(args))
	for i, a := range args {
		s, err := w.printed(a)
		if err != nil {
			return nil, err
		}
		all[i] = s
	}
	return all, nil
}

// said is a text that was made, of so many bytes.
func (w *watch) said(bytes int, s func() string) (jinja.Value, error) {
	if err := w.spend(bytes); err != nil {
		return jinja.Undefined(), err
	}
	return jinja.NewString(s()), nil
}

func (w *watch) concat(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	all, err := w.texts(args)
	if err != nil {
		return jinja.Undefined(), err
	}
	return w.said(0, func() string { return strings.Join(all, "") }) // all was weighed
}

func (w *watch) add(args []jinja.Value, named map[string]jinja.Value) (jinja.Value, error) {
	a, b := args[0], args[1]
	switch {
	case a.IsString() || b.IsString():
		return w.concat(args, named)
	case a.IsList() && b.IsList():
		x, y := a.AsList().Items, b.AsList().Items
		if err := w.spend(32 * (len(x) + len(y))); err != nil {
			return jinja.Undefined(), err
		}
		return jinja.NewList(append(append(make([]jinja.Value, 0, len(x)+len(y)), x...), y...)), nil
	case a.IsFloat() || b.IsFloat():
		return jinja.NewFloat(float(a) + float(b)), nil
	}
	return jinja.NewInt(whole(a) + whole(b)), nil
}

func (w *watch) times(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	a, b := args[0], args[1]
	switch {
	case a.IsString() && b.IsInt():
		s, n := a.AsString(), b.AsInt()
		if n <= 0 || s == "" {
			return jinja.NewString(""), nil
		}
		if n > mostWork {
			return jinja.Undefined(), errText
		}
		return w.said(len(s)*int(n), func() string { return strings.Repeat(s, int(n)) })
	}
	if err := errors.Join(w.number(a), w.number(b)); err != nil {
		return jinja.Undefined(), err
	}
	if a.IsFloat() || b.IsFloat() {
		return jinja.NewFloat(float(a) * float(b)), nil
	}
	return jinja.NewInt(whole(a) * whole(b)), nil
}

// whole is a value as a whole number, 0 where it is none; of a text as the engine has it.
func whole(v jinja.Value) int64 {
	switch {
	case v.IsInt():
		return v.AsInt()
	case v.IsFloat():
		return int64(v.AsFloat())
	case v.IsBool() && v.AsBool():
		return 1
	case v.IsString():
		var n int64
		_, _ = fmt.Sscanf(v.AsString(), "%d", &n) // 0 if it is none
		return n
	}
	return 0
}

func float(v jinja.Value) float64 {
	switch {
	case v.IsFloat():
		return v.AsFloat()
	case v.IsString():
		var f float64
		_, _ = fmt.Sscanf(v.AsString(), "%f", &f)
		return f
	}
	return float64(whole(v))
}

// slice is obj[start:stop:step], as Python has it.
func (w *watch) slice(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	if err := w.copied(args[0]); err != nil {
		return jinja.Undefined(), err
	}
	var runes []rune
	n := 0
	switch {
	case args[0].IsString():
		runes = []rune(args[0].AsString())
		n = len(runes)
	case args[0].IsList():
		n = args[0].AsList().Len()
	default:
		return jinja.Undefined(), nil
	}
	var items []jinja.Value
	var text []rune
	for _, i := range indexes(args[1:], n) {
		if runes != nil {
			text = append(text, runes[i])
		} else {
			items = append(items, args[0].AsList().Get(i))
		}
	}
	if args[0].IsString() {
		return jinja.NewString(string(text)), nil
	}
	return jinja.NewList(items), nil
}

// indexes are those that a slice of n parts has.
func indexes(bounds []jinja.Value, n int) (all []int) {
	step := 1
	if !bounds[2].IsNone() {
		step = int(max(min(whole(bounds[2]), int64(n)+1), -int64(n)-1))
	}
	if step == 0 {
		step = 1
	}
	start, stop, least, most := 0, n, 0, n
	if step < 0 {
		start, stop, least, most = n-1, -1, -1, n-1
	}
	place := func(v jinja.Value, otherwise int) int {
		if v.IsNone() {
			return otherwise
		}
		i := whole(v)
		if i < 0 {
			i += int64(n)
		}
		return int(max(min(i, int64(most)), int64(least)))
	}
	start, stop = place(bounds[0], start), place(bounds[1], stop)
	for i := start; step > 0 && i < stop || step < 0 && i > stop; i += step {
		all = append(all, i)
	}
	return all
}

func (w *watch) join(args []jinja.Value, named map[string]jinja.Value) (jinja.Value, error) {
	if !args[0].IsList() {
		s, err := w.printed(args[0])
		return jinja.NewString(s), err
	}
	var options [2]string
	for i, v := range []jinja.Value{given(args, 1, named, "d"), named["attribute"]} {
		s, err := w.printed(v)
		if err != nil {
			return jinja.Undefined(), err
		}
		options[i] = s
	}
	items := append([]jinja.Value(nil), args[0].AsList().Items...)
	for i, v := range items {
		if v.IsDict() && options[1] != "" && v.AsDict().Has(options[1]) {
			items[i] = v.AsDict().Data[options[1]]
		}
	}
	all, err := w.texts(items)
	if err != nil {
		return jinja.Undefined(), err
	}
	return w.said(len(all)*len(options[0]), func() string { return strings.Join(all, options[0]) })
}

// given is an argument by its place or its name, which goes first.
func given(args []jinja.Value, at int, named map[string]jinja.Value, name string) jinja.Value {
	if v, ok := named[name]; ok {
		return v
	}
	if at < len(args) {
		return args[at]
	}
	return jinja.Undefined()
}

func (w *watch) indent(args []jinja.Value, named map[string]jinja.Value) (jinja.Value, error) {
	s, err := w.printed(args[0])
	if err != nil {
		return jinja.Undefined(), err
	}
	width := int64(4)
	if v := given(args, 1, named, "width"); !v.IsUndefined() {
		width = whole(v)
	}
	if width < 0 || width > 1<<10 {
		return jinja.Undefined(), errText
	}
	lines := strings.Split(s, "\n")
	return w.said(len(lines)*(int(width)+32), func() string {
		for i, line := range lines {
			if line != "" && (i > 0 || given(args, 2, named, "first").IsTruthy()) {
				lines[i] = strings.Repeat(" ", int(width)) + line
			}
		}
		return strings.Join(lines, "\n")
	})
}

// method is one of a text. An object may have something of its own under that name.
func (w *watch) method(name string, f callee) callee {
	return func(args []jinja.Value, named map[string]jinja.Value) (jinja.Value, error) {
		if args[0].IsDict() {
			if v, ok := args[0].AsDict().Get(name); ok && v.IsCallable() {
				return v.AsCallable().Fn(args[1:], named)
			}
		}
		if !args[0].IsString() {
			return jinja.Undefined(), errBroken
		}
		return f(args, named)
	}
}

func (w *watch) replace(args []jinja.Value, named map[string]jinja.Value) (jinja.Value, error) {
	if len(args) < 3 {
		return jinja.Undefined(), errBroken
	}
	all, err := w.texts(args[:3])
	if err != nil {
		return jinja.Undefined(), err
	}
	count := -1
	if v := given(args, 3, named, "count"); !v.IsUndefined() {
		count = int(whole(v))
	}
	n := strings.Count(all[0], all[1])
	return w.said(len(all[0])+n*len(all[2]), func() string { return strings.Replace(all[0], all[1], all[2], count) })
}

// format puts its arguments in for {0} and {}, one after the other as the engine does.
func (w *watch) format(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	all, err := w.texts(args)
	if err != nil {
		return jinja.Undefined(), err
	}
	s := all[0]
	for i, a := range all[1:] {
		place := fmt.Sprintf("{%d}", i)
		if err := w.spend(2*len(s) + (1+strings.Count(s, place))*len(a)); err != nil {
			return jinja.Undefined(), err
		}
		s = strings.Replace(strings.ReplaceAll(s, place, a), "{}", a, 1)
	}
	return jinja.NewString(s), nil
}

func (w *watch) split(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	all, err := w.texts(args)
	if err != nil {
		return jinja.Undefined(), err
	}
	n := len(all[0])
	if len(all) > 1 && all[1] != "" {
		n = strings.Count(all[0], all[1])
	}
	if len(all) == 1 {
		n = (n + 1) / 2
	}
	if err := w.spend(64 * (n + 1)); err != nil {
		return jinja.Undefined(), err
	}
	pieces := strings.Fields(all[0])
	if len(all) > 1 {
		pieces = strings.Split(all[0], all[1])
	}
	items := make([]jinja.Value, len(pieces))
	for i, p := range pieces {
		items[i] = jinja.NewString(p)
	}
	return jinja.NewList(items), nil
}

// span is range with an end in sight.
func (w *watch) span(args []jinja.Value, _ map[string]jinja.Value) (jinja.Value, error) {
	n := []int64{0, 0, 1}
	for i, a := range args {
		if i > 2 || !a.IsInt() {
			return jinja.Undefined(), errors.New("range of what is no number")
		}
		n[i] = a.AsInt()
	}
	if len(args) == 1 {
		n[0], n[1] = 0, n[0]
	}
	if n[2] == 0 {
		return jinja.Undefined(), errors.New("range without a step")
	}
	var items []jinja.Value
	for i := n[0]; (n[2] > 0 && i < n[1]) || (n[2] < 0 && i > n[1]); i += n[2] {
		if err := w.round(); err != nil {
			return jinja.Undefined(), err
		}
		items = append(items, jinja.NewInt(i))
	}
	return jinja.NewList(items), nil
}
