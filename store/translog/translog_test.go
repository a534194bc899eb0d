package translog_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"aifi-audit/store/translog"
)

// forest is a log as the database keeps it: the leaves' hashes and the tiles' roots.
type forest struct {
	edge   translog.Edge
	leaves []tlog.Hash
	roots  map[[2]int64]tlog.Hash
}

func grow(n int) *forest {
	f := &forest{roots: map[[2]int64]tlog.Hash{}}
	for i := range n {
		h := tlog.RecordHash(fmt.Append(nil, "leaf ", i))
		f.leaves = append(f.leaves, h)
		for _, r := range f.edge.Append(h) {
			f.roots[[2]int64{int64(r.Level), r.N}] = r.Hash
		}
	}
	return f
}

func (f *forest) tree(t testing.TB) tlog.Tree {
	t.Helper()
	tree, err := f.edge.Tree()
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func (f *forest) read(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, t := range tiles {
		var data []byte
		for i := t.N * translog.TileWidth; i < t.N*translog.TileWidth+int64(t.W); i++ {
			h := f.roots[[2]int64{int64(t.L) - 1, i}]
			if t.L == 0 {
				h = f.leaves[i]
			}
			data = append(data, h[:]...)
		}
		all = append(all, data)
	}
	return all, nil
}

// independent computes the root of the first n leaves by another implementation.
func (f *forest) independent(t testing.TB, n int) []byte {
	t.Helper()
	r := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	for _, h := range f.leaves[:n] {
		if err := r.Append(h[:], nil); err != nil {
			t.Fatal(err)
		}
	}
	root, err := r.GetRootHash(nil)
	if err != nil {
		t.Fatal(err)
	}
	if n == 0 {
		return rfc6962.DefaultHasher.EmptyRoot()
	}
	return root
}

func bytesOf[P ~[]tlog.Hash](p P) [][]byte {
	all := make([][]byte, len(p))
	for i := range p {
		all[i] = p[i][:]
	}
	return all
}

func TestProofsHoldByAnIndependentImplementation(t *testing.T) {
	for _, size := range []int{1, 2, 3, 255, 256, 257, 511, 512, 1000, 65535, 65536, 65537, 70001} {
		f := grow(size)
		tree := f.tree(t)
		if diff := cmp.Diff(f.independent(t, size), tree.Hash[:]); diff != "" {
			t.Fatalf("size %d: %s", size, diff)
		}
		r := translog.NewReader(tree, f.read)
		for _, at := range []int{0, 1, 2, 254, 255, 256, 300, size / 2, size - 2, size - 1, size} {
			if at < 0 || at > size {
				continue
			}
			if at < size {
				h, p, err := r.Leaf(int64(at))
				if err != nil || h != f.leaves[at] {
					t.Fatalf("leaf %d of %d: %v, %v", at, size, h, err)
				}
				err = proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(at), uint64(size), h[:], bytesOf(p), tree.Hash[:])
				if err != nil {
					t.Errorf("leaf %d of %d: %v", at, size, err)
				}
			}
			root, p, err := r.Prefix(int64(at))
			if err != nil || !bytes.Equal(root[:], f.independent(t, at)) {
				t.Fatalf("prefix %d of %d: %v, %v", at, size, root, err)
			}
			if at == 0 {
				continue // every tree begins with the empty one: there is nothing to prove
			}
			err = proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(at), uint64(size), bytesOf(p), root[:], tree.Hash[:])
			if err != nil {
				t.Errorf("prefix %d of %d: %v", at, size, err)
			}
		}
	}
}

func TestWhatTheTreeDoesNotHave(t *testing.T) {
	f := grow(300)
	r := translog.NewReader(f.tree(t), f.read)
	for _, at := range []int64{-1, 300, 1 << 40} {
		if _, _, err := r.Leaf(at); err == nil {
			t.Errorf("there is a leaf %d", at)
		}
	}
	for _, size := range []int64{-1, 301} {
		if _, _, err := r.Prefix(size); err == nil {
			t.Errorf("there is a prefix of %d", size)
		}
	}
}

