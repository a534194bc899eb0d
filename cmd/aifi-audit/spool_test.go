package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
)

// spooled records deliveries while the database is away, and gives them and the data
// directory that they are in.
func spooled(t *testing.T, bodies ...string) (dir string, all []store.Delivery) {
	t.Helper()
	dir = t.TempDir()
	proxy := storetest.NewProxy(t, storetest.URL(t))
	proxy.Cut()
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: proxy.URL, Local: &store.Local{Dir: dir}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, body := range bodies {
		id, err := store.NewDeliveryID()
		if err != nil {
			t.Fatal(err)
		}
		d := store.Delivery{
			ID: id, Webhook: aifi.Tracking, Path: "/api/push/tracking", Headers: map[string]string{"Content-Type": "application/json"},
			RemoteAddr: "192.0.2.1", TokenID: 3, TokenScope: store.OnlyStores([]int64{7}), Body: []byte(body),
		}
		if r, err := s.Record(t.Context(), d); err != nil || r.Status != store.Spooled {
			t.Fatalf("%v, %v", r, err)
		}
		all = append(all, d)
	}
	return dir, all
}

// attempt runs the program, which may fail.
func attempt(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = run(ctx, args, &out, &err)
	return code, out.String(), err.String()
}

// flipped changes a byte of the only segment of a spool.
func flipped(t *testing.T, dir string, offset int) {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(dir, "spool", "*.spool"))
	if err != nil || len(segments) != 1 {
		t.Fatalf("%v, %v", segments, err)
	}
	b, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	b[offset] ^= 1
	if err := os.WriteFile(segments[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSpoolExport(t *testing.T) {
	bodies := []string{`{"storeId":7,"a":"<ü>"}`, "\xff\xfe{\x00}", ""}
	dir, all := spooled(t, bodies...)
	file := filepath.Join(t.TempDir(), "spooled.jsonl")
	command(t, "spool", "export", "-o", file, "--data-dir="+dir)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if out := command(t, "spool", "export", "--data-dir="+dir); out != string(text) {
		t.Errorf("standard output is another: %s", out)
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	n := 0
	for ; lines.Scan(); n++ {
		var line struct {
			spooledLine
			Body *string `json:"body"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		body := string(line.BodyBase64)
		if line.Body != nil {
			body = *line.Body
		}
		d := all[n]
		got := fmt.Sprintf("%s %s %s %q %v %v", line.DeliveryID, line.ReceivedAt, line.Path, body, line.StoreIDs, line.Headers)
		want := fmt.Sprintf("%s %s %s %q %v %v", d.ID, store.ReceivedAt(d.ID), d.Path, bodies[n], []int64{7}, d.Headers)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	if n != len(all) {
		t.Errorf("%d lines:\n%s", n, text)
	}
}

func TestSpoolVerifyNotices(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(*testing.T, string)
		code   int
		want   string
	}{
		"nothing amiss":        {func(*testing.T, string) {}, 0, "damaged     0, 0 bytes"},
		"a flipped bit":        {func(t *testing.T, dir string) { flipped(t, dir, 60) }, 1, "damaged     1, "},
		"a flipped header":     {func(t *testing.T, dir string) { flipped(t, dir, 5) }, 1, "damaged     1, "},
		"bytes set aside once": {func(t *testing.T, dir string) { setAside(t, dir) }, 1, "set aside   1, 4 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := spooled(t, `{"storeId":7}`, `{"storeId":8}`)
			c.damage(t, dir)
			code, stdout, stderr := attempt(t.Context(), "spool", "verify", "--data-dir="+dir)
			if code != c.code || !strings.Contains(stdout, c.want) {
				t.Errorf("ends with %d: %s%s", code, stdout, stderr)
			}
			if code, _, stderr := attempt(t.Context(), "spool", "status", "--data-dir="+dir); code != 0 {
				t.Errorf("status ends with %d: %s", code, stderr)
			}
		})
	}
}

func setAside(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(dir, "spool", "damaged"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "spool", "damaged", "x.bin"), []byte("four"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSpoolDrain(t *testing.T) {
	dir, all := spooled(t, `{"storeId":7}`, `{"storeId":8}`, "[", `{"storeId":7,"n":1}`)
	flipped(t, dir, 60) // the first is lost to the disk
	database := storetest.URL(t)
	db, data := "--database-url="+database, "--data-dir="+dir

	proxy := storetest.NewProxy(t, database)
	proxy.Cut()
	code, _, stderr := attempt(t.Context(), "spool", "drain", data, "--database-url="+proxy.URL, "--wait=10ms")
	if code != 1 || !strings.Contains(stderr, "all is still in the spool") {
		t.Errorf("without a database it ends with %d: %s", code, stderr)
	}
	code, stdout, stderr := attempt(t.Context(), "spool", "drain", data, db)
	if code != 1 || !strings.Contains(stdout, "recorded 3 deliveries; the spool is empty") || !strings.Contains(stderr, "1 damaged records were set aside") {
		t.Errorf("ends with %d: %s%s", code, stdout, stderr)
	}
	var want []string
	for _, d := range all[1:] {
		want = append(want, d.ID.String())
	}
	if diff := cmp.Diff(want, storetest.Query(t, database, "SELECT id::text FROM deliveries ORDER BY id")); diff != "" {
		t.Error(diff)
	}
	if again := command(t, "spool", "drain", data, db); again != "recorded 0 deliveries; the spool is empty\n" {
		t.Errorf("again: %s", again)
	}
	started(t, "serve", "--listen=127.0.0.1:0", data, db)
	if code, _, stderr := attempt(t.Context(), "spool", "drain", data, db); code != 1 || !strings.Contains(stderr, "drains it by itself") {
		t.Errorf("beside a server it ends with %d: %s", code, stderr)
	}
	command(t, "spool", "status", data)
}

// What waits for its token to be looked up is told apart.
func TestSpoolOfUndecided(t *testing.T) {
	dir, _ := spooled(t, `{"storeId":7}`)
	proxy := storetest.NewProxy(t, storetest.URL(t))
	proxy.Cut()
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: proxy.URL, Local: &store.Local{Dir: dir}})
	if err != nil {
		t.Fatal(err)
	}
	id, err := store.NewDeliveryID()
	if err != nil {
		t.Fatal(err)
	}
	err = s.KeepUndecided(t.Context(), "secret", store.Delivery{ID: id, Webhook: aifi.Tracking, Path: "/api/push/tracking", Body: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	data := "--data-dir=" + dir
	for _, c := range []string{"status", "verify"} {
		if out := command(t, "spool", c, data); !strings.Contains(out, "deliveries  1\nundecided   1\n") {
			t.Errorf("%s says %s", c, out)
		}
	}
	if out := command(t, "spool", "export", data); strings.Count(out, "\n") != 2 || !strings.Contains(out, `"tokenFingerprint":"2bb80d537b1d"`) {
		t.Errorf("export says %s", out)
	}
	database := storetest.URL(t)
	if out := command(t, "spool", "drain", data, "--database-url="+database); out != "recorded 1 deliveries; the spool is empty\nrefused 1 webhooks: unknown_token\n" {
		t.Errorf("drain says %s", out)
	}
	if kept := storetest.Query(t, database, "SELECT delivery_id::text FROM refused"); len(kept) != 1 || kept[0] != id.String() {
		t.Errorf("of those refused are kept %q", kept)
	}
}
