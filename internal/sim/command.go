package sim

import (
	"slices"

	"github.com/tidwall/gjson"
)

// harmless is the only command line that a simulated model asks for by itself: a
// coding agent runs what it is told. Any other is one that a person wrote in a [Play].
const harmless = "echo starling"

// handy returns the tool that is called where nobody names one: the first that
// runs commands, as a coding agent's model mostly does, else the first.
func (a *ask) handy() tool {
	for _, t := range a.tools {
		if commandIn(t.schema) != "" {
			return t
		}
	}
	return a.tools[0]
}

// commandIn returns the member in which a tool must be given a command line, ""
// if its schema demands none. One of an enum is no command line.
func commandIn(schema string) string {
	for _, name := range []string{"command", "cmd"} {
		at := gjson.Get(schema, "properties."+name)
		demanded := gjson.Get(schema, "required").String()
		if kind := at.Get("type").Str; (kind == "string" || kind == "array") && !at.Get("enum").Exists() && gjson.Get(demanded, `#(=="`+name+`")`).Exists() {
			return name
		}
	}
	return ""
}

// commanding narrows a tool's schema to what it demands, with one command line as
// the only one that it takes: what else such a tool can be asked for, a folder or a
// time limit, no simulated model has a reason to choose.
func commanding(schema map[string]any, name, run string) {
	properties, _ := schema["properties"].(map[string]any)
	for other := range properties {
		if !slices.Contains(list(schema["required"]), any(other)) {
			delete(properties, other)
		}
	}
	line, _ := properties[name].(map[string]any)
	switch {
	case line["type"] != "array":
		properties[name] = map[string]any{"const": run}
	case run == harmless:
		properties[name] = map[string]any{"const": []any{"echo", "starling"}}
	default: // a line of its own words is for a shell to take apart
		properties[name] = map[string]any{"const": []any{"sh", "-c", run}}
	}
}
