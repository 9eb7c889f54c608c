package sim

// maxSteps bounds what validating one instance may take.
const maxSteps = 50_000

// affordable reports whether v can be validated in few steps. A schema of a
// kilobyte can demand more steps than there are atoms, by branches that refer to
// branches, and the validator cannot be interrupted.
func affordable(schema, v any) bool {
	e := effort{synth: synth{root: schema}}
	return e.walk(schema, v)
}

// An effort walks a schema and a value as a validator would that stops nowhere.
type effort struct {
	synth
	steps int
}

func (e *effort) walk(schema, v any) bool {
	if e.steps++; e.steps > maxSteps {
		return false
	}
	switch s := schema.(type) {
	case []any:
		for _, branch := range s {
			if !e.walk(branch, v) {
				return false
			}
		}
	case map[string]any:
		for keyword, part := range s {
			if !e.keyword(keyword, part, v) {
				return false
			}
		}
	}
	return true
}

func (e *effort) keyword(keyword string, part, v any) bool {
	switch keyword {
	case "$defs", "definitions", "enum", "const", "examples", "default", "required":
		return true
	case "$dynamicRef", "$recursiveRef":
		return false
	case "$ref":
		ref, _ := part.(string)
		target, err := e.resolve(ref)
		return err == nil && e.walk(target, v)
	case "properties":
		properties, _ := part.(map[string]any)
		members, _ := v.(map[string]any)
		for name, member := range members {
			if s, ok := properties[name]; ok && !e.walk(s, member) {
				return false
			}
		}
		return true
	case "items", "prefixItems", "contains", "additionalProperties", "patternProperties", "propertyNames",
		"unevaluatedItems", "unevaluatedProperties", "additionalItems":
		return e.children(part, v)
	}
	return e.walk(part, v)
}

// children walks a schema with every child of a value. patternProperties are
// walked as if each pattern matched.
func (e *effort) children(part, v any) bool {
	switch parent := v.(type) {
	case []any:
		for _, child := range parent {
			if !e.walk(part, child) {
				return false
			}
		}
	case map[string]any:
		for _, child := range parent {
			if !e.walk(part, child) {
				return false
			}
		}
	}
	return true
}
