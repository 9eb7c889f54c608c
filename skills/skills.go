// Package skills embeds the use-case packs that come with Starling, so that the
// binary alone can show them. Each folder is a valid Agent Skill with a rubric
// and cases; internal/skill reads them.
package skills

import "embed"

// Packs holds one folder for each pack.
//
//go:embed */SKILL.md */rubric.yaml */cases.jsonl */assets
var Packs embed.FS
