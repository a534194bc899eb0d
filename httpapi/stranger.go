package httpapi

import (
	"io"
	"net/http"
	"time"
)

// strangerPatience is how long the body of who showed no good token is waited for, and the
// rest of one that nobody reads: net/http would wait as long as for one that is wanted.
const strangerPatience = time.Second

// isStranger reports whether a status is given without a look at the body.
func isStranger(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusTooManyRequests:
		return true
	}
	return false
}

// requestBody is the body of a request, of which it notes whether it ended.
type requestBody struct {
	io.ReadCloser
	answer http.ResponseWriter
	ended  bool // or failed
}

// Read implements io.Reader.
func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.ended = b.ended || err != nil
	return n, err
}

// hurry bounds the wait for what is left of the body. Of one that ended, net/http listens
// already whether the client hangs up, and would take the end of the wait for that.
func (b *requestBody) hurry() {
	if !b.ended {
		_ = http.NewResponseController(b.answer).SetReadDeadline(time.Now().Add(strangerPatience))
	}
}

// hurry bounds the wait for the body of a request whose sender showed no good token.
func hurry(r *http.Request) {
	if body, ok := r.Body.(*requestBody); ok {
		body.hurry()
	}
}
