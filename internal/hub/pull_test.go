package hub

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"starling"
)

const size = 700_000

func reference(t testing.TB, text string) Reference {
	t.Helper()
	r, err := ParseReference(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wholeOrNothing fails unless what anybody would use is what was promised, and reports
// whether it is there.
func wholeOrNothing(t interface{ Fatalf(string, ...any) }, s *Store, data []byte) bool {
	all, err := s.Models()
	if err != nil {
		t.Fatalf("%v", err)
	}
	blob, err := os.ReadFile(s.blob("sha256:" + sha(data)))
	if err == nil && string(blob) != string(data) {
		t.Fatalf("a blob has its name and is not what the name says")
	}
	for _, m := range all {
		if got, err := os.ReadFile(m.Path); err != nil || string(got) != string(data) {
			t.Fatalf("%s is listed and is not whole: %v", m.Name, err)
		}
	}
	return len(all) > 0
}

// TestWhateverGoesWrongEitherTheWholeModelIsThereOrNothing also shows that a second
// try goes on where the first ended.
func TestWhateverGoesWrongEitherTheWholeModelIsThereOrNothing(t *testing.T) {
	many := func(f fate) []fate {
		var all []fate
		for range 2 * mostTries {
			all = append(all, f)
		}
		return all
	}
	for _, c := range []struct {
		name   string
		faults []fate
		kind   starling.Kind
		first  int // bytes that the first pull takes; -1: not looked at
		second int // and the second
		idle   time.Duration
	}{
		{"nothing", nil, "", size, 0, 0},
		{"cut off once", []fate{cut(300_000)}, "", size, 0, 0},
		{"cut off thrice", []fate{cut(300_000), cut(1000), cut(300_000)}, "", size, 0, 0},
		{"cut off after each byte", many(cut(1)), "", size, 0, 0},
		{"cut off before a byte", many(hangUp), starling.Overloaded, 0, size, 0},
		{"no range", []fate{cut(300_000), whole200}, "", size + 300_000, 0, 0},
		{"too long", []fate{longer}, starling.Refused, -1, -1, 0},
		{"too short", []fate{shorter}, starling.Refused, -1, size, 0},
		{"ended early without a length", []fate{endless}, "", size, 0, 0},
		{"other bytes", []fate{flipped}, starling.Refused, size, size, 0},
		{"other bytes in the second half", []fate{cut(300_000), flipped}, "", 2 * size, 0, 0},
		{"429, then well", []fate{answers(429, "Retry-After", "0"), answers(429)}, "", size, 0, 0},
		{"503", many(answers(503)), starling.Overloaded, 0, size, 0},
		{"503 after a half", append([]fate{cut(350_000)}, many(answers(503))...), starling.Overloaded, 350_000, size - 350_000, 0},
		{"stalled", []fate{stall(100_000)}, "", size, 0, 3 * time.Second},
		{"stalled each time", many(stall(0)), starling.Overloaded, 0, size, 100 * time.Millisecond},
		{"401", []fate{answers(401)}, starling.Forbidden, 0, size, 0},
		{"403 after a half", []fate{cut(350_000), answers(403)}, starling.Forbidden, 350_000, size - 350_000, 0},
		{"404", []fate{answers(404)}, starling.NotFound, 0, size, 0},
		{"a page", []fate{page}, starling.Refused, -1, size, 0},
		{"a page after a half", []fate{cut(350_000), page}, starling.Refused, -1, size - 350_000, 0},
		{"416 after a half", []fate{cut(350_000), answers(416)}, "", size + 350_000, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			data := weights(1, size)
			w.repo("owner/tiny-GGUF", map[string][]byte{"tiny-Q4_K_M.gguf": data})
			s := w.store(Options{Idle: c.idle})
			r := reference(t, "owner/tiny-GGUF")
			w.next(c.faults...)
			_, err := s.Pull(t.Context(), r, false)
			if is(t, err, c.kind); errors.Is(err, context.Canceled) {
				t.Error("it counts as stopped by a person:", err)
			}
			if there := wholeOrNothing(t, s, data); there != (err == nil) {
				t.Errorf("it is listed: %v, after %v", there, err)
			}
			if c.first >= 0 && w.sent() != c.first {
				t.Errorf("the first took %d bytes, not %d: %v", w.sent(), c.first, w.asked)
			}
			w.next()
			s.get.idle = time.Minute
			if _, err := s.Pull(t.Context(), r, false); err != nil || !wholeOrNothing(t, s, data) {
				t.Fatalf("the second: %v", err)
			}
			if c.second >= 0 && w.sent() != c.second {
				t.Errorf("the second took %d bytes, not %d: %v", w.sent(), c.second, w.asked)
			}
		})
	}
}

func TestAnySequenceOfFaultsLeavesTheWholeOrNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of downloads")
	}
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		n := rapid.IntRange(10, 3000).Draw(rt, "size")
		data := weights(uint64(n), n)
		w.repo("owner/tiny", map[string][]byte{"tiny.gguf": data})
		s := w.store(Options{})
		var faults []fate
		for range rapid.IntRange(0, 12).Draw(rt, "faults") {
			after := rapid.IntRange(1, n).Draw(rt, "after")
			faults = append(faults, rapid.SampledFrom([]fate{cut(after), flipped, longer, shorter, endless, page, whole200, answers(503), answers(404), answers(416), answers(429)}).Draw(rt, "fault"))
		}
		w.next(faults...)
		for range 3 {
			_, err := s.Pull(t.Context(), reference(t, "owner/tiny"), false)
			if there := wholeOrNothing(rt, s, data); there != (err == nil) {
				rt.Fatalf("it is listed: %v, after %v", there, err)
			}
			if err == nil {
				return
			}
		}
		part, _ := os.Stat(s.blob("sha256:"+sha(data)) + partSuffix)
		w.next()
		if _, err := s.Pull(t.Context(), reference(t, "owner/tiny"), false); err != nil || !wholeOrNothing(rt, s, data) {
			rt.Fatalf("without faults: %v", err)
		}
		if part != nil && w.sent() > 2*n {
			rt.Fatalf("of %d bytes %d were there, and %d were served", n, part.Size(), w.sent())
		}
	})
}

