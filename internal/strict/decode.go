package strict

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"starling"
)

// A decoder fills Go values from nodes that a schema has accepted. It takes
// scalars from their own text, so that an amount keeps every digit. Where the
// schema allows one value for a list, one value is a list of one.
type decoder struct {
	problems []Problem
}

// decode fills what into points to. The error is Internal: the Go type does not
// agree with the schema.
func (d *decoder) decode(n *node, into any) (err error) {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return &starling.Error{Kind: starling.Internal, Op: "read strictly into a value that is no pointer"}
	}
	if err := d.fill(n, v.Elem()); err != nil {
		return &starling.Error{Kind: starling.Internal, Op: fmt.Sprintf("read strictly into %T", into), Err: err}
	}
	return nil
}

var (
	moneyType    = reflect.TypeFor[starling.Money]()
	durationType = reflect.TypeFor[time.Duration]()
)

func (d *decoder) fill(n *node, v reflect.Value) error {
	if n.kind == nothing {
		return nil
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		return d.fill(n, v.Elem())
	}
	if done, err := d.special(n, v); done {
		return err
	}
	switch {
	case v.Kind() == reflect.Interface:
		v.Set(reflect.ValueOf(n.value()))
		return nil
	case v.Kind() == reflect.Slice:
		return d.slice(n, v)
	case n.kind == mapping && v.Kind() == reflect.Struct:
		return d.structure(n, v)
	case n.kind == mapping && v.Kind() == reflect.Map:
		return d.table(n, v)
	case n.kind == mapping || n.kind == list:
		return fmt.Errorf("%s for a %s", n.kind, v.Type())
	}
	return d.scalar(n, v)
}

// special fills the types that read themselves, and those that have units.
func (d *decoder) special(n *node, v reflect.Value) (bool, error) {
	own := v.Addr().Interface()
	if u, ok := own.(json.Unmarshaler); ok {
		data, err := json.Marshal(n.value())
		if err != nil {
			return true, err
		}
		d.check(n, "the value cannot be used here", u.UnmarshalJSON(data))
		return true, nil
	}
	if n.kind == mapping || n.kind == list {
		return false, nil
	}
	switch v.Type() {
	case moneyType:
		m, err := starling.ParseMoney(n.text)
		d.check(n, "expected an amount of money", err)
		v.SetInt(int64(m))
		return true, nil
	case durationType:
		t, err := time.ParseDuration(n.text)
		if err != nil || t < 0 {
			d.add(n, "expected a duration", "write it like 500ms, 30s or 2m")
		}
		v.SetInt(int64(t))
		return true, nil
	}
	if u, ok := own.(encoding.TextUnmarshaler); ok {
		d.check(n, "the text cannot be used here", u.UnmarshalText([]byte(n.text)))
		return true, nil
	}
	return false, nil
}

// check turns the error of a type that reads itself into a problem: what it
// says, else what is generally wrong.
func (d *decoder) check(n *node, general string, err error) {
	if err == nil {
		return
	}
	if e, ok := errors.AsType[*starling.Error](err); ok {
		d.add(n, general, e.Hint)
		return
	}
	d.add(n, general, err.Error())
}

func (d *decoder) add(n *node, text, hint string) {
	d.problems = append(d.problems, Problem{Line: n.line, Column: n.column, Text: text, Hint: hint})
}

func (d *decoder) slice(n *node, v reflect.Value) error {
	items := n.items
	if n.kind != list {
		items = []*node{n}
	}
	v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
	for i, item := range items {
		if err := d.fill(item, v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) table(n *node, v reflect.Value) error {
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.members)))
	for _, m := range n.members {
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		if key.Kind() != reflect.String {
			return fmt.Errorf("keys of %s are no text", v.Type())
		}
		key.SetString(m.name)
		if err := d.fill(m.value, value); err != nil {
			return err
		}
		v.SetMapIndex(key, value)
	}
	return nil
}

func (d *decoder) structure(n *node, v reflect.Value) error {
	for _, m := range n.members {
		f, ok := field(v, m.name)
		if !ok {
			return fmt.Errorf("%s has no field for %s", v.Type(), show(m.name))
		}
		if err := d.fill(m.value, f); err != nil {
			return err
		}
	}
	return nil
}

// field finds the field with that yaml name, in embedded structs too. A field
// without a tag is called by its name in lower case.
func field(v reflect.Value, name string) (reflect.Value, bool) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		own, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if f.Anonymous && own == "" && f.Type.Kind() == reflect.Struct {
			if inner, ok := field(v.Field(i), name); ok {
				return inner, true
			}
			continue
		}
		if own == "" {
			own = strings.ToLower(f.Name)
		}
		if own == name && f.IsExported() {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

func (d *decoder) scalar(n *node, v reflect.Value) error {
	switch {
	case v.Kind() == reflect.String:
		v.SetString(n.text)
	case v.Kind() == reflect.Bool && n.kind == boolean:
		v.SetBool(n.text == "true")
	case v.CanInt() && n.kind == number:
		i, err := strconv.ParseInt(whole(n.text), 10, v.Type().Bits())
		d.bounded(n, err)
		v.SetInt(i)
	case v.CanUint() && n.kind == number:
		u, err := strconv.ParseUint(whole(n.text), 10, v.Type().Bits())
		d.bounded(n, err)
		v.SetUint(u)
	case v.CanFloat() && n.kind == number:
		f, err := strconv.ParseFloat(decimal(n.text), v.Type().Bits())
		d.bounded(n, err)
		v.SetFloat(f)
	default:
		return fmt.Errorf("%s for a %s", n.kind, v.Type())
	}
	return nil
}

func (d *decoder) bounded(n *node, err error) {
	if err != nil {
		d.add(n, "the number is out of range", "")
	}
}

// whole removes what an integer may carry in JSON Schema: 5.0 is 5.
func whole(digits string) string {
	digits = decimal(digits)
	before, after, ok := strings.Cut(digits, ".")
	if ok && strings.Trim(after, "0") == "" {
		return before
	}
	return digits
}
