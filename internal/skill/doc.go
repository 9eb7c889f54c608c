// Package skill reads use cases as Agent Skills: a folder with a SKILL.md that
// any agent understands, and beside it a rubric.yaml that says what a good enough
// answer is, who may try and what it may cost, a cases.jsonl of examples whose
// answer is known, and assets.
//
// It judges no answer (internal/verify) and knows no model or price
// (internal/route): a name in a rubric is a name. A folder without a rubric is a
// plain skill, which is listed and otherwise left alone.
//
// Start reading at [LoadAll]; the forms of the files are in manifest.schema.json,
// rubric.schema.json and cases.go. Sources: the Agent Skills specification
// (agentskills.io/specification, 2026-10), the Common Expression Language
// (cel.dev) for rules.
package skill