func TestAChangedVersionIsFetchedFromItsBeginning(t *testing.T) {
	for _, etag := range []string{`"other"`, `W/"weak"`} {
		w := newWorld(t)
		data := weights(2, size)
		path := "/owner/tiny/resolve/" + commit + "/tiny.gguf"
		w.repo("owner/tiny", map[string][]byte{"tiny.gguf": data})
		s := w.store(Options{})
		stale := func(rw http.ResponseWriter, r *http.Request, data []byte) { // another version, of which a half arrives
			rw.Header().Set("ETag", `"stale"`)
			if strings.HasPrefix(etag, "W/") {
				rw.Header().Set("ETag", `W/"stale"`)
			}
			cut(300_000)(rw, r, weights(3, size))
		}
		w.etags[path] = etag
		w.next(stale)
		if _, err := s.Pull(t.Context(), reference(t, "owner/tiny"), false); err != nil || !wholeOrNothing(t, s, data) {
			t.Fatal(err)
		}
		if w.sent() < size+300_000 {
			t.Errorf("%s: only %d bytes were served: %v", etag, w.sent(), w.asked)
		}
	}
}

func TestWhoIsStoppedGoesOnWhereItWas(t *testing.T) {
	w := newWorld(t)
	data := weights(4, size)
	w.repo("owner/tiny", map[string][]byte{"tiny.gguf": data})
	ctx, stop := context.WithCancelCause(t.Context())
	s := w.store(Options{Progress: func(what string, done, total int64) {
		if what != "tiny.gguf" || total != size {
			t.Errorf("%s: %d of %d", what, done, total)
		}
		if done == 300_000 {
			stop(errors.New("enough"))
		}
	}})
	w.next(stall(300_000))
	_, err := s.Pull(ctx, reference(t, "owner/tiny"), false)
	is(t, err, starling.Cancelled)
	wholeOrNothing(t, s, data)
	w.next()
	if _, err := s.Pull(t.Context(), reference(t, "owner/tiny"), false); err != nil || w.sent() != size-300_000 {
		t.Errorf("%v; %d bytes were served", err, w.sent())
	}
}