// Any change of what is stored makes an error, or does not matter to the proof.
func TestAChangedTileIsNeverAProof(t *testing.T) {
	const size = 66_000
	f := grow(size)
	tree := f.tree(t)
	rapid.Check(t, func(t *rapid.T) {
		leaf := rapid.IntRange(0, size-1).Draw(t, "changed leaf")
		was := f.leaves[leaf]
		f.leaves[leaf][rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		defer func() { f.leaves[leaf] = was }()
		at := leaf&^0xff | rapid.IntRange(0, 255).Draw(t, "neighbour")
		if at >= size {
			at = leaf
		}
		if _, _, err := translog.NewReader(tree, f.read).Leaf(int64(at)); err == nil {
			t.Fatalf("leaf %d is proven by a tile in which %d was changed", at, leaf)
		}
	})
	for at := range f.roots {
		was := f.roots[at]
		changed := was
		changed[0] ^= 1
		f.roots[at] = changed
		below := at[1] << (8 * (at[0] + 1))
		if _, _, err := translog.NewReader(tree, f.read).Leaf(below); err == nil {
			t.Errorf("leaf %d is proven by the changed root of tile %d", below, at)
		}
		f.roots[at] = was
	}
}

func TestAnEdgeIsLoadedFromWhatIsStored(t *testing.T) {
	f := grow(66_000)
	want := f.tree(t)
	loaded, err := translog.LoadEdge(f.edge.Size(), func(level int, n int64, width int) ([]tlog.Hash, error) {
		data, err := f.read([]tlog.Tile{{H: translog.TileHeight, L: level, N: n, W: width}})
		if err != nil {
			return nil, err
		}
		return translog.SplitHashes(data[0])
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 600 {
		got, err := loaded.Tree()
		if err != nil || got != want {
			t.Fatalf("after %d more: %v, want %v; %v", i, got, want, err)
		}
		h := tlog.RecordHash(fmt.Append(nil, i))
		if diff := cmp.Diff(f.edge.Append(h), loaded.Append(h)); diff != "" {
			t.Fatal(diff)
		}
		want = f.tree(t)
	}
}

func TestATreeGrowsByTilesToo(t *testing.T) {
	f := grow(66_000)
	var byTiles translog.Edge
	roots, err := translog.NewReader(f.tree(t), f.read).Tiles(0, 66_000/256)
	if err != nil {
		t.Fatal(err)
	}
	for n, root := range roots {
		if root != f.roots[[2]int64{0, int64(n)}] {
			t.Fatalf("tile %d", n)
		}
		for _, above := range byTiles.AppendTile(root) {
			if f.roots[[2]int64{int64(above.Level), above.N}] != above.Hash {
				t.Errorf("tile %v", above)
			}
		}
	}
	for _, h := range f.leaves[byTiles.Size():] {
		byTiles.Append(h)
	}
	if got, err := byTiles.Tree(); err != nil || got != f.tree(t) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestLeavesAreReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := translog.Leaf{
			Kind: translog.Kind(rapid.Byte().Draw(t, "kind")), ID: uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")),
			At:      time.UnixMicro(rapid.Int64Range(-1<<55, 1<<55).Draw(t, "at")).UTC(),
			StoreID: rapid.Int64().Draw(t, "store"), Webhook: rapid.String().Draw(t, "webhook"),
			Body:  translog.Commitment(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "body")),
			Facts: translog.Commitment(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "facts")),
		}
		got, err := translog.ParseLeaf(l.Append(nil))
		if diff := cmp.Diff(l, got); err != nil || diff != "" {
			t.Fatal(err, diff)
		}
	})
}

func FuzzParseLeaf(f *testing.F) {
	f.Add(translog.Leaf{Kind: translog.Delivery, Webhook: "tracking"}.Append(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := translog.ParseLeaf(b)
		if err == nil && !bytes.Equal(l.Append(nil), b) {
			t.Errorf("%x is not canonical", b)
		}
	})
}

