package hub

import (
	"fmt"
	"regexp"
	"strings"

	"starling"
)

// A Reference names a model outside.
type Reference struct {
	Host string // "hf" or "ollama"
	Path string // "owner/repo", "name" or "user/name"
	Tag  string // which of them: "Q4_K_M", "1b"; "" as the host or we prefer
}

var (
	hfPath     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$`)
	ollamaPath = regexp.MustCompile(`^(?:[A-Za-z0-9][A-Za-z0-9._-]{0,79}/)?[A-Za-z0-9][A-Za-z0-9._-]{0,79}$`)
	tagged     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$`)
)

// ParseReference reads "owner/repo", "owner/repo:Q4_K_M" or "hf:owner/repo:Q4_K_M" for
// Hugging Face and "ollama:name", "ollama:name:1b" for Ollama's registry. Errors: Invalid.
func ParseReference(text string) (Reference, error) {
	r := Reference{Host: "hf"}
	rest := text
	for _, host := range []string{"hf", "ollama"} {
		if after, ok := strings.CutPrefix(text, host+":"); ok {
			r.Host, rest = host, after
		}
	}
	var told bool
	r.Path, r.Tag, told = strings.Cut(rest, ":")
	good := hfPath
	if r.Host == "ollama" {
		good = ollamaPath
	}
	if !good.MatchString(r.Path) || strings.Contains(rest, "..") || told && !tagged.MatchString(r.Tag) {
		return r, &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("hub: %q is no name of a model", text), Hint: "say owner/repo[:quant] for Hugging Face, or ollama:name[:tag]"}
	}
	return r, nil
}

// String is the reference with its host.
func (r Reference) String() string {
	if r.Tag == "" {
		return r.Host + ":" + r.Path
	}
	return r.Host + ":" + r.Path + ":" + r.Tag
}

// name is what the model is called here.
func (r Reference) name() string { return strings.TrimPrefix(r.String(), "hf:") }