func TestATokenGoesToItsHostAlone(t *testing.T) {
	w := newWorld(t)
	w.repo("owner/tiny", map[string][]byte{"tiny.gguf": weights(5, 1000)})
	s := w.store(Options{Token: "hf_secret"})
	if _, err := s.Pull(t.Context(), reference(t, "owner/tiny"), false); err != nil {
		t.Fatal(err)
	}
	if w.seen["front"] != "Bearer hf_secret" || w.seen["cdn"] != "" {
		t.Errorf("seen: %v", w.seen)
	}
}

func TestWithoutANetworkTheHintNeedsNone(t *testing.T) {
	w := newWorld(t)
	s := w.store(Options{})
	w.front.Close()
	_, err := s.Pull(t.Context(), reference(t, "owner/tiny"), false)
	is(t, err, starling.Overloaded)
	if !strings.Contains(err.Error(), "offline") || !strings.Contains(err.Error(), "import FILE") || strings.Contains(err.Error(), "/api/") {
		t.Error(err)
	}
}

func TestAGatedModelNamesTheToken(t *testing.T) {
	w := newWorld(t)
	w.pages["/api/models/owner/gated"] = func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusUnauthorized) }
	_, err := w.store(Options{}).Pull(t.Context(), reference(t, "owner/gated"), false)
	is(t, err, starling.Forbidden)
	if !strings.Contains(err.Error(), "HF_TOKEN") {
		t.Error(err)
	}
}

func TestTheDiskIsLookedAtBeforeTheFirstByte(t *testing.T) {
	w := newWorld(t)
	w.repo("owner/tiny", map[string][]byte{"tiny.gguf": weights(6, size)})
	s := w.store(Options{Free: func(string) (int64, error) { return reserve + size - 1, nil }})
	_, err := s.Pull(t.Context(), reference(t, "owner/tiny"), false)
	is(t, err, starling.TooLarge)
	if w.sent() != 0 || !strings.Contains(err.Error(), "disk") {
		t.Errorf("%d bytes, %v", w.sent(), err)
	}
	s.o.Free = func(string) (int64, error) { return reserve + size, nil }
	s.get.free = s.o.Free
	if _, err := s.Pull(t.Context(), reference(t, "owner/tiny"), false); err != nil {
		t.Error(err)
	}
}

