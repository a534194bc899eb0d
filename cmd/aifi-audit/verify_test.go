package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aifi-audit/store/storetest"
	"aifi-audit/store/verify"
)

// outcome runs the program and returns its exit code and what it prints.
func outcome(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	code := run(t.Context(), args, &out, t.Output())
	return code, out.String()
}

// logged is a database with deliveries and a log; dir is that of its keys.
func logged(t *testing.T, deliveries string) (databaseURL, dir, public string) {
	t.Helper()
	databaseURL, dir = storetest.URL(t), filepath.Join(t.TempDir(), "log")
	db, at := "--database-url="+databaseURL, "--log-dir="+dir
	public = strings.TrimSpace(command(t, "log", "init", "--name=audit.example.com/log", at))
	t.Run("serve", func(t *testing.T) { // ends with the part
		url := started(t, "serve", "--listen=127.0.0.1:0", db, at)
		ingest := strings.TrimSpace(command(t, "token", "create", "--name=AiFi", "--scope=ingest", db))
		command(t, "simulate", "--url="+url, "--token="+ingest, "--rate=0", "--count="+deliveries, "--malformed=0.1")
		storetest.Eventually(t, "all is sequenced", func() bool {
			return len(storetest.Query(t, databaseURL, "SELECT 1 FROM log_state WHERE size = $1::text::bigint", deliveries)) > 0
		})
	})
	return databaseURL, dir, public
}

func TestVerify(t *testing.T) {
	databaseURL, dir, public := logged(t, "400")
	db, at := "--database-url="+databaseURL, "--log-dir="+dir
	code, out := outcome(t, "verify", db, at)
	if code != 0 || !strings.Contains(out, "log of 400 leaves") || !strings.Contains(out, "nothing speaks against") {
		t.Errorf("%d %s", code, out)
	}
	code, out = outcome(t, "verify", "--incremental", db, at)
	if code != 0 || !strings.Contains(out, "144 opened") {
		t.Errorf("%d %s", code, out)
	}
	// Somebody else needs the database and the key, nothing more.
	code, out = outcome(t, "verify", "--json", "--key="+public, "--log-dir="+t.TempDir(), db)
	var result struct {
		Clean  bool
		Size   int64
		Leaves int64
	}
	if err := json.Unmarshal([]byte(out), &result); err != nil || code != 0 || !result.Clean || result.Size != 400 || result.Leaves != 400 {
		t.Errorf("%d %s, %v", code, out, err)
	}
	checkpoint := filepath.Join(t.TempDir(), "checkpoint")
	note, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(checkpoint, note, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out = outcome(t, "verify", "--checkpoint="+checkpoint, db, at); code != 0 {
		t.Errorf("%d %s", code, out)
	}
	storetest.SQL(t, databaseURL, "SET session_replication_role = replica",
		"UPDATE delivery_bodies SET body = 'x' WHERE delivery_id = (SELECT min(delivery_id::text)::uuid FROM delivery_bodies)")
	id := storetest.Query(t, databaseURL, "SELECT min(id::text) FROM deliveries")[0]
	code, out = outcome(t, "verify", db, at)
	if code != 1 || !strings.Contains(out, "TAMPERED body of delivery "+id+" (leaf ") || !strings.Contains(out, "THERE ARE FINDINGS") {
		t.Errorf("%d %s", code, out)
	}
	code, out = outcome(t, "verify", "--json", db, at)
	if code != 1 || !strings.Contains(out, `{"class":"TAMPERED","what":"body","deliveryId":"`+id+`","leaf":`) {
		t.Errorf("%d %s", code, out)
	}
	// Nor need a row be touched to have search show something else.
	storetest.SQL(t, databaseURL, "CREATE OR REPLACE VIEW session_facets AS SELECT store_id, 'store'::text AS facet, ''::text AS value, first_seen_at, session_id FROM sessions")
	code, out = outcome(t, "verify", "--incremental", db, at)
	if code != 1 || !strings.Contains(out, "TAMPERED view session_facets: it does not show what its migration says") || !strings.Contains(out, "findings: TAMPERED 1\n") {
		t.Errorf("%d %s", code, out)
	}
	code, out = outcome(t, "verify", "--json", db, at)
	if code != 1 || !strings.Contains(out, `{"class":"TAMPERED","what":"view","object":"session_facets","detail":"`) {
		t.Errorf("%d %s", code, out)
	}
	// What could not be looked at does not go without saying.
	var said bytes.Buffer
	if err := (verifyCommand{}).summary(&said, verify.Result{Unchecked: []string{"what views show, since it is dark"}}, 0); err != nil || !strings.Contains(said.String(), "\nNOT CHECKED: what views show, since it is dark\n") {
		t.Errorf("%s %v", &said, err)
	}
}

func TestVerifyAPack(t *testing.T) {
	databaseURL, dir, public := logged(t, "200")
	db, at := "--database-url="+databaseURL, "--log-dir="+dir
	url := started(t, "serve", "--listen=127.0.0.1:0", db, at)
	staff := strings.TrimSpace(command(t, "token", "create", "--name=staff", "--scope=export", db))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/api/v1/alcohol-interactions/evidence", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+staff)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	pack, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status, err)
	}
	file := filepath.Join(t.TempDir(), "evidence.zip")
	if err := os.WriteFile(file, pack, 0o600); err != nil {
		t.Fatal(err)
	}
	code, out := outcome(t, "verify", file, "--key="+public)
	if code != 0 || !strings.Contains(out, "everything in the pack is proven") {
		t.Errorf("%d %s", code, out)
	}
	code, out = outcome(t, "verify", file, "--json", "--key="+public)
	if code != 0 || !strings.Contains(out, `"clean":true`) {
		t.Errorf("%d %s", code, out)
	}
	other := strings.TrimSpace(command(t, "log", "init", "--name=audit.example.com/log", "--log-dir="+t.TempDir()))
	code, out = outcome(t, "verify", file, "--key="+other)
	if code != 1 || !strings.Contains(out, "TAMPERED checkpoint") {
		t.Errorf("%d %s", code, out)
	}
	if code, out = outcome(t, "verify", os.Args[0], "--key="+public); code != 1 {
		t.Errorf("%d %s", code, out)
	}
}

func TestMistakesInVerifying(t *testing.T) {
	databaseURL, dir, _ := logged(t, "1")
	db := "--database-url=" + databaseURL
	bad := filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(bad, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	other := strings.TrimSpace(command(t, "log", "init", "--name=audit.example.com/log", "--log-dir="+t.TempDir()))
	for name, args := range map[string][]string{
		"no key":         {"--log-dir=" + t.TempDir()},
		"a broken key":   {"--key=x"},
		"another key":    {"--key=" + other, "--log-dir=" + t.TempDir()},
		"no checkpoint":  {"--log-dir=" + dir, "--checkpoint=" + bad},
		"a missing file": {"--log-dir=" + dir, "--checkpoint=" + bad + "x"},
	} {
		if code, out := outcome(t, append([]string{"verify", db}, args...)...); code == 0 {
			t.Errorf("%s: %s", name, out)
		}
	}
	// Who saves an answer without looking at its status is told what it was.
	if err := os.WriteFile(bad, []byte(`{"type":"urn:aifi-audit:problem:pack-too-large","title":"Too much for a pack","status":400,"detail":"Narrow the filters."}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := attempt(t.Context(), "verify", bad, "--log-dir="+dir); code != 1 || !strings.Contains(stderr, "a request that failed: Too much for a pack: Narrow the filters.") {
		t.Errorf("an answer is verified: %d, %s", code, stderr)
	}
}
