package ledger

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"starling"
)

// arbitrary draws a value of any type of the vocabulary, each field either zero
// or something, so that a field that the encoder forgets is noticed.
func arbitrary(t *rapid.T, v reflect.Value) {
	switch v.Type() {
	case reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()))
		return
	case reflect.TypeFor[starling.Zone]():
		v.SetUint(uint64(rapid.IntRange(0, 4).Draw(t, "zone")))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			arbitrary(t, v.Field(i))
		}
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "set") {
			v.Set(reflect.New(v.Type().Elem()))
			arbitrary(t, v.Elem())
		}
	case reflect.Slice:
		n := rapid.IntRange(-1, 2).Draw(t, "n")
		if n < 0 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			arbitrary(t, v.Index(i))
		}
	case reflect.String:
		v.SetString(rapid.OneOf(rapid.Just(""), rapid.String(), rapid.StringMatching(`[a-z<>&"\\]{0,9}`)).Draw(t, "text"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int64:
		v.SetInt(rapid.OneOf(rapid.Just(int64(0)), rapid.Int64()).Draw(t, "int"))
	case reflect.Float64:
		v.SetFloat(rapid.OneOf(rapid.Float64Range(0, 1), rapid.Float64()).Draw(t, "float"))
	default:
		t.Fatalf("the vocabulary has a new kind of field: %v", v.Type())
	}
}

func TestTheEncoderWritesWhatEncodingJSONWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r starling.Receipt
		arbitrary(t, reflect.ValueOf(&r).Elem())
		want, err := json.Marshal(&r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := encode(&r)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestAReceiptWhoseGuessIsNoNumberLosesItsCandidatesOnly(t *testing.T) {
	r := &starling.Receipt{ID: "rcp_1", Plan: starling.Plan{Rule: "r", Candidates: []starling.Candidate{{Probability: math.NaN()}}}}
	back, err := DecodeReceipt(newEntry(r).payload)
	must(t, err)
	if back.ID != "rcp_1" || back.Plan.Rule != "r" || len(back.Plan.Candidates) != 0 {
		t.Fatalf("got %+v", back)
	}
}

func FuzzDecodeReceipt(f *testing.F) {
	r := &starling.Receipt{ID: "rcp_1", Time: time.Unix(1, 2).UTC(), Outcome: starling.Answered, Cost: 5}
	f.Add(newEntry(r).payload)
	f.Add([]byte(`{"id":"rcp_2","time":"2026-01-01T00:00:00Z","screen":{"furthest_zone":"mars"}}`))
	f.Add([]byte(`{"attempts":[{"cost_nanodollars":9223372036854775808}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := DecodeReceipt(data)
		if err != nil {
			wantKind(t, err, starling.Invalid)
			return
		}
		again, err := DecodeReceipt(newEntry(r).payload)
		if err != nil {
			t.Fatalf("what was decoded does not decode again: %v", err)
		}
		if diff := cmp.Diff(newEntry(r).payload, newEntry(again).payload); diff != "" {
			t.Fatal(diff)
		}
	})
}