func TestWhichQuantisationIsMeant(t *testing.T) {
	files := map[string][]byte{}
	for i, name := range []string{
		"m-Q2_K.gguf", "m-Q4_0.gguf", "m-Q4_K_M.gguf", "m-UD-Q4_K_XL.gguf", "m-Q8_0.gguf", "mmproj-F16.gguf", "m-IQ4_XS.gguf",
		"BF16/m-BF16-00001-of-00002.gguf", "BF16/m-BF16-00002-of-00002.gguf", "m-F32-00001-of-00003.gguf", "special-instruct.gguf",
	} {
		files[name] = weights(uint64(100+i), 100)
	}
	w := newWorld(t)
	w.repo("o/m", files)
	s := w.store(Options{})
	for _, c := range []struct {
		tag, name, file string
		kind            starling.Kind
	}{
		{"", "o/m:Q4_K_M", "m-Q4_K_M.gguf", ""},
		{":q4_0", "o/m:Q4_0", "m-Q4_0.gguf", ""},
		{":UD-Q4_K_XL", "o/m:UD-Q4_K_XL", "m-UD-Q4_K_XL.gguf", ""},
		{":Q4_K", "", "", starling.NotFound},
		{":iq4_xs", "o/m:IQ4_XS", "m-IQ4_XS.gguf", ""},
		{":bf16", "o/m:BF16", "BF16/m-BF16-00001-of-00002.gguf", ""},
		{":F32", "", "", starling.NotFound}, // of which two files are missing
		{":F16", "", "", starling.NotFound}, // only half of a picture model
		{":special-instruct.gguf", "o/m:special-instruct.gguf", "special-instruct.gguf", ""},
		{":m-Q2_K.gguf", "o/m:Q2_K", "m-Q2_K.gguf", ""},
	} {
		m, err := s.Pull(t.Context(), reference(t, "hf:o/m"+c.tag), false)
		is(t, err, c.kind)
		if err != nil {
			if !strings.Contains(err.Error(), "Q4_K_M, Q4_0, Q8_0") {
				t.Errorf("%s: %v", c.tag, err)
			}
			continue
		}
		if m.Name != c.name || m.Files[0].Name != c.file || m.Licence != "apache-2.0" {
			t.Errorf("%q: %+v", c.tag, m)
		}
		if got, err := os.ReadFile(m.Path); err != nil || string(got) != string(files[c.file]) {
			t.Errorf("%q: %v", c.tag, err)
		}
	}
	m, err := s.Find("o/m:bf16")
	if err != nil || len(m.Files) != 2 {
		t.Fatal(m, err)
	}
	second := filepath.Join(filepath.Dir(m.Path), "m-BF16-00002-of-00002.gguf") // where an engine looks for it
	if got, err := os.ReadFile(second); err != nil || string(got) != string(files["BF16/m-BF16-00002-of-00002.gguf"]) {
		t.Error(err)
	}
	if _, freed, err := s.Remove(t.Context(), "o/m:bf16"); err != nil || freed != 200 {
		t.Error(freed, err)
	}
	if _, err := os.Stat(filepath.Dir(m.Path)); err == nil {
		t.Error("the folder of the split is still there")
	}
}

func TestWhatIsNoModelIsNotKept(t *testing.T) {
	w := newWorld(t)
	data := weights(18, 1000)
	w.repo("o/m", map[string][]byte{"m-Q4_0.gguf": []byte("<html>"), "m-Q8_0.gguf": data})
	w.image("m", "latest", data, nil)
	s := w.store(Options{})
	_, err := s.Pull(t.Context(), reference(t, "o/m"), false)
	is(t, err, starling.Refused)
	if left := contents(t, filepath.Join(s.models(), "blobs")); len(left) != 0 {
		t.Errorf("%d files are left", len(left))
	}
	if _, err := s.Pull(t.Context(), reference(t, "o/m:Q8_0"), false); err != nil {
		t.Fatal(err)
	}
	s.o.Inspect = func(string) (Facts, error) { return Facts{}, errors.New("stricter now") }
	_, err = s.Pull(t.Context(), reference(t, "ollama:m"), false)
	is(t, err, starling.Refused)
	if _, err := s.Find("o/m:Q8_0"); err != nil { // which has the same file
		t.Error(err)
	}
}

func TestTwoOfOneQuantisationAreTwoModels(t *testing.T) {
	w := newWorld(t)
	w.repo("o/m", map[string][]byte{"m-Q4_0.gguf": weights(1, 100), "draft-of-m-Q4_0.gguf": weights(2, 200)})
	s := w.store(Options{})
	for tag, bytes := range map[string]int64{"": 100, ":q4_0": 100, ":draft-of-m-Q4_0.gguf": 200, ":draft-of-m": 200} {
		if m, err := s.Pull(t.Context(), reference(t, "o/m"+tag), false); err != nil || m.Bytes() != bytes {
			t.Errorf("%s: %+v, %v", tag, m, err)
		}
	}
	if m, err := s.Find("o/m:Q4_0"); err != nil || m.Bytes() != 100 {
		t.Error(m, err)
	}
}

