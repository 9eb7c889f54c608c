package hub

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"starling"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A world is everything outside: Hugging Face with its CDN, Ollama's registry, npm's,
// and GitHub, each as the real one answers, and a list of what goes wrong next.
type world struct {
	t      testing.TB
	client *http.Client

	front, cdn *httptest.Server // two hosts

	mu     sync.Mutex
	files  map[string][]byte // by the path at the CDN
	pages  map[string]any    // JSON, by the path in front
	etags  map[string]string // by path; "" the digest
	faults []func(w http.ResponseWriter, r *http.Request, data []byte)
	served int               // bytes of files
	asked  []string          // "GET path range" of the CDN
	seen   map[string]string // Authorization by "front" and "cdn"

	writing sync.WaitGroup // answers under way, which may go on after their reader has left
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, files: map[string][]byte{}, pages: map[string]any{}, etags: map[string]string{}, seen: map[string]string{}}
	w.front, w.cdn = quiet(w.answerFront), quiet(w.answerCDN)
	w.client = &http.Client{Transport: &http.Transport{}}
	t.Cleanup(func() {
		w.client.CloseIdleConnections()
		w.front.Close()
		w.cdn.Close()
	})
	return w
}

// quiet starts a server that says nothing of connections that it cuts off.
func quiet(h http.HandlerFunc) *httptest.Server {
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	return s
}

// store opens a store that knows this world and no other.
func (w *world) store(o Options) *Store {
	o.HuggingFace, o.Registry, o.NPM, o.GitHub = w.front.URL, w.front.URL, w.front.URL, w.front.URL
	o.Client, o.Pause = w.client, time.Microsecond
	if o.Ollama == nil {
		o.Ollama = []string{}
	}
	if o.System == nil {
		o.System = []string{}
	}
	s, err := Open(w.t.TempDir(), o)
	if err != nil {
		w.t.Fatal(err)
	}
	s.packages = map[string]packaged{}
	return s
}

// answerFront gives out lists, and sends on to the CDN for files.
func (w *world) answerFront(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.seen["front"] = r.Header.Get("Authorization")
	page, isPage := w.pages[r.URL.Path+query(r)]
	_, isFile := w.files[r.URL.Path]
	w.mu.Unlock()
	switch {
	case isFile:
		http.Redirect(rw, r, w.cdn.URL+r.URL.Path+"?signature=secret", http.StatusFound)
	case isPage:
		if f, ok := page.(func(http.ResponseWriter, *http.Request)); ok {
			f(rw, r)
			return
		}
		_ = json.NewEncoder(rw).Encode(page)
	default:
		http.NotFound(rw, r)
	}
}

func query(r *http.Request) string {
	if r.URL.RawQuery == "" {
		return ""
	}
	return "?" + r.URL.RawQuery
}

func (w *world) answerCDN(rw http.ResponseWriter, r *http.Request) {
	w.writing.Add(1)
	defer w.writing.Done()
	w.mu.Lock()
	w.seen["cdn"] = r.Header.Get("Authorization")
	w.asked = append(w.asked, strings.TrimSpace(r.URL.Path+" "+r.Header.Get("Range")))
	data := w.files[r.URL.Path]
	etag := w.etags[r.URL.Path]
	var fault func(http.ResponseWriter, *http.Request, []byte)
	if len(w.faults) > 0 {
		fault, w.faults = w.faults[0], w.faults[1:]
	}
	w.mu.Unlock()
	if etag == "" {
		etag = `"` + sha(data) + `"`
	}
	rw.Header().Set("ETag", etag)
	rw.Header().Set("Content-Type", "application/octet-stream")
	counting := &counter{rw, w}
	if fault != nil {
		fault(counting, r, data)
		return
	}
	http.ServeContent(counting, r, "", time.Time{}, bytes.NewReader(data))
}

// A counter counts what is served.
type counter struct {
	http.ResponseWriter
	w *world
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.w.mu.Lock()
	c.w.served += n
	c.w.mu.Unlock()
	return n, err
}

