// Package strict reads YAML that people write: rubrics, the configuration, price
// overlays. Every problem names file, line and column, says what was expected in
// plain words, and suggests the nearest known key; all of them are reported at
// once, since a person mends a file in one go.
//
// It is not a general YAML library: one document, at most 1 MiB, no merge keys,
// no tags but !!str, no numbers but decimal ones, no key twice. What YAML lets
// be read in two ways is refused.
//
// The order is: syntax (read.go, limits.go), tree with positions (node.go), JSON
// Schema (schema.go, explain.go), Go value (decode.go). Start reading at [Read].
//
// Sources: YAML 1.2.2 (yaml.org/spec/1.2.2), JSON Schema 2020-12
// (json-schema.org/draft/2020-12).
package strict
