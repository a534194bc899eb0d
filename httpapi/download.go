package httpapi

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"time"
)

// download is an answer that is a file. It sends its headers with its first bytes: until
// then an error is still an answer.
type download struct {
	w           http.ResponseWriter
	name        string
	contentType string
	timeout     time.Duration // for a part to be accepted
	whole       func()        // to be called when it is, or nothing of it left
	started     bool
}

func (c caller) download(w http.ResponseWriter, r *http.Request, name, contentType string) *download {
	return &download{w: w, name: name, contentType: contentType, timeout: c.api.limits.WriteTimeout, whole: resetUnlessWhole(r)}
}

// head answers with the headers only.
func (d *download) head() error {
	d.start()
	d.whole()
	return nil
}

func (d *download) start() {
	d.started = true
	h := d.w.Header()
	h.Set("Content-Type", d.contentType)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": d.name}))
	h.Set("Cache-Control", "no-store")
	d.w.WriteHeader(http.StatusOK)
}

func (d *download) Write(b []byte) (int, error) {
	if !d.started {
		d.start()
	}
	// A client that no longer reads must not hold a database connection for ever.
	_ = http.NewResponseController(d.w).SetWriteDeadline(time.Now().Add(d.timeout))
	return d.w.Write(b)
}

// finish ends a download, and writes to the access log what left. After an error of which
// the client cannot be told any more the connection is broken, so that nobody takes a
// part for the whole.
func (d *download) finish(r *http.Request, c caller, rows int64, detail string, err error) error {
	if err == nil && d.started {
		err = http.NewResponseController(d.w).Flush() // what was only buffered until now may fail to go
	}
	if err == nil {
		c.saw(r, rows, detail)
		d.whole()
		return nil
	}
	if !d.started {
		d.whole() // the problem is
		return err
	}
	if !errors.Is(err, context.Canceled) {
		c.api.log.Warn("a download was broken off", "file", d.name, "error", err)
	}
	c.saw(r, rows, "broken off")
	panic(http.ErrAbortHandler)
}

// resetUnlessWhole has the connection of a request of HTTP/1.0, whose answers end with
// it, be reset if it ends before whole is called, even if the program is killed: the
// usual end would look like that of a whole answer.
func resetUnlessWhole(r *http.Request) (whole func()) {
	p := placeOf(r)
	if p == nil || r.ProtoAtLeast(1, 1) {
		return func() {}
	}
	conn, ok := p.conn.(interface{ SetLinger(seconds int) error })
	if !ok {
		return func() {}
	}
	_ = conn.SetLinger(0)
	return func() { _ = conn.SetLinger(-1) }
}