func TestWithoutAPreferredOneItIsAsked(t *testing.T) {
	w := newWorld(t)
	w.repo("o/m", map[string][]byte{"m-Q2_K.gguf": weights(1, 100), "m-Q3_K_S.gguf": weights(2, 100)})
	_, err := w.store(Options{}).Pull(t.Context(), reference(t, "o/m"), false)
	is(t, err, starling.NotFound)
	if !strings.Contains(err.Error(), "say o/m:Q2_K") {
		t.Error(err)
	}
}

func TestWhatDoesNotFitIsRefusedAndTheLargestThatDoesIsProposed(t *testing.T) {
	w := newWorld(t)
	w.repo("o/m", map[string][]byte{"m-Q8_0.gguf": weights(1, 900), "m-Q4_K_M.gguf": weights(2, 500), "m-Q2_K.gguf": weights(3, 300)})
	s := w.store(Options{Fits: func(c Candidate) (bool, string) { return c.Bytes <= 600, "it needs more memory" }})
	_, err := s.Pull(t.Context(), reference(t, "o/m:Q8_0"), false)
	is(t, err, starling.TooLarge)
	if w.sent() != 0 || !strings.Contains(err.Error(), "it needs more memory") || !strings.Contains(err.Error(), "pull o/m:Q4_K_M") {
		t.Errorf("%d bytes, %v", w.sent(), err)
	}
	if _, err := s.Pull(t.Context(), reference(t, "o/m:Q8_0"), true); err != nil {
		t.Error(err)
	}
}

// TestWhetherItFitsIsSaidByTheBeginningOfTheFile: only as much is fetched as is read.
func TestWhetherItFitsIsSaidByTheBeginningOfTheFile(t *testing.T) {
	data := weights(16, 3*block+500)
	for _, c := range []struct {
		name   string
		faults []fate
		kind   starling.Kind // of the first reading
	}{{"well", nil, ""}, {"cut off", []fate{cut(1000)}, ""}, {"no ranges", []fate{whole200}, ""}, {"a page", []fate{page}, ""}, {"404", []fate{answers(404)}, starling.NotFound}} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.repo("o/m", map[string][]byte{"m-Q8_0.gguf": data, "m-Q4_0.gguf": weights(17, 100)})
			var said []starling.Kind
			s := w.store(Options{Fits: func(of Candidate) (bool, string) {
				got := make([]byte, 100)
				_, err := of.Header.ReadAt(got, 50)
				if said = append(said, starling.KindOf(err)); err == nil && (string(got) != string(data[50:150]) || of.Size != int64(len(data))) {
					t.Error("it reads something else")
				}
				if n, err := of.Header.ReadAt(got, of.Size-50); n != 50 || err != io.EOF {
					t.Error(n, err)
				}
				return false, "it is read"
			}})
			w.next(c.faults...)
			_, err := s.Pull(t.Context(), reference(t, "o/m:Q8_0"), false)
			is(t, err, starling.TooLarge)
			if len(said) != 2 || said[0] != c.kind || said[1] != "" { // of the one that was asked for, and the smaller
				t.Errorf("%q", said)
			}
			if c.name == "well" && w.sent() != block+500 {
				t.Errorf("%d bytes were served: %v", w.sent(), w.asked)
			}
		})
	}
}

func TestAnOllamaModelComesWithItsTemplateAndLicence(t *testing.T) {
	w := newWorld(t)
	data := weights(7, size)
	w.image("tiny", "latest", data, map[string]string{ollamaTemplate: "{{ .Prompt }}", ollamaParams: `{"stop":["x"]}`, ollamaLicence: "MIT License\n\nwords"})
	s := w.store(Options{})
	w.next(cut(1), cut(1), cut(1)) // also of the small parts
	m, err := s.Pull(t.Context(), reference(t, "ollama:tiny"), false)
	if err != nil || !wholeOrNothing(t, s, data) {
		t.Fatal(err)
	}
	if m.Name != "ollama:tiny:latest" || m.Template != "{{ .Prompt }}" || m.Params != `{"stop":["x"]}` || m.Licence != "MIT License" {
		t.Errorf("%+v", m)
	}
	if m, err := s.Find("OLLAMA:tiny"); err != nil || m.Digest() != "sha256:"+sha(data) {
		t.Error(m, err)
	}
	w.image("adapted", "latest", data, map[string]string{ollamaAdapter: "x"})
	_, err = s.Pull(t.Context(), reference(t, "ollama:adapted"), false)
	is(t, err, starling.Refused)
	_, err = s.Pull(t.Context(), reference(t, "ollama:tiny:other"), false)
	is(t, err, starling.NotFound)
}

