package hub

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"starling"
)

const (
	mostFiles    = 1000    // in a package
	mostUnpacked = 4 << 30 // bytes of all of its files
)

// unpack puts the files of a package that are part of a library into a folder, each by
// its last name alone, so that no name in a package leads elsewhere. Links in a package
// are made as copies of what they name, if that lies beside them; devices and the like
// are left out. Errors: Refused for what is no package, or too large a one.
func unpack(file, dir string) error {
	u := unpacking{dir: dir, left: mostUnpacked, links: map[string]string{}}
	var err error
	switch name := strings.ToLower(file); {
	case strings.HasSuffix(name, ".zip"):
		err = u.zip(file)
	case strings.HasSuffix(name, ".tgz"), strings.HasSuffix(name, ".tar.gz"):
		err = u.tar(file)
	default:
		err = errors.New("it ends in none of .tgz, .tar.gz and .zip")
	}
	if err == nil {
		err = u.link()
	}
	if err != nil {
		return &starling.Error{Kind: starling.Refused, Op: "hub: unpack " + filepath.Base(file), Hint: "fetch it anew, or name another", Err: err}
	}
	return nil
}

type unpacking struct {
	dir   string
	files int
	left  int64             // bytes that may still come out
	links map[string]string // from a name to that beside it which it stands for
}

func (u *unpacking) zip(file string) error {
	z, err := zip.OpenReader(file)
	if err != nil {
		return err
	}
	defer z.Close()
	for _, f := range z.File {
		if !f.Mode().IsRegular() || !wanted(f.Name) {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return err
		}
		err = errors.Join(u.file(path.Base(f.Name), r), r.Close())
		if err != nil {
			return err
		}
	}
	return nil
}

func (u *unpacking) tar(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	// What is left out counts too, or a package of nothing but that would never end.
	for t := tar.NewReader(io.LimitReader(z, mostUnpacked+1<<20)); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name := path.Base(h.Name)
		switch {
		case !wanted(h.Name):
		case h.Typeflag == tar.TypeReg:
			err = u.file(name, t)
		case h.Typeflag == tar.TypeSymlink, h.Typeflag == tar.TypeLink:
			err = u.remember(name, h.Linkname)
		}
		if err != nil {
			return err
		}
	}
}

// wanted reports whether a file of a package belongs to a library, as do those for
// Windows that it is linked with. Executables and what is for other languages do not.
func wanted(name string) bool {
	base := path.Base(name)
	return isLibrary(base) || strings.HasSuffix(base, ".dll") || base == metadata || strings.HasSuffix(base, ".metal") || strings.HasPrefix(base, "LICENSE")
}

func (u *unpacking) file(name string, r io.Reader) error {
	if u.files++; u.files > mostFiles {
		return errors.New("it holds too many files")
	}
	out, err := os.OpenFile(filepath.Join(u.dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(out, io.LimitReader(r, u.left+1))
	if u.left -= n; u.left < 0 {
		err = errors.Join(err, errors.New("it is too large"))
	}
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

// remember notes a link to a file of the same folder. Others lead out.
func (u *unpacking) remember(name, to string) error {
	if path.Base(to) != strings.TrimPrefix(to, "./") || to == name || len(u.links) >= mostFiles {
		return fmt.Errorf("%s in it is a link that leads elsewhere", name)
	}
	u.links[name] = path.Base(to)
	return nil
}

// link makes the links that were remembered, once what they name is there.
func (u *unpacking) link() error {
	for name := range u.links {
		to := name
		for steps := 0; u.links[to] != ""; steps++ {
			if to = u.links[to]; steps > len(u.links) {
				return fmt.Errorf("%s in it is a link to itself", name)
			}
		}
		if _, err := os.Stat(filepath.Join(u.dir, to)); err != nil {
			return fmt.Errorf("%s in it is a link to what is not there", name)
		}
		if err := alias(u.dir, name, to); err != nil {
			return err
		}
	}
	return nil
}