func (c *counter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// next says what goes wrong from here on, one a request, and forgets what was served.
func (w *world) next(faults ...fate) {
	w.writing.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults, w.served, w.asked = nil, 0, nil
	w.faults = append(w.faults, faults...)
}

func (w *world) sent() int {
	w.writing.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.served
}

// A fate is what becomes of one request.
type fate = func(w http.ResponseWriter, r *http.Request, data []byte)

// cut ends the connection after so many bytes of what was asked for.
func cut(after int) fate {
	return func(w http.ResponseWriter, r *http.Request, data []byte) {
		http.ServeContent(&cutting{w, after}, r, "", time.Time{}, bytes.NewReader(data))
	}
}

// hangUp ends the connection at once.
func hangUp(http.ResponseWriter, *http.Request, []byte) { panic(http.ErrAbortHandler) }

type cutting struct {
	http.ResponseWriter
	left int
}

func (c *cutting) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p[:min(len(p), c.left)])
	if c.left -= n; c.left == 0 {
		_ = http.NewResponseController(c.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, err
}

// stall sends so many bytes, and then nothing until the other side gives up.
func stall(after int) fate {
	return func(w http.ResponseWriter, r *http.Request, data []byte) {
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		_, _ = w.Write(data[:after])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

// status answers with a code and no data.
func answers(code int, header ...string) fate {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

// page answers with a page for people.
func page(w http.ResponseWriter, _ *http.Request, _ []byte) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, "<html>Please log in</html>")
}

// whole answers with everything, whatever was asked for.
func whole200(w http.ResponseWriter, _ *http.Request, data []byte) { _, _ = w.Write(data) }

// flipped serves other bytes of the right length.
func flipped(w http.ResponseWriter, r *http.Request, data []byte) {
	bad := bytes.Clone(data)
	for i := range bad {
		bad[i] ^= 1
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(bad))
}

// longer serves too much.
func longer(w http.ResponseWriter, _ *http.Request, data []byte) {
	_, _ = w.Write(append(bytes.Clone(data), 'x'))
}

// shorter serves too little, and says that it is all.
func shorter(w http.ResponseWriter, _ *http.Request, data []byte) {
	w.Header().Set("Content-Length", fmt.Sprint(len(data)-1))
	_, _ = w.Write(data[:len(data)-1])
}

// endless has no length and ends early, as a broken proxy does.
func endless(w http.ResponseWriter, _ *http.Request, data []byte) {
	_, _ = w.Write(data[:len(data)/2])
	_ = http.NewResponseController(w).Flush()
}

func sha(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// weights are some bytes that begin as a GGUF does.
func weights(seed uint64, size int) []byte {
	data := make([]byte, size)
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	copy(data, "GGUF")
	return data
}

const commit = "0123456789abcdef0123456789abcdef01234567"

// repo offers files of a repository at Hugging Face.
func (w *world) repo(name string, files map[string][]byte) {
	type lfs struct {
		OID  string `json:"oid"`
		Size int    `json:"size"`
	}
	type entry struct {
		Type string `json:"type"`
		Path string `json:"path"`
		Size int    `json:"size"`
		LFS  *lfs   `json:"lfs,omitempty"`
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pages["/api/models/"+name] = map[string]any{"sha": commit, "tags": []string{"gguf", "license:apache-2.0"}}
	list := []entry{{"directory", "folder", 0, nil}, {"file", "README.md", 10, nil}}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		list = append(list, entry{"file", path, len(files[path]), &lfs{sha(files[path]), len(files[path])}})
		w.files["/"+name+"/resolve/"+commit+"/"+path] = files[path]
	}
	// A list comes in pages, of which each names the next.
	half := len(list) / 2
	tree := "/api/models/" + name + "/tree/" + commit + "?recursive=true"
	w.pages[tree] = func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Link", fmt.Sprintf(`<%s%s&cursor=2>; rel="next"`, w.front.URL, tree))
		_ = json.NewEncoder(rw).Encode(list[:half])
	}
	w.pages[tree+"&cursor=2"] = list[half:]
}

// image offers a model at Ollama's registry.
func (w *world) image(name, tag string, model []byte, more map[string]string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	type layer struct {
		Kind   string `json:"mediaType"`
		Digest string `json:"digest"`
		Size   int    `json:"size"`
	}
	layers := []layer{{ollamaModel, "sha256:" + sha(model), len(model)}}
	w.files["/v2/library/"+name+"/blobs/sha256:"+sha(model)] = model
	for kind, text := range more {
		layers = append(layers, layer{kind, "sha256:" + sha([]byte(text)), len(text)})
		w.files["/v2/library/"+name+"/blobs/sha256:"+sha([]byte(text))] = []byte(text)
	}
	w.pages["/v2/library/"+name+"/manifests/"+tag] = map[string]any{"schemaVersion": 2, "layers": layers}
}

// parcel makes a package of libraries as npm's are.
func parcel(t testing.TB, files map[string]string, links map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	a := tar.NewWriter(z)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := a.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name])), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(a, files[name]); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range links {
		if err := a.WriteHeader(&tar.Header{Name: name, Linkname: to, Typeflag: tar.TypeSymlink}); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// library are the files of a library of a version, as npm's packages have them.
func library(version string) map[string]string {
	dir := "package/bins/linux-x64/"
	return map[string]string{
		dir + "libllama." + version + ".so": "llama " + version, dir + "libggml." + version + ".so": "ggml " + version, dir + "libggml-base.so": "base", dir + "libggml-cpu-x64.so": "cpu",
		dir + metadata: `{"buildOptions":{"llamaCpp":{"release":"` + version + `"}}}`, "package/package.json": "{}", dir + "llama-addon.node": "not wanted",
	}
}

// publish offers a package at npm's registry and pins it.
func (w *world) publish(s *Store, data []byte) {
	sum := sha512.Sum512(data)
	s.packages = map[string]packaged{s.o.Platform: {"@libs/linux-x64", "sha512-" + base64.StdEncoding.EncodeToString(sum[:])}}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files["/@libs/linux-x64/-/linux-x64-"+pinnedPackage+".tgz"] = data
}

// release offers a package at GitHub.
func (w *world) release(tag, asset string, data []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files["/download/"+asset] = data
	w.pages["/repos/ggml-org/llama.cpp/releases/tags/"+Pinned] = map[string]any{"tag_name": tag, "assets": []map[string]any{
		{"name": "llama-" + tag + "-bin-ubuntu-vulkan-x64.tar.gz", "browser_download_url": "http://127.0.0.1:9/none", "digest": "sha256:" + sha(nil), "size": 1},
		{"name": asset, "browser_download_url": w.front.URL + "/download/" + asset, "digest": "sha256:" + sha(data), "size": len(data)},
	}}
}

// is fails unless an error is of a kind; "" is none.
func is(t testing.TB, err error, kind starling.Kind) {
	t.Helper()
	if starling.KindOf(err) != kind {
		t.Fatalf("got %q (%v), want %q", starling.KindOf(err), err, kind)
	}
}

// contents are the files below a folder with what they hold.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if data, err := os.ReadFile(filepath.Join(dir, e.Name())); err == nil {
			all[e.Name()] = string(data)
		}
	}
	return all
}
