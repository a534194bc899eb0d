package store_test

import (
	"bytes"
	"database/sql"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/pressly/goose/v3"

	"aifi-audit/migrations"
	"aifi-audit/store/storetest"
)

// lockedBuffer is a log that a test can wait for.
type lockedBuffer struct {
	mu      sync.Mutex
	text    bytes.Buffer
	written sync.Cond
}

func (b *lockedBuffer) logger() *slog.Logger {
	b.written.L = &b.mu
	return slog.New(slog.NewTextHandler(b, nil))
}

// Write appends.
func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.written.Broadcast()
	return b.text.Write(p)
}

// wait returns when the log has a text. The test's deadline ends it otherwise.
func (b *lockedBuffer) wait(t testing.TB, text string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for !strings.Contains(b.text.String(), text) {
		b.written.Wait()
	}
}

// unguarded runs statements as the owner of the tables who switches their triggers off.
func unguarded(t testing.TB, url string, statements ...string) {
	t.Helper()
	storetest.SQL(t, url, append([]string{"SET session_replication_role = replica"}, statements...)...)
}

// stepwise migrates a database step by step, up or down.
func stepwise(t testing.TB, url string) *goose.Provider {
	t.Helper()
	conn, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	provider, err := goose.NewProvider(goose.DialectPostgres, conn, migrations.FS)
	if err != nil {
		t.Fatal(err)
	}
	return provider
}
