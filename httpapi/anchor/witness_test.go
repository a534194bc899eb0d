package anchor_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/torchwood"
	"github.com/transparency-dev/witness/persistence/inmemory"
	"github.com/transparency-dev/witness/witness"
	"golang.org/x/mod/sumdb/note"

	"aifi-audit/httpapi/anchor"
	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
	"aifi-audit/store/translog"
)

// other is a witness by another implementation, whose cosignatures a third one makes.
type other struct {
	*httptest.Server
	key      *torchwood.CosignatureSigner
	mu       sync.Mutex
	statuses []int // answered; guarded by mu
}

func newWitness(t testing.TB, name, logKey string) *other {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	o := &other{}
	if o.key, err = torchwood.NewCosignatureSigner(name, private); err != nil {
		t.Fatal(err)
	}
	log, err := note.NewVerifier(logKey)
	if err != nil {
		t.Fatal(err)
	}
	w, err := witness.New(t.Context(), witness.Opts{
		Persistence: inmemory.New(), Signers: []note.Signer{o.key},
		VerifierForLog: func(_ context.Context, origin string) (note.Verifier, bool, error) {
			return log, origin == log.Name(), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	add := witness.NewHTTPHandler(w)
	mux.HandleFunc("POST /w/add-checkpoint", func(w http.ResponseWriter, r *http.Request) {
		noted := &statusWriter{ResponseWriter: w}
		add.AddCheckpoint(noted, r)
		o.mu.Lock()
		defer o.mu.Unlock()
		o.statuses = append(o.statuses, noted.status)
	})
	o.Server = httptest.NewServer(mux)
	t.Cleanup(o.Close)
	return o
}

func (o *other) answered() []int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.statuses
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// config asks the witness.
func (o *other) config(t testing.TB) anchor.Config {
	t.Helper()
	key, err := translog.NewWitness(o.key.Verifier().String())
	if err != nil {
		t.Fatal(err)
	}
	return anchor.Config{Witnesses: []anchor.Witness{{Key: key, URL: parse(t, o.URL+"/w/")}}}
}

// signing is a store that signs, and its anchors.
type signing struct {
	*store.Store
	*anchor.Anchors
	end func()
}

func sign(t testing.TB, k keys, database string, c anchor.Config) signing {
	t.Helper()
	c.Every = time.Millisecond
	a, err := anchor.New(c)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: database, Log: store.LogConfig{Signer: k.signer, Verifier: k.verifier, Published: a.Published}})
	if err != nil {
		t.Fatal(err)
	}
	stop := a.Start(t.Context(), s)
	end := sync.OnceFunc(func() {
		stop()
		s.Close()
		a.Flush()
	})
	t.Cleanup(end)
	return signing{s, a, end}
}

// record adds a leaf.
func (s signing) record(t testing.TB) {
	t.Helper()
	id, err := store.NewDeliveryID()
	if err != nil {
		t.Fatal(err)
	}
	d := store.Delivery{ID: id, Webhook: aifi.Tracking, Path: "/", Body: []byte(`{"storeId":7,"eventId":"` + id.String() + `"}`)}
	if _, err := s.Record(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

// cosigned checks, with another implementation, that a tree is cosigned.
func (s signing) cosigned(t testing.TB, k keys, size int64, by ...*other) {
	t.Helper()
	until(t, s.Anchors, "cosigning", func(st anchor.Status) bool { return st.Size == size && st.WaitingSince.IsZero() })
	c, err := s.Cosigned(t.Context())
	if err != nil || c.N != size {
		t.Fatalf("%d leaves are cosigned, want %d: %v", c.N, size, err)
	}
	if _, err := k.verifier.Open(c.Note); err != nil {
		t.Error(err)
	}
	for _, o := range by {
		n, err := note.Open(c.Note, note.VerifierList(o.key.Verifier()))
		if err != nil {
			t.Fatalf("%v: %s", err, c.Note)
		}
		at, err := torchwood.CosignatureTimestamp(n.Sigs[0])
		if err != nil || time.Since(time.Unix(at, 0)) > time.Hour {
			t.Errorf("cosigned at %d: %v", at, err)
		}
	}
}

func TestWitnessesCosign(t *testing.T) {
	k, database := newKeys(t), storetest.URL(t)
	o := newWitness(t, "witness.example.com/w1", k.public)
	s := sign(t, k, database, o.config(t))
	if _, err := s.Cosigned(t.Context()); err != store.ErrNotCosigned { //nolint:errorlint // as it is
		t.Error(err)
	}
	for size := range int64(5) {
		s.record(t)
		s.cosigned(t, k, size+1, o)
	}
	s.end()
	// The next process knows from the database where the witness stands, and does not
	// ask it again for what it has.
	asked := len(o.answered())
	s = sign(t, k, database, o.config(t))
	until(t, s.Anchors, "start", func(st anchor.Status) bool { return st.Size == 5 })
	s.record(t)
	s.cosigned(t, k, 6, o)
	if all := o.answered(); len(all) != asked+1 || all[asked] != http.StatusOK {
		t.Errorf("the witness answered %v", all)
	}
	s.end()
	// If it was forgotten here, the witness says where it stands.
	storetest.SQL(t, database, "SET session_replication_role = replica", "DELETE FROM log_cosignatures")
	s = sign(t, k, database, o.config(t))
	s.record(t)
	s.cosigned(t, k, 7, o)
	if all := o.answered(); all[asked+1] != http.StatusConflict {
		t.Errorf("the witness answered %v", all)
	}
}

func TestTwoWitnesses(t *testing.T) {
	k, database := newKeys(t), storetest.URL(t)
	first, second := newWitness(t, "a.example.com", k.public), newWitness(t, "b.example.com", k.public)
	c := first.config(t)
	c.Witnesses = append(c.Witnesses, second.config(t).Witnesses...)
	s := sign(t, k, database, c)
	s.record(t)
	for s.Status()[1].Size != 1 {
		if t.Context().Err() != nil {
			t.Fatal("the second does not cosign")
		}
	}
	s.cosigned(t, k, 1, first, second)
	if _, err := anchor.New(anchor.Config{Witnesses: append(c.Witnesses, c.Witnesses[0])}); err == nil {
		t.Error("a witness is taken twice")
	}
}

// contradicted waits until the witness is found to know another history.
func contradicted(t *testing.T, s signing, want string) {
	t.Helper()
	st := until(t, s.Anchors, "contradiction", func(st anchor.Status) bool { return st.Error != "" })
	if !st.Contradicts || !strings.Contains(st.Error, want) {
		t.Errorf("the status is %+v", st)
	}
}

const forget = "DELETE FROM log_cosignatures; DELETE FROM log_checkpoints; DELETE FROM log_leaves; DELETE FROM log_tiles; DELETE FROM log_state"

// Whoever has the key and the database can make the log anew. The witness does not.
func TestAWitnessContradicts(t *testing.T) {
	for name, c := range map[string]struct {
		leaves int
		want   string
	}{
		"a log that was rolled back":   {1, "it was rolled back"},
		"a log of the same size":       {3, "does not continue"},
		"a log that was signed afresh": {5, "does not continue"},
	} {
		t.Run(name, func(t *testing.T) {
			k, database := newKeys(t), storetest.URL(t)
			o := newWitness(t, "witness.example.com/w1", k.public)
			s := sign(t, k, database, o.config(t))
			for range 3 {
				s.record(t)
			}
			s.cosigned(t, k, 3, o)
			s.end()
			storetest.SQL(t, database, "SET session_replication_role = replica; "+forget)
			unheard := sign(t, k, database, anchor.Config{File: t.TempDir() + "/anchors"})
			for range c.leaves {
				unheard.record(t)
			}
			until(t, unheard.Anchors, "the second history", func(st anchor.Status) bool { return st.Size == int64(c.leaves) })
			unheard.end()
			s = sign(t, k, database, o.config(t))
			contradicted(t, s, c.want)
		})
	}
}

func TestAWitnessThatRefuses(t *testing.T) {
	k, database := newKeys(t), storetest.URL(t)
	for name, c := range map[string]struct {
		logKey, path, want string
	}{
		"not of this log":  {publicKey(t, "other.example.com/log"), "/w/", "does not know this log"},
		"at another place": {k.public, "/x/", "does not know this log"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newWitness(t, "witness.example.com/w1", c.logKey)
			config := o.config(t)
			config.Witnesses[0].URL = parse(t, o.URL+c.path)
			s := sign(t, k, database, config)
			s.record(t)
			st := until(t, s.Anchors, "refusal", func(st anchor.Status) bool { return st.Error != "" })
			if st.Contradicts || !strings.Contains(st.Error, c.want) {
				t.Errorf("the status is %+v", st)
			}
		})
	}
}

// publicKey is one of a log of a name.
func publicKey(t testing.TB, name string) string {
	t.Helper()
	_, public, err := translog.NewKey(rand.Reader, name)
	if err != nil {
		t.Fatal(err)
	}
	return public
}

// What a hostile or confused witness answers is not kept.
func TestAnswersThatAreNoCosignatures(t *testing.T) {
	k, database := newKeys(t), storetest.URL(t)
	o := newWitness(t, "witness.example.com/w1", k.public)
	line := func(name string, raw []byte) string {
		return "— " + name + " " + base64.StdEncoding.EncodeToString(raw) + "\n"
	}
	for name, c := range map[string]struct {
		status            int
		contentType, body string
		want              string
	}{
		"nothing":                  {200, "", "", "not lines of signatures"},
		"a page":                   {200, "", "<html>\n", "not lines of signatures"},
		"an unfinished line":       {200, "", "— a b", "not lines of signatures"},
		"a text before":            {200, "", "x\n\n" + line("witness.example.com/w1", make([]byte, 76)), "not lines of signatures"},
		"somebody else's":          {200, "", line("else.example.com", make([]byte, 76)), "not cosigned"},
		"a forged one":             {200, "", line("witness.example.com/w1", append([]byte{0, 0, 0, 1}, make([]byte, 72)...)), "not cosigned"},
		"very much":                {200, "", strings.Repeat(line("else.example.com", make([]byte, 76)), 2000), "not"},
		"a size that is none":      {409, "text/x.tlog.size", "x\n", "another tree"},
		"a negative size":          {409, "text/x.tlog.size", "-1\n", "another tree"},
		"a size beyond":            {409, "text/x.tlog.size", "999\n", "rolled back"},
		"the same size":            {409, "text/x.tlog.size", "0\n", "has cosigned 0"},
		"a conflict without words": {409, "text/plain", "0\n", "another tree"},
		"another key":              {403, "", "", "does not trust the key"},
		"too many requests":        {429, "", "", "429"},
		"a failure":                {500, "", "", "500"},
		"no content":               {204, "", "", "204"},
	} {
		t.Run(name, func(t *testing.T) {
			hostile := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", c.contentType)
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			defer hostile.Close()
			config := o.config(t)
			config.Witnesses[0].URL = parse(t, hostile.URL)
			s := sign(t, k, database, config)
			defer s.end()
			s.record(t)
			st := until(t, s.Anchors, name, func(st anchor.Status) bool { return st.Error != "" })
			if !strings.Contains(st.Error, c.want) {
				t.Errorf("the status is %+v", st)
			}
		})
	}
	if n := storetest.Query(t, database, "SELECT count(*) FROM log_cosignatures")[0]; n != "0" {
		t.Errorf("%s cosignatures are kept", n)
	}
}