func TestABlobOfAFoundOllamaIsSharedAndNeverTakenAway(t *testing.T) {
	w := newWorld(t)
	data := weights(8, 1000)
	w.image("tiny", "latest", data, nil)
	theirs := t.TempDir()
	blob := filepath.Join(theirs, "blobs", "sha256-"+sha(data))
	if err := os.MkdirAll(filepath.Dir(blob), 0o700); err != nil {
		t.Fatal(err)
	}
	s := w.store(Options{Ollama: []string{t.TempDir(), theirs}})
	for _, c := range []struct {
		held   []byte
		served int
	}{{data, 0}, {weights(9, 1000), 1000}, {data[:999], 1000}} {
		if err := os.WriteFile(blob, c.held, 0o600); err != nil {
			t.Fatal(err)
		}
		w.next()
		m, err := s.Pull(t.Context(), reference(t, "ollama:tiny"), false)
		if err != nil || !wholeOrNothing(t, s, data) || w.sent() != c.served {
			t.Fatalf("%v; %d bytes were served, not %d", err, w.sent(), c.served)
		}
		if _, _, err := s.Remove(t.Context(), m.Name); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(blob); err != nil || string(got) != string(c.held) {
			t.Errorf("theirs was changed: %v", err)
		}
	}
}

func TestFilesAreFreedWithTheLastModelThatNeedsThem(t *testing.T) {
	w := newWorld(t)
	data := weights(10, 1000)
	w.repo("o/m", map[string][]byte{"m-Q4_0.gguf": data})
	w.image("m", "latest", data, nil)
	s := w.store(Options{})
	for _, name := range []string{"o/m", "ollama:m"} {
		if _, err := s.Pull(t.Context(), reference(t, name), false); err != nil {
			t.Fatal(err)
		}
	}
	if w.sent() != 1000 {
		t.Errorf("%d bytes were served for the same file twice", w.sent())
	}
	if _, freed, err := s.Remove(t.Context(), "o/m"); err != nil || freed != 0 {
		t.Error(freed, err)
	}
	if _, freed, err := s.Remove(t.Context(), "ollama:m"); err != nil || freed != 1000 {
		t.Error(freed, err)
	}
	_, _, err := s.Remove(t.Context(), "ollama:m")
	is(t, err, starling.NotFound)
	if left := contents(t, filepath.Join(s.models(), "blobs")); len(left) != 0 {
		t.Error(len(left), "files are left")
	}
}

