package hub

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"starling"
)

// The kinds of what an Ollama manifest lists. Source: the manifests of registry.ollama.ai.
const (
	ollamaModel    = "application/vnd.ollama.image.model"
	ollamaAdapter  = "application/vnd.ollama.image.adapter"
	ollamaTemplate = "application/vnd.ollama.image.template"
	ollamaParams   = "application/vnd.ollama.image.params"
	ollamaLicence  = "application/vnd.ollama.image.license"
)

var ollamaHints = map[int]string{http.StatusNotFound: "look at the name and the tag on ollama.com/library"}

// ollamaOffer returns what Ollama's registry has under a name.
func (s *Store) ollamaOffer(ctx context.Context, r Reference) (offer, error) {
	repo, tag := r.Path, cmp.Or(r.Tag, "latest")
	if !strings.Contains(repo, "/") {
		repo = "library/" + repo
	}
	base := strings.TrimSuffix(s.o.Registry, "/") + "/v2/" + repo
	w := want{what: r.String(), url: base + "/manifests/" + tag, hint: ollamaHints, header: http.Header{"Accept": {"application/vnd.docker.distribution.manifest.v2+json"}}}
	var manifest struct {
		Layers []struct {
			Kind   string `json:"mediaType"`
			Digest string `json:"digest"`
			Size   int64  `json:"size"`
		} `json:"layers"`
	}
	if _, err := s.get.document(ctx, w, &manifest); err != nil {
		return offer{}, err
	}
	r.Tag = tag
	o := offer{name: r.name(), source: r.String()}
	for _, l := range manifest.Layers {
		w := want{what: r.String(), url: base + "/blobs/" + l.Digest, hint: ollamaHints}
		var text *string
		switch l.Kind {
		case ollamaModel:
			o.files = append(o.files, remote{name: r.Path + ".gguf", url: w.url, sum: l.Digest, size: l.Size})
		case ollamaAdapter:
			return o, &starling.Error{Kind: starling.Refused, Op: fmt.Sprintf("hub: %s is an adapter on another model", r), Hint: "pull a whole model"}
		case ollamaTemplate:
			text = &o.template
		case ollamaParams:
			text = &o.params
		case ollamaLicence:
			text = &o.licence
		}
		if text == nil || *text != "" || l.Size > mostText {
			continue
		}
		if _, err := s.get.document(ctx, w, text); err != nil {
			return o, err
		}
		if sum := sha256.Sum256([]byte(*text)); l.Digest != "sha256:"+hex.EncodeToString(sum[:]) {
			return o, &starling.Error{Kind: starling.Refused, Op: fmt.Sprintf("hub: a part of %s is not what its manifest lists", r), Hint: "ask again later"}
		}
	}
	if len(o.files) != 1 {
		return o, &starling.Error{Kind: starling.Refused, Op: fmt.Sprintf("hub: %s holds %d files of weights, and one is understood", r, len(o.files)), Hint: "pull the model from Hugging Face"}
	}
	o.licence, _, _ = strings.Cut(strings.TrimSpace(o.licence), "\n") // its first line is its name
	return o, nil
}

// mostText bounds, in bytes, what is kept of a template and the like.
const mostText = 1 << 20

// ollamaStores are the folders in which Ollama may keep its blobs here.
func ollamaStores() []string {
	all := []string{}
	if dir := os.Getenv("OLLAMA_MODELS"); dir != "" {
		all = append(all, dir)
	}
	if home, err := os.UserHomeDir(); err == nil {
		all = append(all, filepath.Join(home, ".ollama", "models"))
	}
	return append(all, "/usr/share/ollama/.ollama/models", "/var/lib/ollama/models")
}

// shared gives a blob of a found Ollama store its name here, if there is one that holds
// what it should: by a second name for the same bytes, else by a link. Ollama's own is
// never changed or taken away. It reports whether it did.
func (s *Store) shared(f remote, to string) bool {
	for _, dir := range s.o.Ollama {
		theirs := filepath.Join(dir, "blobs", filepath.Base(to))
		info, err := os.Stat(theirs)
		if err != nil || info.Size() != f.size || checkFile(theirs, f.sum) != nil {
			continue
		}
		if os.Link(theirs, to) == nil || os.Symlink(theirs, to) == nil {
			return true
		}
	}
	return false
}
