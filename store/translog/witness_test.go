package translog_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"
	cosig "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"aifi-audit/store/translog"
)

func cosigner(t testing.TB, name string) (*torchwood.CosignatureSigner, translog.Witness) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := torchwood.NewCosignatureSigner(name, private)
	if err != nil {
		t.Fatal(err)
	}
	w, err := translog.NewWitness(signer.Verifier().String())
	if err != nil || w.Name() != name {
		t.Fatal(w, err)
	}
	return signer, w
}

func checkpoint(t testing.TB, size int64) (translog.Checkpoint, note.Verifier) {
	t.Helper()
	key, public, err := translog.NewKey(rand.Reader, "audit.example.com/log")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := translog.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := signer.Sign(tlog.Tree{N: size, Hash: tlog.RecordHash([]byte("x"))})
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	return c, v
}

// lines are those that somebody adds to a checkpoint.
func lines(t testing.TB, c translog.Checkpoint, v note.Verifier, signers ...note.Signer) string {
	t.Helper()
	n, err := note.Open(c.Note, note.VerifierList(v))
	if err != nil {
		t.Fatal(err)
	}
	n.Sigs = nil
	signed, err := note.Sign(n, signers...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(string(signed), n.Text+"\n")
}

func TestCosignaturesOfAnotherImplementation(t *testing.T) {
	c, v := checkpoint(t, 7)
	signer, w := cosigner(t, "witness.example.com/w1")
	stranger, _ := cosigner(t, "witness.example.com/w2")
	said, err := w.Answered(c, []byte(lines(t, c, v, stranger, signer)))
	if err != nil || time.Since(said.At) > time.Hour || time.Since(said.At) < -time.Minute {
		t.Fatal(said, err)
	}
	cosigned := c.WithSignatures(said.Line)
	again, err := w.Cosignature(cosigned)
	if err != nil || again != said {
		t.Errorf("%v, want %v: %v", again, said, err)
	}
	if _, err := note.Open(cosigned, note.VerifierList(signer.Verifier())); err != nil {
		t.Error(err)
	}
	if _, err := note.Open(cosigned, note.VerifierList(v)); err != nil {
		t.Error(err)
	}
	other, _ := checkpoint(t, 8)
	for what, signed := range map[string][]byte{
		"none":                    c.Note,
		"a stranger's":            c.WithSignatures(strings.TrimSpace(lines(t, c, v, stranger))),
		"of another checkpoint":   other.WithSignatures(said.Line),
		"that was edited":         c.WithSignatures(said.Line[:len(said.Line)-8] + "AAAAAAA="),
		"that is no line":         c.WithSignatures("x"),
		"without a checkpoint":    []byte(said.Line),
		"an ordinary signature's": c.WithSignatures(strings.TrimSpace(lines(t, c, v, plain(t, "witness.example.com/w1")))),
	} {
		if got, err := w.Cosignature(signed); !errors.Is(err, translog.ErrCosignature) {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}
}

func plain(t testing.TB, name string) note.Signer {
	t.Helper()
	key, _, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// A witness may sign with ML-DSA-44, which C2SP has for the time of quantum computers.
func TestCosignaturesAgainstQuantumComputers(t *testing.T) {
	c, v := checkpoint(t, 7)
	key, public, err := cosig.GenerateMLDSAKey("witness.example.com/pq")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := cosig.NewSignerForCosignatureV1(key)
	if err != nil {
		t.Fatal(err)
	}
	w, err := translog.NewWitness(public)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Answered(c, []byte(lines(t, c, v, signer))); err != nil {
		t.Error(err)
	}
}

func TestKeysOfWitnessesThatAreNone(t *testing.T) {
	signer, _ := cosigner(t, "witness.example.com/w1")
	good := signer.Verifier().String()
	_, ordinary, err := note.GenerateKey(rand.Reader, "witness.example.com/w1")
	if err != nil {
		t.Fatal(err)
	}
	name, rest, _ := strings.Cut(good, "+")
	for what, key := range map[string]string{
		"nothing": "", "a name": "witness.example.com", "no hash": name + "+" + rest[9:], "a mistyped name": "x" + good, "a mistyped hash": name + "+00000000" + rest[8:],
		"a key that is cut": good[:len(good)-4], "a key of a log": ordinary, "a blank": " " + good,
	} {
		if w, err := translog.NewWitness(key); err == nil {
			t.Errorf("%s is taken as %s", what, w.ID())
		}
	}
}

// Whatever stands around them, notes that are whole are found.
func TestNotesAreFound(t *testing.T) {
	c, _ := checkpoint(t, 7)
	rapid.Check(t, func(t *rapid.T) {
		var file []byte
		whole := 0
		for range rapid.IntRange(0, 6).Draw(t, "notes") {
			if rapid.Bool().Draw(t, "broken") {
				cut := rapid.IntRange(1, len(c.Note)-1).Draw(t, "cut")
				file = append(append(file, c.Note[:cut]...), "\n\n"...)
			} else {
				file = append(file, c.Note...)
				whole++
			}
			file = append(file, strings.Repeat("\n", rapid.IntRange(0, 2).Draw(t, "empty lines"))...)
		}
		found := 0
		for _, n := range translog.SplitNotes(file) {
			if !n.Broken && string(n.Note) == string(c.Note) {
				found++
			}
			if lines := strings.SplitAfter(string(file), "\n"); !strings.HasPrefix(strings.Join(lines[n.Line-1:], ""), string(n.Note)) {
				t.Fatalf("it is not on line %d", n.Line)
			}
		}
		// What was cut by its last line's end only is whole.
		if found < whole {
			t.Fatalf("found %d notes of %d in %q", found, whole, file)
		}
	})
}

func TestATileFindsWhatWasMoved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hashes := make([]tlog.Hash, translog.TileWidth)
		seed := rapid.Byte().Draw(t, "seed")
		for i := range hashes {
			hashes[i] = tlog.RecordHash([]byte{seed, byte(i)})
		}
		root := translog.RootOfTile(hashes)
		tile := translog.NewTile(hashes)
		if tile.Root() != root {
			t.Fatal("it has another root")
		}
		// The search is from the first on, and long behind it.
		i, j := rapid.IntRange(0, 7).Draw(t, "i"), rapid.IntRange(0, translog.TileWidth-1).Draw(t, "j")
		tile.Set(i, hashes[j])
		tile.Set(j, hashes[i])
		moved := append([]tlog.Hash(nil), hashes...)
		moved[i], moved[j] = hashes[j], hashes[i]
		if tile.Root() != translog.RootOfTile(moved) {
			t.Fatal("changing leaves gives another root")
		}
		if i != j {
			if a, b, ok := tile.Swapped(root); !ok || a != min(i, j) || b != max(i, j) {
				t.Fatalf("%d and %d were swapped, and %d and %d found", i, j, a, b)
			}
		}
		alien := tlog.RecordHash([]byte("alien"))
		tile = translog.NewTile(hashes)
		tile.Set(i, alien)
		if a, b, ok := tile.Replaced(root, []tlog.Hash{alien, hashes[i]}); !ok || a != i || b != 1 {
			t.Fatalf("%d was replaced, and %d found", i, a)
		}
	})
}