func TestTilePaths(t *testing.T) {
	for path, want := range map[string]tlog.Tile{
		"0/000":               {H: 8, L: 0, N: 0, W: 256},
		"0/x001/x234/067.p/8": {H: 8, L: 0, N: 1234067, W: 8},
		"3/001":               {H: 8, L: 3, N: 1, W: 256},
		"":                    {},
		"0":                   {},
		"0/":                  {},
		"0/0":                 {},
		"0/x000/001":          {},
		"0/001.p/0":           {},
		"0/001.p/256":         {},
		"0/001.p/08":          {},
		"-1/000":              {},
		"00/000":              {},
		"6/000":               {},
		"data/000":            {},
		"0/../000":            {},
		"0/x999/x999/x999/x999/x999/x999/x999/999": {},
	} {
		got, err := translog.ParseTilePath(path)
		if got != want || (err == nil) != (want != tlog.Tile{}) {
			t.Errorf("%q is %v, %v", path, got, err)
		}
	}
}

func TestCheckpoints(t *testing.T) {
	key, public, err := translog.NewKey(rand.Reader, "audit.example.com/log")
	if err != nil {
		t.Fatal(err)
	}
	newer, newerPublic, err := translog.NewKey(rand.Reader, "audit.example.com/log")
	if err != nil {
		t.Fatal(err)
	}
	_, stranger, err := translog.NewKey(rand.Reader, "audit.example.com/log")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := translog.NewSigner(newer + "\n\n" + key + "\n")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{newerPublic, public}, signer.Verifiers()); diff != "" {
		t.Error(diff)
	}
	tree := grow(1000).edge
	want, err := tree.Tree()
	if err != nil {
		t.Fatal(err)
	}
	c, err := signer.Sign(want)
	if err != nil {
		t.Fatal(err)
	}
	for name, keys := range map[string]string{"old": public, "new": newerPublic, "all": stranger + "\n" + public} {
		v, err := translog.NewVerifier(keys)
		if err != nil {
			t.Fatal(err)
		}
		got, err := v.Open(c.Note)
		if err != nil || got.Tree != want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	v, err := translog.NewVerifier(stranger)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Open(c.Note); !errors.Is(err, translog.ErrCheckpoint) {
		t.Errorf("a stranger's key: %v", err)
	}
	v, err = translog.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	for i := range c.Note {
		changed := bytes.Clone(c.Note)
		changed[i] ^= 1
		if got, err := v.Open(changed); err == nil && got.Tree != want {
			t.Fatalf("byte %d may be changed to make %v", i, got)
		}
	}
	// The format is that of others.
	key1, err := note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	parsed, _, _, err := log.ParseCheckpoint(c.Note, "audit.example.com/log", key1)
	if err != nil || parsed.Size != 1000 || !bytes.Equal(parsed.Hash, want.Hash[:]) {
		t.Errorf("parsed %v, %v", parsed, err)
	}
}

func TestBadKeys(t *testing.T) {
	good, public, err := translog.NewKey(rand.Reader, "a")
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := translog.NewKey(rand.Reader, "b")
	if err != nil {
		t.Fatal(err)
	}
	for name, keys := range map[string]string{
		"none": "", "spaces": " \n", "a public one": public, "cut": good[:len(good)-2], "two names": good + "\n" + other, "changed": strings.Replace(good, "+a+", "+c+", 1),
	} {
		if _, err := translog.NewSigner(keys); err == nil || strings.Contains(err.Error(), "PRIVATE+KEY+a") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"", "a b", "a+b", "a\nb"} {
		if _, _, err := translog.NewKey(rand.Reader, name); err == nil {
			t.Errorf("%q may be a name", name)
		}
	}
	for _, keys := range []string{"", "x", good} {
		if _, err := translog.NewVerifier(keys); err == nil {
			t.Errorf("%.3q is a public key", keys)
		}
	}
}

func TestSaltsAreApart(t *testing.T) {
	s, err := translog.NewSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if again := s.Body(); s.Body() == s.Facts() || s.Body() != again || s.Body().Commit(nil) == s.Facts().Commit(nil) {
		t.Error("the salts are not two")
	}
	if _, err := translog.NewSecret(strings.NewReader("short")); err == nil {
		t.Error("a secret of few bytes")
	}
	text, err := s.Body().MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	var back translog.Salt
	if err := back.UnmarshalText(text); err != nil || back != s.Body() {
		t.Error(back, err)
	}
	for _, bad := range []string{"", "00", strings.Repeat("g", 64), strings.Repeat("0", 66)} {
		if err := back.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is a salt", bad)
		}
	}
}
