package store_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"aifi-audit/store"
	"aifi-audit/store/storetest"
	"aifi-audit/store/translog"
	"aifi-audit/store/verify"
)

// spoken are the findings of a verification, in words.
func spoken(t testing.TB, d signed, o verify.Options) (verify.Result, []string) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: d.url, Log: store.LogConfig{Verifier: d.verifier(t)}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var found []string
	o.Found = func(f verify.Finding) { found = append(found, f.String()) }
	result, err := s.Verify(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return result, found
}

// grow records leaves until there are so many, and returns the checkpoint.
func grow(t testing.TB, d signed, from int, sizes ...int64) (checkpoints []translog.Checkpoint) {
	t.Helper()
	s, published := d.open(t)
	defer s.Close()
	for _, size := range sizes {
		have := int64(0)
		if c, err := s.Checkpoint(t.Context()); err == nil {
			have = c.N
		}
		recordAll(t, s, alcohols(from, int(size-have))...)
		from += int(size - have)
		checkpoints = append(checkpoints, wait(t, published, size))
	}
	return checkpoints
}

const (
	backUpLog = `CREATE TABLE old_state AS SELECT * FROM log_state; CREATE TABLE old_leaves AS SELECT * FROM log_leaves; CREATE TABLE old_tiles AS SELECT * FROM log_tiles`
	// restoreLog leaves nothing of what came after, but in the tables of others.
	restoreLog = `DELETE FROM log_checkpoints WHERE size > (SELECT size FROM old_state); DELETE FROM log_state; INSERT INTO log_state SELECT * FROM old_state;
		DELETE FROM log_leaves; INSERT INTO log_leaves SELECT * FROM old_leaves; DELETE FROM log_tiles; INSERT INTO log_tiles SELECT * FROM old_tiles`
)

// Whoever has the database and the key can go back and sign another history. Anchors
// say from where on.
func TestAnchorsNameWhatWasRewritten(t *testing.T) {
	d := newSigned(t)
	before := grow(t, d, 0, 100, 300)
	storetest.SQL(t, d.url, backUpLog)
	gone := grow(t, d, 300, 450, 604)
	unguarded(t, d.url, restoreLog, `DELETE FROM deliveries WHERE NOT EXISTS (SELECT 1 FROM old_leaves WHERE position(uuid_send(id) IN ids) > 0)`)
	anchors := func(cs ...translog.Checkpoint) (file []byte) {
		for _, c := range cs {
			file = append(append(file, c.Note...), '\n')
		}
		return file
	}
	check := func(name string, file []byte, incremental bool, want ...string) {
		t.Helper()
		read, strange, broken := verify.ReadAnchors("anchors", file, d.verifier(t))
		if len(strange)+len(broken) > 0 {
			t.Fatal(strange, broken)
		}
		o := verify.Options{Anchors: read}
		if incremental {
			c := before[1]
			o.From = c.Tree
		}
		_, found := spoken(t, d, o)
		var of []string
		for _, f := range found {
			if !strings.Contains(f, " delivery ") && !strings.Contains(f, " event") {
				of = append(of, f)
			}
		}
		if diff := gocmp.Diff(want, of); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for _, incremental := range []bool{false, true} {
		check("what is there", anchors(before...), incremental)
		check("rolled back", anchors(before[0], before[1], gone[0], gone[1]), incremental,
			"MISSING leaves: the log has 300 leaves, and 604 were signed (anchors, line 19, and 1 more): the database was rolled back")
	}
	fork := d
	fork.memory = filepath.Join(t.TempDir(), "another")
	other := grow(t, fork, 5000, 450, 700)
	for _, incremental := range []bool{false, true} {
		check("signed again", anchors(before[0], before[1], gone[0], gone[1]), incremental,
			"TAMPERED checkpoint: the log does not begin with the tree of 450 leaves that was signed (anchors, line 13, and 1 more); it does begin with that of 300: what lies behind that was changed and signed again")
		check("both histories", anchors(gone[0], other[0]), incremental,
			"TAMPERED checkpoint: the log does not begin with the tree of 450 leaves that was signed (anchors, line 1): two trees of that size were signed, by whoever has the key")
	}
}

func TestAnchorFiles(t *testing.T) {
	d, stranger := newSigned(t), newSigned(t)
	ours, theirs := grow(t, d, 0, 1)[0].Note, grow(t, stranger, 0, 1)[0].Note
	for what, c := range map[string]struct {
		file   string
		lines  []string // of the anchors
		found  []string
		broken []int
	}{
		"nothing":           {"", nil, nil, nil},
		"one":               {string(ours), []string{"anchors, line 1"}, nil, nil},
		"one after another": {string(ours) + string(ours), []string{"anchors, line 1", "anchors, line 6"}, nil, nil},
		"with empty lines":  {"\n\n" + string(ours) + "\n\n" + string(ours) + "\n", []string{"anchors, line 3", "anchors, line 10"}, nil, nil},
		"of another key":    {string(theirs) + "\n" + string(ours), []string{"anchors, line 7"}, []string{"TAMPERED anchor: anchors, line 1: the checkpoint is not signed by a key of this log: it is signed by audit.example.com/log+" + keyID(stranger.public)}, nil},
		"edited": {
			strings.Replace(string(ours), "\n1\n", "\n2\n", 1), nil,
			[]string{"TAMPERED anchor: anchors, line 1: the checkpoint is not signed by a key of this log: the signature of audit.example.com/log+" + keyID(d.public) + " is not valid"},
			nil,
		},
		"broken off at once": {string(ours)[:5] + "\n\n" + string(ours), []string{"anchors, line 3"}, nil, []int{1}},
		"broken off later":   {string(ours)[:len(ours)-20] + "\n\n" + string(ours), []string{"anchors, line 7"}, nil, []int{1}},
		"not text":           {"\x00\xff\n\n\x00", nil, nil, []int{1, 3}},
	} {
		t.Run(what, func(t *testing.T) {
			anchors, found, broken := verify.ReadAnchors("anchors", []byte(c.file), d.verifier(t))
			var lines, words []string
			for _, a := range anchors {
				lines = append(lines, a.Source)
			}
			for _, f := range found {
				words = append(words, f.String())
			}
			if diff := gocmp.Diff(fmt.Sprint(c.lines, c.found, c.broken), fmt.Sprint(lines, words, broken)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// keyID is the hash in a public key.
func keyID(public string) string { return strings.SplitN(public, "+", 3)[1] }

func FuzzAnchorFiles(f *testing.F) {
	d := signed{}
	var err error
	if d.key, d.public, err = newKey(); err != nil {
		f.Fatal(err)
	}
	verifier := d.verifier(f)
	for _, text := range []string{"", "a\n1\nAAAA\n\n— a AAAAAAAA\n", "a\n\n\n— a b\n\n— c d\nx", "\n\n\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		anchors, found, broken := verify.ReadAnchors("x", file, verifier)
		if len(anchors) > 0 || len(found)+len(broken) > len(file) {
			t.Errorf("%v %v %v", anchors, found, broken)
		}
	})
}
