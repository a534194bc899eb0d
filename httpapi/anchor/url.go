package anchor

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"aifi-audit/store/translog"
)

// maxAnswer is how much of an answer is read, in bytes.
const maxAnswer = 64 << 10

// checkURL wants TLS, but for what does not leave the machine.
func checkURL(u *url.URL) error {
	local := u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback()
	switch {
	case u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("%s is not an address as https://anchors.example.com/log", u.Redacted())
	case u.User != nil:
		return fmt.Errorf("%s must not have a user and password in it", u.Redacted())
	case u.Scheme == "http" && !local:
		return fmt.Errorf("%s must be https: what goes out could be altered on its way, and a token be read", u.Redacted())
	}
	return nil
}

// newClient goes after a redirect only if that is to the same host, and posts there what
// it was to post.
func newClient(like *http.Client) *http.Client {
	client := http.Client{}
	if like != nil {
		client = *like
	}
	client.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		first := via[0]
		if len(via) > 3 || r.Method != first.Method || r.URL.Scheme != first.URL.Scheme || r.URL.Host != first.URL.Host {
			return fmt.Errorf("it redirects to %s, which is not followed", r.URL.Redacted())
		}
		return nil
	}
	return &client
}

// post posts text, and gives the status and the beginning of the answer.
func post(ctx context.Context, client *http.Client, to, token string, text []byte) (status int, contentType string, answer []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(text))
	if err != nil {
		return 0, "", nil, err
	}
	r.Header.Set("Content-Type", "text/plain; charset=utf-8")
	r.Header.Set("User-Agent", "aifi-audit")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(r)
	if err != nil {
		return 0, "", nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp.StatusCode, resp.Header.Get("Content-Type"), answer, err
}

// poster posts notes to a URL.
type poster struct {
	client *http.Client
	url    string
	token  func() (string, error)
}

func (p *poster) send(ctx context.Context, c translog.Checkpoint) error {
	token := ""
	if p.token != nil {
		var err error
		if token, err = p.token(); err != nil {
			return fmt.Errorf("reading the token: %w", err)
		}
	}
	status, _, _, err := post(ctx, p.client, p.url, token, c.Note)
	if err != nil {
		return err
	}
	if status < 200 || status > 299 {
		return fmt.Errorf("it answered %d %s", status, http.StatusText(status))
	}
	return nil
}
