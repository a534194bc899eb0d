package store_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"aifi-audit/store"
	"aifi-audit/store/aifi"
	"aifi-audit/store/storetest"
	"aifi-audit/store/translog"
)

// signed is a database with a log, its keys, and what is remembered outside of it.
type signed struct {
	url, memory string
	key, public string
	witnesses   []translog.Witness
}

func newSigned(t testing.TB) signed {
	t.Helper()
	key, public, err := translog.NewKey(rand.Reader, "audit.example.com/log")
	if err != nil {
		t.Fatal(err)
	}
	return signed{url: storetest.URL(t), memory: filepath.Join(t.TempDir(), "checkpoint"), key: key, public: public}
}

// config is that of a store which signs. Checkpoints come out of the channel.
func (d signed) config(t testing.TB) (store.Config, <-chan translog.Checkpoint) {
	t.Helper()
	signer, err := translog.NewSigner(d.key)
	if err != nil {
		t.Fatal(err)
	}
	published := make(chan translog.Checkpoint, 10_000)
	return store.Config{DatabaseURL: d.url, Log: store.LogConfig{
		Signer: signer, Verifier: d.verifier(t), Memory: d.memory,
		Published: func(_ context.Context, c translog.Checkpoint) { published <- c },
	}}, published
}

func (d signed) verifier(t testing.TB) *translog.Verifier {
	t.Helper()
	v, err := translog.NewVerifier(d.public)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// open opens a store that signs.
func (d signed) open(t testing.TB) (*store.Store, <-chan translog.Checkpoint) {
	t.Helper()
	c, published := d.config(t)
	s, err := store.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return s, published
}

// wait returns the first checkpoint of at least a size.
func wait(t testing.TB, published <-chan translog.Checkpoint, size int64) translog.Checkpoint {
	t.Helper()
	for {
		select {
		case c := <-published:
			if c.N >= size {
				return c
			}
		case <-t.Context().Done():
			t.Fatalf("no checkpoint of %d leaves", size)
		}
	}
}

// recordAll records bodies, many at once, and returns the deliveries in that order.
func recordAll(t testing.TB, s *store.Store, bodies ...string) []store.Delivery {
	t.Helper()
	deliveries := make([]store.Delivery, len(bodies))
	var done sync.WaitGroup
	for i, body := range bodies {
		deliveries[i] = deliver(t, aifi.RestrictedProductsInteractions, body)
		done.Go(func() {
			if _, err := s.Record(context.Background(), deliveries[i]); err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	return deliveries
}

// alcohols are bodies of n interactions, from the given number on.
func alcohols(from, n int) []string {
	bodies := make([]string, n)
	for i := range bodies {
		bodies[i] = alcohol(from + i)
	}
	return bodies
}

func alcohol(i int) string {
	return fmt.Sprintf(`{"storeId":7,"sessionId":"s%d","eventId":"e","timeOfOrigin":"2026-01-02T03:04:05Z","timeOfIssue":"2026-01-02T03:04:06Z",
	"customer":{"id":%d},"shopper":{"shopperId":"x","shopperFlags":["B","A"]},"productIds":["p","p","q"],"gondolaIds":[3]}`, i, i)
}

// prove proves a delivery and checks the proofs, as somebody with only the key would.
func (d signed) prove(t testing.TB, s *store.Store, id uuid.UUID) []store.LeafProof {
	t.Helper()
	proofs, checkpoint, err := s.ProveDelivery(t.Context(), store.Scope{}, id)
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.verifier(t).Open(checkpoint.Note)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range proofs {
		if err := tlog.CheckRecord(p.Proof, c.N, c.Hash, p.Index, p.Leaf.Hash()); err != nil {
			t.Errorf("leaf %d: %v", p.Index, err)
		}
	}
	return proofs
}

func TestEachDeliveryIsProven(t *testing.T) {
	d := newSigned(t)
	s, published := d.open(t)
	defer s.Close()
	bodies := append(alcohols(0, 330), alcohols(0, 330)...) // each is stated twice
	for i := range 40 {
		bodies = append(bodies, fmt.Sprint("not JSON ", i))
	}
	deliveries := recordAll(t, s, bodies...)
	for _, del := range deliveries[:50] {
		record(t, s, del) // harmless
	}
	c := wait(t, published, 700)
	if c.N != 700 {
		t.Errorf("there are %d leaves", c.N)
	}
	for _, del := range deliveries {
		if p := d.prove(t, s, del.ID); len(p) != 1 || p[0].Leaf.Kind != translog.Delivery || p[0].Leaf.ID != del.ID {
			t.Fatalf("proofs of %s: %v", del.ID, p)
		}
	}
	older, newer, proof, _, err := s.ProveGrowth(t.Context(), 300, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := tlog.CheckTree(proof, newer.N, newer.Hash, older.N, older.Hash); err != nil {
		t.Error(err)
	}
	if _, _, _, _, err := s.ProveGrowth(t.Context(), 0, 701); !errors.Is(err, store.ErrBeyond) {
		t.Error(err)
	}
	if n := storetest.Query(t, d.url, "SELECT count(*) FROM log_queue")[0]; n != "0" {
		t.Errorf("%s rows are left in the queue", n)
	}
}

func TestAllThatTheDecoderTakesIsProven(t *testing.T) {
	d := newSigned(t)
	s, published := d.open(t)
	defer s.Close()
	var ids []uuid.UUID
	for _, dir := range []string{"samples", "hostile"} {
		files, err := os.ReadDir("aifi/testdata/" + dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			body, err := os.ReadFile(filepath.Join("aifi/testdata", dir, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range []aifi.Webhook{aifi.RestrictedProductsInteractions, aifi.SuspectedFraud, aifi.RemoteRegister, "mistyped\x00"} {
				del := deliver(t, w, string(body))
				del.Headers = map[string]string{"User-Agent": "AiFi\x00\xff", "X": ""}
				ids = append(ids, del.ID)
				record(t, s, del)
			}
		}
	}
	wait(t, published, int64(len(ids)))
	for _, id := range ids {
		d.prove(t, s, id)
	}
}

func TestAReplayIsALeafOfItsOwn(t *testing.T) {
	d := newSigned(t)
	s, published := d.open(t)
	defer s.Close()
	del := deliver(t, aifi.RestrictedProductsInteractions, alcohol(1))
	del.TokenScope = store.OnlyStores([]int64{8})
	del.Headers = map[string]string{"User-Agent": "AiFi"}
	if r := record(t, s, del); r.Status != store.Quarantined {
		t.Fatal(r)
	}
	wait(t, published, 1)
	for range 2 {
		if r, err := s.Replay(t.Context(), store.Scope{}, del.ID); err != nil || r.Status != store.Replayed {
			t.Fatal(r, err)
		}
	}
	wait(t, published, 2)
	p := d.prove(t, s, del.ID)
	if len(p) != 2 || p[0].Leaf.Kind != translog.Delivery || p[1].Leaf.Kind != translog.Replay {
		t.Fatal(p)
	}
	if p[0].Leaf.StoreID != 0 || p[1].Leaf.StoreID != 7 || p[0].Leaf.Body != p[1].Leaf.Body || p[0].Leaf.Facts == p[1].Leaf.Facts {
		t.Error(p)
	}
}

// Of several processes one sequences, and when it goes another goes on: no leaf is
// lost, none stands twice.
func TestSequencersTakeOver(t *testing.T) {
	d := newSigned(t)
	first, published1 := d.open(t)
	second, published2 := d.open(t)
	defer second.Close()
	const each, writers = 100, 4
	var ids [writers * each]uuid.UUID
	var done sync.WaitGroup
	half := make(chan struct{})
	for w := range writers {
		done.Go(func() {
			for i := range each {
				del := deliver(t, aifi.RestrictedProductsInteractions, alcohol(w*each+i))
				ids[w*each+i] = del.ID
				if _, err := second.Record(t.Context(), del); err != nil {
					t.Error(err)
				}
				if w == 0 && i == each/2 {
					close(half)
				}
			}
		})
	}
	<-half
	// The connection of whoever sequences is cut, as a network would; then one process ends.
	storetest.SQL(t, d.url, "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 1095321164")
	first.Close()
	done.Wait()
	for size := int64(0); size < writers*each; {
		select {
		case c := <-published1:
			size = c.N
		case c := <-published2:
			size = c.N
		case <-t.Context().Done():
			t.Fatal("not all was sequenced")
		}
	}
	for _, id := range ids {
		if p := d.prove(t, second, id); len(p) != 1 {
			t.Fatalf("%s has %d leaves", id, len(p))
		}
	}
}

// refused runs a store until it refuses to sign, and returns why.
func refused(t *testing.T, d signed) string {
	t.Helper()
	var logged lockedBuffer
	c, published := d.config(t)
	c.Logger = logged.logger()
	s, err := store.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	record(t, s, deliver(t, aifi.RestrictedProductsInteractions, alcohol(9999)))
	logged.wait(t, "NOT SIGNED")
	if status := s.LogStatus(); status.State != store.LogRefusing {
		t.Errorf("status %+v", status)
	}
	if len(published) > 0 {
		t.Error("a checkpoint was published")
	}
	return s.LogStatus().Error
}

// What lies in older is what restore brings back, as an old backup would.
const (
	older   = `CREATE TABLE old_state AS SELECT * FROM log_state; CREATE TABLE old_leaves AS SELECT * FROM log_leaves; CREATE TABLE old_tiles AS SELECT * FROM log_tiles`
	restore = `BEGIN; DELETE FROM log_state; INSERT INTO log_state SELECT * FROM old_state; DELETE FROM log_leaves; INSERT INTO log_leaves SELECT * FROM old_leaves;
		DELETE FROM log_tiles; INSERT INTO log_tiles SELECT * FROM old_tiles; COMMIT`
)

func TestItRefusesToSignWhatDoesNotContinue(t *testing.T) {
	cases := map[string]struct {
		change func(t *testing.T, d *signed)
		want   string
	}{
		"an old backup was restored": {func(t *testing.T, d *signed) { unguarded(t, d.url, restore) }, "300 were signed"},
		"the log is gone":            {func(t *testing.T, d *signed) { unguarded(t, d.url, "DELETE FROM log_state") }, "300 were signed"},
		"the tail is gone": {func(t *testing.T, d *signed) {
			unguarded(t, d.url, "DELETE FROM log_leaves WHERE first_index > 255")
		}, "damaged"},
		"a leaf of the edge was changed": {func(t *testing.T, d *signed) {
			unguarded(t, d.url, "UPDATE log_leaves SET hashes = set_byte(hashes, 0, get_byte(hashes, 0) # 1) WHERE first_index > 255")
		}, "do not make the tree"},
		"the state was changed": {func(t *testing.T, d *signed) {
			unguarded(t, d.url, "UPDATE log_state SET size = size + 1")
		}, "not that of its checkpoint"},
		"another key signed": {func(t *testing.T, d *signed) {
			memory := d.memory
			*d = signed{url: d.url, memory: memory, key: newSigned(t).key}
			signer, err := translog.NewSigner(d.key)
			if err != nil {
				t.Fatal(err)
			}
			d.public = signer.Verifiers()[0]
			if err := os.Remove(memory); err != nil {
				t.Fatal(err)
			}
		}, "not signed by a key"},
		"the log was forked": {func(t *testing.T, d *signed) {
			// Restored, and continued by a program that remembers nothing.
			unguarded(t, d.url, restore)
			fork := *d
			fork.memory = filepath.Join(t.TempDir(), "other")
			s, published := fork.open(t)
			recordAll(t, s, alcohols(5000, 200)...)
			wait(t, published, 301)
			s.Close()
		}, "first 300 leaves are others"},
		"what is remembered was changed": {func(t *testing.T, d *signed) {
			if err := os.WriteFile(d.memory, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "not signed by a key"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newSigned(t)
			s, published := d.open(t)
			recordAll(t, s, alcohols(0, 200)...)
			wait(t, published, 200)
			s.Close()
			storetest.SQL(t, d.url, older)
			s, published = d.open(t)
			recordAll(t, s, alcohols(200, 100)...)
			wait(t, published, 300)
			s.Close()
			c.change(t, &d)
			if why := refused(t, d); !strings.Contains(why, c.want) {
				t.Errorf("it refuses because %q, want %q", why, c.want)
			}
		})
	}
}

// A process that waits for its turn remembers what another signs, so that it does not sign
// behind a database that was rolled back, as by a failover; and it tells if yet another does.
func TestWhoWaitsRemembersWhatOthersSign(t *testing.T) {
	d := newSigned(t)
	waits, forgot := d, d
	waits.memory, forgot.memory = filepath.Join(t.TempDir(), "waits"), filepath.Join(t.TempDir(), "forgot")
	signs, published := d.open(t)
	recordAll(t, signs, alcohols(0, 100)...)
	wait(t, published, 100)
	standby, _ := waits.open(t)
	storetest.SQL(t, d.url, older)
	recordAll(t, signs, alcohols(100, 100)...)
	wait(t, published, 200)
	storetest.Eventually(t, "it remembers the newest", func() bool {
		note, err := os.ReadFile(waits.memory)
		if err != nil {
			return false
		}
		c, err := d.verifier(t).Open(note)
		return err == nil && c.N == 200
	})
	standby.Close()
	signs.Close()
	unguarded(t, d.url, restore)
	if why := refused(t, waits); !strings.Contains(why, "200 were signed") {
		t.Errorf("it refuses because %q", why)
	}
	signs, published = forgot.open(t)
	defer signs.Close()
	recordAll(t, signs, alcohols(5000, 150)...)
	wait(t, published, 250)
	if why := refused(t, waits); !strings.Contains(why, "first 200 leaves are others") {
		t.Errorf("while another signs it refuses because %q", why)
	}
}