func TestManyAtOnceFetchAFileOnce(t *testing.T) {
	w := newWorld(t)
	data := weights(11, size)
	w.repo("o/m", map[string][]byte{"m-Q4_0.gguf": data})
	first := w.store(Options{})
	var all sync.WaitGroup
	for range 4 {
		s, err := Open(first.dir, first.o) // as another process would
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			if _, err := s.Pull(t.Context(), reference(t, "o/m"), false); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if !wholeOrNothing(t, first, data) || w.sent() != size {
		t.Errorf("%d bytes were served", w.sent())
	}
}

func TestPullingAndRemovingAtOnceNeverListsWhatIsNotThere(t *testing.T) {
	w := newWorld(t)
	data := weights(12, 5000)
	w.repo("o/m", map[string][]byte{"m-Q4_0.gguf": data})
	w.image("m", "latest", data, nil)
	s := w.store(Options{})
	var all sync.WaitGroup
	for _, name := range []string{"o/m", "ollama:m"} {
		all.Go(func() {
			for range 15 {
				m, err := s.Pull(t.Context(), reference(t, name), false)
				for starling.KindOf(err) == starling.Overloaded { // the other has freed the file at each try: ask again
					m, err = s.Pull(t.Context(), reference(t, name), false)
				}
				if err != nil {
					t.Error(err)
				} else if _, _, err := s.Remove(t.Context(), m.Name); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if wholeOrNothing(t, s, data) {
		t.Error("something is left")
	}
}

func TestWhatNobodyWentOnWithForAWeekIsTakenAway(t *testing.T) {
	w := newWorld(t)
	w.repo("o/m", map[string][]byte{"m-Q4_0.gguf": weights(13, 1000)})
	s := w.store(Options{})
	if _, err := s.Pull(t.Context(), reference(t, "o/m"), false); err != nil {
		t.Fatal(err)
	}
	kept := s.blob("sha256:" + sha(weights(13, 1000)))
	old, young := filepath.Join(filepath.Dir(kept), "sha256-old.partial"), filepath.Join(filepath.Dir(kept), "sha256-young.partial")
	for path, age := range map[string]time.Duration{old: forgotten + time.Hour, young: time.Hour, kept: 2 * forgotten} {
		if path != kept {
			if err := os.WriteFile(path, make([]byte, 10), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		then := time.Now().Add(-age)
		if err := os.Chtimes(path, then, then); err != nil {
			t.Fatal(err)
		}
	}
	if freed, err := s.Prune(t.Context()); err != nil || freed != 10 || there(old) || !there(young) || !there(kept) {
		t.Error(freed, err)
	}
}

func TestAFileIsImportedAndRefusedIfItIsNone(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	data := weights(14, 1000)
	file := filepath.Join(dir, "my-model-q4_0.gguf")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, link := range []bool{false, true} {
		s := w.store(Options{Inspect: func(path string) (Facts, error) { return Facts{Architecture: "llama", Licence: "mit"}, nil }})
		m, err := s.Import(t.Context(), Import{File: file, Name: "mine:7b", Link: link})
		if err != nil || !wholeOrNothing(t, s, data) || m.Facts.Architecture != "llama" || m.Facts.Quant != "Q4_0" || m.Licence != "mit" {
			t.Fatal(m, err)
		}
		a, _ := os.Stat(file)
		b, _ := os.Stat(m.Path)
		if os.SameFile(a, b) != link {
			t.Errorf("link %v, and the same file %v", link, !link)
		}
		if _, _, err := s.Remove(t.Context(), "mine"); err != nil || !there(file) {
			t.Error("the file is gone", err)
		}
	}
	s := w.store(Options{Inspect: func(path string) (Facts, error) { return Facts{}, errors.New("its header is torn") }})
	_, err := s.Import(t.Context(), Import{File: file})
	is(t, err, starling.Refused)
	s.o.Inspect = nil
	other := filepath.Join(dir, "page.gguf")
	part := filepath.Join(dir, "m-00001-of-00002.gguf")
	for _, path := range []string{other, part} {
		if err := os.WriteFile(path, []byte("<html>"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		i    Import
		kind starling.Kind
	}{
		{Import{File: other}, starling.Refused}, {Import{File: part}, starling.Invalid}, {Import{File: dir}, starling.NotFound}, {Import{File: filepath.Join(dir, "none")}, starling.NotFound},
		{Import{File: file, Name: "../../x"}, starling.Invalid}, {Import{File: file, Name: "a b"}, starling.Invalid},
	} {
		_, err := s.Import(t.Context(), c.i)
		is(t, err, c.kind)
	}
	if left := contents(t, filepath.Join(s.models(), "blobs")); len(left) != 0 {
		t.Errorf("%d files are left", len(left))
	}
}

func TestAFullDiskSaysSo(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("there is no /dev/full")
	}
	defer full.Close()
	s := newWorld(t).store(Options{})
	ft := s.get.write(strings.NewReader("some"), want{what: "m"}, &partial{file: full, hash: sha256.New()})
	if ft == nil || ft.again || !strings.Contains(ft.err.Error(), "goes on where it was") {
		t.Fatal(ft)
	}
	is(t, ft.err, starling.TooLarge)
}

func TestNamesAreReadAndWhatIsNoneIsInvalid(t *testing.T) {
	for text, want := range map[string]string{
		"owner/repo": "hf:owner/repo", "hf:owner/repo:Q4_K_M": "hf:owner/repo:Q4_K_M", "ollama:qwen3:0.6b": "ollama:qwen3:0.6b", "ollama:user/m": "ollama:user/m",
		"": "", "repo": "", "../x": "", "a/../b": "", "owner/repo:": "", "owner/repo:a b": "", "ollama:": "", "http://x/y": "", "owner/repo/more": "", "ollama:a/b/c": "",
	} {
		r, err := ParseReference(text)
		if (err == nil) != (want != "") || err == nil && r.String() != want {
			t.Errorf("%q: %q, %v", text, r, err)
		}
		if err != nil {
			is(t, err, starling.Invalid)
		}
	}
}

func FuzzReferences(f *testing.F) {
	f.Add("hf:owner/repo:Q4_K_M")
	f.Add("ollama:../../x")
	s, err := Open(f.TempDir(), Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseReference(text)
		if err != nil {
			return
		}
		if again, err := ParseReference(r.String()); err != nil || again != r {
			t.Errorf("%q: %v, then %v: %v", text, r, again, err)
		}
		if file := s.manifest(r.name()); filepath.Dir(file) != filepath.Join(s.models(), "manifests") || len(filepath.Base(file)) > 250 {
			t.Errorf("%q would be kept in %s", text, file)
		}
	})
}

func TestHowLongAServerAsksToWait(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "3": 3 * time.Second, "-1": 0, "99999999999": mostPause, "1000": mostPause, "soon": 0,
		now.Add(5 * time.Second).Format(http.TimeFormat): 5 * time.Second, now.Add(-time.Hour).Format(http.TimeFormat): 0,
	} {
		if got := retryAfter(value, now); got != want && !(value == "99999999999" && got == 0) {
			t.Errorf("%q: %v, not %v", value, got, want)
		}
	}
	for value, want := range map[string]string{"bytes 5-9/10": "5 10 true", "bytes 5-9/*": "5 0 true", "bytes */10": "0 10 false", "": "0 0 false", "bytes 5-9": "5 0 false"} {
		from, total, ok := contentRange(value)
		if got := fmt.Sprint(from, total, ok); got != want && ok {
			t.Errorf("%q: %s, not %s", value, got, want)
		}
	}
}

// FuzzLists: whatever files a repository names, what is made of them can be kept and
// found again, each under a name of its own.
func FuzzLists(f *testing.F) {
	f.Add("m-Q4_K_M.gguf\nm-Q4_0.gguf\nd/m-Q4_0.gguf", "Q4_0")
	f.Add("m-BF16-00001-of-00002.gguf\nm-BF16-00002-of-00002.gguf", "")
	f.Add("../x.gguf\n\x00.gguf\n-00001-of-00001.gguf", "x")
	f.Fuzz(func(t *testing.T, list, tag string) {
		var files []remote
		for name := range strings.SplitSeq(list, "\n") {
			files = append(files, remote{name: name, size: 1})
		}
		r := Reference{"hf", "o/m", tag}
		offers := group(r, files)
		for i := range offers {
			if !whole(offers[i].files) || len(offers[i].files) == 0 {
				t.Errorf("%q is not whole", offers[i].name)
			}
		}
		if len(offers) > 0 {
			if o, err := choose(r, offers); err == nil && len(o.files) == 0 {
				t.Error("nothing was chosen")
			} else if err != nil {
				is(t, err, starling.NotFound)
			}
		}
	})
}
