package ui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed assets
var assetFiles embed.FS

// assets are files whose names carry a hash of their content, so that a browser may
// keep them for ever.
type assets struct {
	paths map[string]string // name -> path below /assets/
	files map[string]asset  // name with hash -> content
}

type asset struct {
	mediaType   string
	plain, gzip []byte
}

func readAssets() assets {
	a := assets{map[string]string{}, map[string]asset{}}
	entries, err := assetFiles.ReadDir("assets")
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		content, err := assetFiles.ReadFile(path.Join("assets", e.Name()))
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(content)
		extension := path.Ext(e.Name())
		hashed := strings.TrimSuffix(e.Name(), extension) + "." + hex.EncodeToString(sum[:8]) + extension
		a.paths[e.Name()] = "/assets/" + hashed
		a.files[hashed] = asset{mime.TypeByExtension(extension), content, gzipped(content)}
	}
	return a
}

func gzipped(content []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is valid
	_, _ = w.Write(content)                               // into memory
	_ = w.Close()
	return b.Bytes()
}

func (a assets) path(name string) string {
	p, ok := a.paths[name]
	if !ok {
		panic("there is no asset " + name)
	}
	return p
}

// ServeAsset answers with the file of a hashed name. It reports false, and answers
// nothing, if there is none.
func (u *UI) ServeAsset(w http.ResponseWriter, r *http.Request, name string) bool {
	file, ok := u.assets.files[name]
	if !ok {
		return false
	}
	h := w.Header()
	h.Set("Content-Type", file.mediaType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	body := file.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = file.gzip
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client is gone if this fails
	}
	return true
}
