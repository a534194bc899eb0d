package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"filippo.io/torchwood"
	"github.com/transparency-dev/witness/persistence/inmemory"
	"github.com/transparency-dev/witness/witness"
	"golang.org/x/mod/sumdb/note"

	"aifi-audit/store/storetest"
)

// outside is a server of somebody else's: a witness by another implementation, and a
// place that keeps what is posted.
type outside struct {
	*httptest.Server
	key  string // of the witness
	mu   sync.Mutex
	kept []byte // guarded by mu
}

func newOutside(t *testing.T, logKey string) *outside {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := torchwood.NewCosignatureSigner("witness.example.com/w1", private)
	if err != nil {
		t.Fatal(err)
	}
	log, err := note.NewVerifier(logKey)
	if err != nil {
		t.Fatal(err)
	}
	w, err := witness.New(t.Context(), witness.Opts{
		Persistence: inmemory.New(), Signers: []note.Signer{signer},
		VerifierForLog: func(_ context.Context, origin string) (note.Verifier, bool, error) {
			return log, origin == log.Name(), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	o := &outside{key: signer.Verifier().String()}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add-checkpoint", witness.NewHTTPHandler(w).AddCheckpoint)
	mux.HandleFunc("POST /kept", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.kept = append(o.kept, body...)
	})
	o.Server = httptest.NewServer(mux)
	t.Cleanup(o.Close)
	return o
}

func TestCheckpointsAreAnchored(t *testing.T) {
	databaseURL, dir := storetest.URL(t), filepath.Join(t.TempDir(), "log")
	db, at := "--database-url="+databaseURL, "--log-dir="+dir
	public := strings.TrimSpace(command(t, "log", "init", "--name=audit.example.com/log", at))
	o := newOutside(t, public)
	anchors, token := filepath.Join(t.TempDir(), "anchors"), filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := serveAlone(t, db, at, "--data-dir="+t.TempDir(), "--log-anchor-file="+anchors, "--log-anchor-url="+o.URL+"/kept", "--log-anchor-token-file="+token,
		"--log-anchor-every=10ms", "--log-witness="+o.key+" "+o.URL)
	ingest := strings.TrimSpace(command(t, "token", "create", "--name=AiFi", "--scope=ingest", db))
	staff := strings.TrimSpace(command(t, "token", "create", "--name=staff", "--scope=read,export", db))
	command(t, "simulate", "--url="+a.url, "--token="+ingest, "--rate=0", "--count=50")
	a.get(t, "/api/v1/status", staff, func(text string) bool { return strings.Count(text, `"size":50,`) == 3 })
	pack := filepath.Join(t.TempDir(), "evidence.zip")
	text := a.get(t, "/api/v1/alcohol-interactions/evidence", staff, func(string) bool { return true })
	if err := os.WriteFile(pack, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	a.stop()
	posted := filepath.Join(t.TempDir(), "posted")
	if err := os.WriteFile(posted, o.kept, 0o600); err != nil {
		t.Fatal(err)
	}
	code, out := outcome(t, "verify", db, "--key="+public, "--log-dir="+t.TempDir(), "--anchor="+anchors, "--anchor="+posted, "--witness="+o.key)
	if code != 0 || !strings.Contains(out, "witness.example.com/w1 has cosigned 5") {
		t.Errorf("%d %s", code, out)
	}
	code, out = outcome(t, "verify", pack, "--key="+public, "--witness="+o.key)
	if code != 0 || !strings.Contains(out, "witness.example.com/w1 has cosigned 5") {
		t.Errorf("%d %s", code, out)
	}
	// An anchor of another log is found; one that has none is a mistake.
	stranger := filepath.Join(t.TempDir(), "log")
	command(t, "log", "init", "--name=audit.example.com/log", "--log-dir="+stranger)
	other := storetest.URL(t)
	b := serveAlone(t, "--database-url="+other, "--log-dir="+stranger, "--data-dir="+t.TempDir(), "--log-anchor-file="+anchors, "--log-anchor-every=10ms")
	ingest = strings.TrimSpace(command(t, "token", "create", "--name=AiFi", "--scope=ingest", "--database-url="+other))
	staff = strings.TrimSpace(command(t, "token", "create", "--name=staff", "--scope=read", "--database-url="+other))
	command(t, "simulate", "--url="+b.url, "--token="+ingest, "--rate=0", "--count=1")
	b.get(t, "/api/v1/status", staff, has(`{"to":"file","size":1,`))
	b.stop()
	code, out = outcome(t, "verify", db, at, "--anchor="+anchors)
	if code != 1 || !strings.Contains(out, "TAMPERED anchor") || !strings.Contains(out, "it is signed by audit.example.com/log+") {
		t.Errorf("%d %s", code, out)
	}
	if code, out = outcome(t, "verify", db, at, "--anchor="+token); code != 1 || strings.Contains(out, "nothing speaks against") {
		t.Errorf("%d %s", code, out)
	}
}

func TestMistakesWithAnchors(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgres://nowhere.invalid/x")
	for _, flags := range []string{
		"--log-anchor-url=http://anchors.example.com/", "--log-anchor-url=x", "--log-anchor-token=x", "--log-anchor-token=x --log-anchor-token-file=y --log-anchor-url=https://a.example.com/",
		"--log-witness=x", "--log-witness=x+y+z", "--log-anchor-every=-1s",
	} {
		args := append([]string{"serve", "--listen=127.0.0.1:0", "--no-spool"}, strings.Fields(flags)...)
		if code, _ := outcome(t, args...); code != 1 {
			t.Errorf("%s ends with %d", flags, code)
		}
	}
	_, public, err := note.GenerateKey(rand.Reader, "a")
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"verify", "--key=" + public, "--witness=x"}, {"log", "accept", "--actor=a", "--reason=b", "--log-dir=" + t.TempDir()}} {
		if code, _ := outcome(t, args...); code != 1 {
			t.Errorf("%s ends with %d", args, code)
		}
	}
}
