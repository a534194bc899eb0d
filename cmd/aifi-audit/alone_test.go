package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// logBuffer is what the program logs.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// alone is a server with a private PostgreSQL.
type alone struct {
	url    string
	logged *logBuffer
	stop   func()
}

func serveAlone(t *testing.T, args ...string) alone {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	code := make(chan int, 1)
	a := alone{logged: &logBuffer{}}
	go func() {
		code <- run(ctx, append([]string{"serve", "--listen=127.0.0.1:0"}, args...), in, a.logged)
		_ = in.Close()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err, a.logged)
	}
	a.url = strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
	a.stop = sync.OnceFunc(func() {
		cancel()
		_, _ = io.Copy(io.Discard, out)
		if got := <-code; got != 0 {
			t.Errorf("it ends with %d: %s", got, a.logged)
		}
	})
	t.Cleanup(a.stop)
	return a
}

// get asks with a token until the answer is good, and gives it.
func (a alone) get(t *testing.T, path, token string, good func(string) bool) string {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(time.Minute)
	for {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if good(string(text)) {
			return string(text)
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("%s answers %s", path, text)
		}
	}
}

func has(want string) func(string) bool {
	return func(text string) bool { return strings.Contains(text, want) }
}
