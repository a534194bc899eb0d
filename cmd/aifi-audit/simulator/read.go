package simulator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
)

// reader reads from the API, and outlasts what passes.
type reader struct {
	config VerifyConfig
	client *http.Client
}

func newReader(c VerifyConfig) *reader {
	return &reader{c, &http.Client{Timeout: requestTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: c.Connections}}}
}

// item is what is read of a delivery, or of an event in a list.
type item struct {
	ID         uuid.UUID         `json:"id"`
	Event      *uuid.UUID        `json:"event"`
	ReceivedAt time.Time         `json:"receivedAt"`
	BodySHA256 string            `json:"bodySha256"`
	Headers    map[string]string `json:"headers"`
}

func hexOf(sum [32]byte) string { return hex.EncodeToString(sum[:]) }

// sumOf is the zero sum if the text is none.
func sumOf(text string) (sum [32]byte) {
	if b, err := hex.DecodeString(text); err == nil && len(b) == len(sum) {
		copy(sum[:], b)
	}
	return sum
}

func (r *reader) delivery(ctx context.Context, id uuid.UUID) (d item, there bool, err error) {
	there, err = r.get(ctx, "/deliveries/"+id.String(), func(body io.Reader) error { return json.NewDecoder(body).Decode(&d) })
	return d, there, err
}

func (r *reader) body(ctx context.Context, id uuid.UUID) (sum [32]byte, there bool, err error) {
	there, err = r.get(ctx, "/deliveries/"+id.String()+"/body", func(body io.Reader) error {
		hash := sha256.New()
		_, err := io.Copy(hash, body)
		hash.Sum(sum[:0])
		return err
	})
	return sum, there, err
}

// walk reads all pages of a list.
func (r *reader) walk(ctx context.Context, list string, from, to time.Time, each func(item)) error {
	query := url.Values{"from": {from.UTC().Format(time.RFC3339Nano)}, "to": {to.UTC().Format(time.RFC3339Nano)}, "limit": {"1000"}}
	for {
		var page struct {
			Items      []item `json:"items"`
			NextCursor string `json:"nextCursor"`
		}
		there, err := r.get(ctx, "/"+list+"?"+query.Encode(), func(body io.Reader) error { return json.NewDecoder(body).Decode(&page) })
		if err != nil {
			return err
		}
		if !there {
			return fmt.Errorf("the server has no list %s", list)
		}
		for _, item := range page.Items {
			each(item)
		}
		if page.NextCursor == "" {
			return nil
		}
		query.Set("cursor", page.NextCursor)
	}
}

const (
	readAttempts = 5
	readPause    = time.Second
)

// errBroken is an answer that the server has gone wrong for good, as it gives for a
// body that does not match its SHA-256.
var errBroken = errors.New("the server cannot give what it keeps")

// errPasses is an answer that may be another one soon.
var errPasses = errors.New("the server cannot answer now")

// errTooFast is an answer that the server gives until it is asked more slowly.
var errTooFast = errors.New("the server is asked more often than it likes")

// get reads one resource below /api/v1; there is false if it does not exist.
func (r *reader) get(ctx context.Context, path string, read func(io.Reader) error) (there bool, err error) {
	for attempt := 1; ; attempt++ {
		there, err = r.tryGet(ctx, path, read)
		if errors.Is(err, errTooFast) {
			attempt--
			err = fmt.Errorf("%w: %w", errPasses, err)
		}
		if err == nil || ctx.Err() != nil || attempt == readAttempts || !errors.Is(err, errPasses) {
			return there, err
		}
		if err := pause(ctx, readPause); err != nil {
			return false, err
		}
	}
}

func (r *reader) tryGet(ctx context.Context, path string, read func(io.Reader) error) (there bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(r.config.URL, "/")+"/api/v1"+path, nil)
	if err != nil {
		return false, err
	}
	request.Header.Set("Authorization", "Bearer "+r.config.Token)
	response, err := r.client.Do(request)
	if err != nil {
		return false, fmt.Errorf("%w: %w", errPasses, err)
	}
	defer func() { _ = response.Body.Close() }()
	switch response.StatusCode {
	case http.StatusOK:
		if err := read(response.Body); err != nil {
			return false, fmt.Errorf("%w: reading %s: %w", errPasses, path, err)
		}
		return true, nil
	case http.StatusNotFound:
		_, _ = io.Copy(io.Discard, response.Body) // so that the connection can be used again
		return false, nil
	case http.StatusUnauthorized, http.StatusForbidden:
		return false, fmt.Errorf("reading %s: %s: a token with scope read is needed", path, response.Status)
	case http.StatusTooManyRequests:
		return false, fmt.Errorf("%w: reading %s: %s", errTooFast, path, response.Status)
	case http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		return false, fmt.Errorf("%w: reading %s: %s", errPasses, path, response.Status)
	}
	return false, fmt.Errorf("%w: reading %s: %s", errBroken, path, response.Status)
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
