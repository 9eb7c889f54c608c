package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"starling"
)

// A part is one of a message, in OpenAI's dialect: a text or a picture.
type part struct {
	Type    string `json:"type"`
	Text    string `json:"text,omitempty"`
	Picture *image `json:"image_url,omitempty"`
}

type image struct {
	URL string `json:"url"`
}

// task is what the user says: in words alone, or with the files in their order before
// them, each a part of its own. Errors: Invalid, TooLarge.
func (c askCmd) task(in *os.File) (message, error) {
	said, err := spoken(in, c.Prompt)
	if err != nil {
		return message{}, err
	}
	if len(c.File) == 0 {
		if said == "" {
			err = &starling.Error{Kind: starling.Invalid, Op: "ask: there is nothing to ask", Hint: "say what is to be done, or send it through a pipe"}
		}
		return message{"user", said}, err
	}
	var parts []part
	for _, name := range c.File {
		next, err := document(name)
		if err != nil {
			return message{}, err
		}
		parts = append(parts, next)
	}
	if said != "" {
		parts = append(parts, part{Type: "text", Text: said})
	}
	return message{"user", parts}, nil
}

// spoken is what the user says in words: what is piped in, and then the arguments. A
// socket is what other programs give a command that they say nothing to, so it is read
// only where there is nothing else. Errors: Invalid for what is no text, TooLarge.
func spoken(in *os.File, args []string) (string, error) {
	said := []string{strings.Join(args, " ")}
	info, err := in.Stat()
	if err == nil && (info.Mode().IsRegular() || info.Mode()&os.ModeNamedPipe != 0 || info.Mode()&os.ModeSocket != 0 && len(args) == 0) {
		piped, err := readAtMost(in, "what is piped in")
		if err != nil {
			return "", err
		}
		said = append([]string{string(piped)}, said...)
	}
	whole := strings.TrimSpace(strings.Join(said, "\n"))
	if !isText([]byte(whole)) {
		return "", noText("what is to be asked")
	}
	return whole, nil
}

// document reads a file into a part: text between two lines that name it, or one of the
// pictures that models read.
func document(name string) (part, error) {
	f, err := os.Open(name)
	if err != nil {
		return part{}, &starling.Error{Kind: starling.Invalid, Op: "read a document", Hint: "name a file that is there with --file", Err: err}
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return part{}, &starling.Error{Kind: starling.Invalid, Op: plain(name) + " is a folder", Hint: "name the files in it that matter, each with --file"}
	}
	data, err := readAtMost(f, name)
	if err != nil {
		return part{}, err
	}
	if kind := http.DetectContentType(data); slices.Contains([]string{"image/png", "image/jpeg", "image/gif", "image/webp"}, kind) {
		return part{Type: "image_url", Picture: &image{"data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(data)}}, nil
	}
	if !isText(data) {
		return part{}, noText(name)
	}
	text := strings.TrimSuffix(strings.TrimPrefix(string(data), "\ufeff"), "\n")
	return part{Type: "text", Text: fmt.Sprintf("<document name=\"%s\">\n%s\n</document>", html.EscapeString(filepath.Base(name)), text)}, nil
}

// mostRead is what is read of one file or pipe, in bytes: more than a gateway takes.
const mostRead = 64 << 20

func readAtMost(from io.Reader, what string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(from, mostRead+1))
	switch {
	case err != nil:
		return nil, &starling.Error{Kind: starling.Invalid, Op: "read " + plain(what), Err: err}
	case len(data) > mostRead:
		return nil, &starling.Error{Kind: starling.TooLarge, Op: fmt.Sprintf("%s has more than %d bytes", plain(what), mostRead), Hint: "send the part of it that matters"}
	}
	return data, nil
}

func isText(data []byte) bool { return utf8.Valid(data) && !bytes.ContainsRune(data, 0) }

func noText(what string) error {
	return &starling.Error{Kind: starling.Invalid, Op: plain(what) + " is no text in UTF-8", Hint: "have its text taken out (pdftotext, iconv) and send that; PNG, JPEG, GIF and WebP go as files"}
}
