package hub

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"starling"
)

// An offer is a model that a source has, before it is fetched.
type offer struct {
	name     string
	source   string
	quant    string
	licence  string
	template string // Ollama's own, which is none of the model's
	params   string
	files    []remote
}

// A remote is a file of an offer.
type remote struct {
	name string
	url  string
	sum  string // "sha256:…"
	size int64
}

func (o *offer) bytes() (sum int64) {
	for _, f := range o.files {
		sum += f.size
	}
	return sum
}

// hfHints say what to do about Hugging Face's refusals.
var hfHints = map[int]string{
	http.StatusUnauthorized: "look at the name; if the model is gated or private, put a token into HF_TOKEN",
	http.StatusForbidden:    "agree to the model's licence on its page, and put a token that may read it into HF_TOKEN",
	http.StatusNotFound:     "look at the name on huggingface.co: it is owner/repo, of a repository with GGUF files",
}

func (s *Store) hf(what, path string) want {
	w := want{what: what, url: strings.TrimSuffix(s.o.HuggingFace, "/") + path, hint: hfHints, header: http.Header{}}
	if s.o.Token != "" {
		w.header.Set("Authorization", "Bearer "+s.o.Token)
	}
	return w
}

// hfOffers returns what a repository has, the preferred first.
//
// Source: huggingface.co/docs/hub/api and huggingface.js ListFileEntry, 2026-11.
func (s *Store) hfOffers(ctx context.Context, r Reference) ([]offer, error) {
	var about struct {
		SHA  string   `json:"sha"`
		Tags []string `json:"tags"`
	}
	if _, err := s.get.document(ctx, s.hf(r.Path, "/api/models/"+r.Path), &about); err != nil {
		return nil, err
	}
	revision := cmp.Or(about.SHA, "main") // so that all files are of one state of the repository
	if !regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString(revision) {
		revision = "main"
	}
	files, err := s.hfFiles(ctx, r, revision)
	if err != nil {
		return nil, err
	}
	licence := ""
	for _, t := range about.Tags {
		if l, ok := strings.CutPrefix(t, "license:"); ok {
			licence = l
		}
	}
	offers := group(r, files)
	for i := range offers {
		offers[i].licence = licence
	}
	if len(offers) == 0 {
		return nil, &starling.Error{Kind: starling.NotFound, Op: "hub: " + r.Path + " has no GGUF files", Hint: "look for a repository of the model's name with GGUF at its end"}
	}
	return offers, nil
}

// mostPages bounds how many pages of a list are asked for.
const mostPages = 50

// hfFiles lists the GGUF files of a repository.
func (s *Store) hfFiles(ctx context.Context, r Reference, revision string) (files []remote, err error) {
	w := s.hf(r.Path, "/api/models/"+r.Path+"/tree/"+revision+"?recursive=true")
	for range mostPages {
		var page []struct {
			Type string `json:"type"`
			Path string `json:"path"`
			LFS  struct {
				OID  string `json:"oid"`
				Size int64  `json:"size"`
			} `json:"lfs"`
		}
		header, err := s.get.document(ctx, w, &page)
		if err != nil {
			return nil, err
		}
		for _, e := range page {
			if e.Type == "file" && strings.HasSuffix(strings.ToLower(e.Path), ".gguf") && e.LFS.OID != "" && e.LFS.Size > 0 {
				at := s.hf(e.Path, "/"+r.Path+"/resolve/"+revision+"/"+escaped(e.Path))
				files = append(files, remote{name: e.Path, url: at.url, sum: "sha256:" + e.LFS.OID, size: e.LFS.Size})
			}
		}
		next := nextPage(header.Get("Link"))
		if next == "" {
			break
		}
		to, err := url.Parse(w.url)
		if err == nil {
			to, err = to.Parse(next)
		}
		if from, err2 := url.Parse(w.url); err != nil || err2 != nil || to.Host != from.Host { // it would be given the token
			return nil, &starling.Error{Kind: starling.Refused, Op: "hub: the list of " + r.Path + " goes on at another host"}
		}
		w.url = to.String()
	}
	return files, nil
}

var linkNext = regexp.MustCompile(`<([^>]+)>\s*;\s*rel="next"`)

// nextPage is where a list goes on, "" if it does not. Source: RFC 8288.
func nextPage(link string) string {
	if m := linkNext.FindStringSubmatch(link); m != nil {
		return m[1]
	}
	return ""
}

// escaped is a path as it stands in an address.
func escaped(p string) string { return (&url.URL{Path: p}).EscapedPath() }

var (
	splitName = regexp.MustCompile(`(?i)-(\d{5})-of-(\d{5})\.gguf$`)
	quantName = regexp.MustCompile(`(?i)(?:^|[-._/])((?:UD-)?(?:I?Q\d(?:_[0-9A-Z]+)*|TQ\d_\d|MXFP4(?:_[A-Z]+)?|BF16|F16|F32))(?:[-._/]|$)`)
)

