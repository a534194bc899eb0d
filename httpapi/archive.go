package httpapi

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"time"
)

// manifestFile is the last file of an archive: it names the others.
const manifestFile = "manifest.json"

// manifestFact is what a manifest says of a file.
type manifestFact struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// archive is a zip that is being written, and what its manifest says of the files.
type archive struct {
	zip   *zip.Writer
	at    time.Time // of all files
	files []manifestFact
}

func newArchive(out io.Writer, at time.Time) *archive {
	return &archive{zip: zip.NewWriter(out), at: at}
}

// file writes a file and notes it for the manifest.
func (a *archive) file(name string, write func(io.Writer) error) error {
	w, err := a.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: a.at})
	if err != nil {
		return err
	}
	h := sha256.New()
	n := &counter{}
	if err := write(io.MultiWriter(w, h, n)); err != nil {
		return err
	}
	a.files = append(a.files, manifestFact{name, n.n, hex.EncodeToString(h.Sum(nil))})
	return nil
}

// bytes writes a file that is there already.
func (a *archive) bytes(name string, content []byte) error {
	return a.file(name, func(w io.Writer) error { _, err := w.Write(content); return err })
}

// json writes a value.
func (a *archive) json(name string, v any) error {
	return a.file(name, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	})
}

// end writes the manifest, closes the archive, and returns the manifest's SHA-256.
func (a *archive) end(manifest any) (string, error) {
	text, err := json.MarshalIndent(manifest, "", "  ")
	if err != nil {
		return "", err
	}
	err = a.bytes(manifestFile, text)
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), errors.Join(err, a.zip.Close())
}

// archiveList writes a list twice, as name.json and name.csv, row by row.
func archiveList[T any](a *archive, name string, item func(T) any, columns []column[T], rows func(func(T) error) error) error {
	err := a.file(name+".json", func(w io.Writer) error {
		enc, separator := json.NewEncoder(w), "["
		err := rows(func(x T) error {
			if _, err := io.WriteString(w, separator); err != nil {
				return err
			}
			separator = ","
			return enc.Encode(item(x))
		})
		if err == nil && separator == "[" {
			_, err = io.WriteString(w, "[")
		}
		if err == nil {
			_, err = io.WriteString(w, "]\n")
		}
		return err
	})
	if err != nil {
		return err
	}
	return a.file(name+".csv", func(w io.Writer) error {
		enc := NewCSV(w, columns, false)
		if err := rows(enc.Write); err != nil {
			return err
		}
		return enc.Flush()
	})
}

// counter counts bytes.
type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}
