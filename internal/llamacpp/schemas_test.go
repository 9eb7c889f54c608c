package llamacpp

import (
	"bufio"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"starling"
	"starling/internal/engine"
	"starling/internal/grammar"
)

// TestEachOfAThousandSchemasIsObeyed: the tiny model writes nonsense, which is what the
// grammar has to hold to the schema. An answer that ended is valid, and one that was cut
// begins a sentence of the grammar.
func TestEachOfAThousandSchemasIsObeyed(t *testing.T) {
	all := schemas(t)
	if testing.Short() {
		all = all[:60]
	}
	const children = 2
	for n := range children {
		t.Run("child "+strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			var asked []obedience
			for i := n; i < len(all); i += children {
				if o, can := obeying(t, all[i]); can {
					asked = append(asked, o)
				}
			}
			cut := hold(t, asked)
			t.Logf("%d answers, of which %d were cut", len(asked), cut)
			if len(asked) < len(all)/children*9/10 || cut > len(asked)/3 {
				t.Error("too few schemas can be held, or too many answers were cut to say much")
			}
		})
	}
}

// An obedience is a schema, and what a model is held to by it.
type obedience struct {
	schema, gbnf string
	loose        []string
}

// obeying returns the grammar of a schema, unless no value fits that.
func obeying(t *testing.T, schema string) (o obedience, can bool) {
	t.Helper()
	gbnf, loose, err := grammar.FromSchema([]byte(schema))
	if starling.KindOf(err) == starling.Invalid && strings.Contains(err.Error(), "no value fits") {
		return o, false
	}
	if err != nil {
		t.Fatalf("%s: %v", schema, err)
	}
	return obedience{schema, gbnf, loose}, true
}

// hold has a child answer under each schema, and returns how many answers were cut.
func hold(t *testing.T, asked []obedience) (cut int) {
	t.Helper()
	c := begin(t, engine.Load{Model: stories(t, "-Q8_0"), Sequences: 8})
	ending := c.bias(map[string]float32{`"`: 6, "}": 12, "]": 12, ",": -6})
	var ids []uint64
	for i, o := range asked {
		s := engine.Sampling{Temperature: 1, Seed: seed(uint32(i))}
		if i%4 > 0 { // else by chance alone, which seldom ends a string
			s.Bias = ending
		}
		ids = append(ids, c.order(engine.Order{Generate: &engine.Generate{Prompt: plain("Once"), Grammar: o.gbnf, MaxTokens: 100, Sampling: s}}))
	}
	all := c.hear(ids...)
	for i, id := range ids {
		switch a := all[id]; {
		case a.Done == nil:
			t.Errorf("%s: %+v", asked[i].schema, a.Fault)
		case a.Done.Finish == starling.Length:
			cut++
			asked[i].begins(t, a.text)
		default:
			asked[i].holds(t, a.text)
		}
	}
	return cut
}

// bias makes the tokens likelier that texts end with.
func (c *talk) bias(texts map[string]float32) map[int32]float32 {
	c.t.Helper()
	by := map[int32]float32{}
	for text, more := range texts {
		id := c.order(engine.Order{Count: &engine.Count{Text: plain("a" + text)}})
		tokens := c.hear(id)[id].Counted.Tokens
		by[tokens[len(tokens)-1]] = more
	}
	return by
}

func (o obedience) begins(t *testing.T, text string) {
	t.Helper()
	if _, begins := readGBNF(t, o.gbnf).reads(text); !begins {
		t.Errorf("%s: the grammar has no sentence that begins so: %s", o.schema, text)
	}
}

func (o obedience) holds(t *testing.T, text string) {
	t.Helper()
	if sentence, _ := readGBNF(t, o.gbnf).reads(text); !sentence {
		t.Errorf("%s: no sentence of the grammar: %s", o.schema, text)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Errorf("%s: no JSON: %s", o.schema, text)
		return
	}
	if err := validator(t, o.schema, o.loose).Validate(value); err != nil {
		t.Errorf("%s: %s: %v", o.schema, text, err)
	}
}

// validator is of a schema without the keywords that its grammar does not hold.
func validator(t *testing.T, schema string, loose []string) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range loose {
		leaveOut(doc, strings.Split(at, "/")[1:])
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("mem:///schema", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("mem:///schema")
	if err != nil {
		t.Fatalf("%s: %v", schema, err)
	}
	return compiled
}

// leaveOut deletes what a JSON pointer points to, if that was not done with something
// around it.
func leaveOut(doc any, steps []string) {
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	for i, step := range steps {
		switch holder := doc.(type) {
		case map[string]any:
			if i == len(steps)-1 {
				delete(holder, unescape.Replace(step))
			}
			doc = holder[unescape.Replace(step)]
		case []any:
			n, _ := strconv.Atoi(step)
			doc = holder[n]
		}
	}
}

func schemas(t *testing.T) (all []string) {
	t.Helper()
	f, err := os.Open("../grammar/testdata/schemas.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		all = append(all, lines.Text())
	}
	if len(all) != 1000 || slices.Contains(all, "") {
		t.Fatalf("%d schemas", len(all))
	}
	return all
}