// group puts the files of a repository together to models, the preferred first: each by
// its quantisation, and by its file where another has that already. What is half of a
// picture model, or of a split that is not whole, is none.
func group(r Reference, files []remote) []offer {
	splits := map[string][]remote{}
	for _, f := range files {
		if base := strings.ToLower(path.Base(f.name)); strings.HasPrefix(base, "mmproj") || strings.HasPrefix(base, "imatrix") {
			continue
		}
		stem := splitName.ReplaceAllString(f.name, "-of-$2.gguf")
		splits[stem] = append(splits[stem], f)
	}
	var all []offer
	for stem, parts := range splits {
		slices.SortFunc(parts, func(a, b remote) int { return cmp.Compare(a.name, b.name) })
		if !whole(parts) {
			continue
		}
		all = append(all, offer{files: parts, quant: quantOf(stem)})
	}
	slices.SortFunc(all, func(a, b offer) int {
		return cmp.Or(cmp.Compare(preference(a.quant), preference(b.quant)), cmp.Compare(len(a.files[0].name), len(b.files[0].name)), cmp.Compare(a.files[0].name, b.files[0].name))
	})
	taken := map[string]bool{"": true}
	for i := range all {
		o := &all[i]
		tag := o.quant
		if taken[tag] { // or there is none
			tag = path.Base(o.files[0].name)
		}
		taken[tag] = true
		o.name, o.source = r.Path+":"+tag, "hf:"+r.Path+":"+tag
	}
	return all
}

// whole reports whether all files of a split are there, each once.
func whole(parts []remote) bool {
	for i, p := range parts {
		m := splitName.FindStringSubmatch(p.name)
		if m == nil {
			return len(parts) == 1
		}
		n, _ := strconv.Atoi(m[1]) // five digits
		of, _ := strconv.Atoi(m[2])
		if n != i+1 || of != len(parts) {
			return false
		}
	}
	return true
}

// quantOf reads the quantisation in the name of a file, "" if it names none.
func quantOf(name string) string {
	found := quantName.FindAllStringSubmatch(splitName.ReplaceAllString(path.Base(name), ".gguf"), -1)
	if len(found) == 0 {
		found = quantName.FindAllStringSubmatch(name, -1)
	}
	if len(found) == 0 {
		return ""
	}
	return strings.ToUpper(found[len(found)-1][1])
}

// preferred are the quantisations that are taken where nobody says which: about the
// best answers for their size first, then what every processor is quick at.
var preferred = []string{"Q4_K_M", "Q4_0", "Q8_0"}

func preference(quant string) int {
	if i := slices.Index(preferred, quant); i >= 0 {
		return i
	}
	return len(preferred)
}

// choose returns the offer that a tag names. Without one it is the preferred, or the
// only one. Errors: NotFound, with what there is.
func choose(r Reference, offers []offer) (offer, error) {
	if r.Tag == "" && (len(offers) == 1 || preference(offers[0].quant) < len(preferred)) {
		return offers[0], nil
	}
	var there []string
	for _, o := range offers {
		_, tag, _ := strings.Cut(o.name, ":")
		for _, of := range []string{tag, o.files[0].name, path.Base(o.files[0].name)} {
			if strings.EqualFold(of, r.Tag) {
				return o, nil
			}
		}
		there = append(there, tag)
	}
	for _, o := range offers { // a part of the name that stands by itself will do
		if r.Tag != "" && holdsWord(o.files[0].name, r.Tag) {
			o.name, o.source = r.name(), r.String()
			return o, nil
		}
	}
	op := fmt.Sprintf("hub: %s has no %s", r.Path, r.Tag)
	if r.Tag == "" {
		op = fmt.Sprintf("hub: %s has none of %s", r.Path, strings.Join(preferred, ", "))
	}
	return offer{}, &starling.Error{Kind: starling.NotFound, Op: op, Hint: "it has " + strings.Join(slices.Compact(there), ", ") + ": say " + r.Path + ":" + there[0]}
}

// holdsWord reports whether a text holds a word, in either case, between what is
// neither letter nor digit nor underscore.
func holdsWord(text, word string) bool {
	text, word = strings.ToLower(text), strings.ToLower(word)
	for at := 0; word != ""; {
		i := strings.Index(text[at:], word)
		if i < 0 {
			return false
		}
		from, to := at+i, at+i+len(word)
		if (from == 0 || !inWord(text[from-1])) && (to == len(text) || !inWord(text[to])) {
			return true
		}
		at = from + 1
	}
	return false
}

func inWord(b byte) bool { return b == '_' || '0' <= b && b <= '9' || 'a' <= b && b <= 'z' }
