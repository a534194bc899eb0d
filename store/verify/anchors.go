package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/logrows"
	"aifi-audit/store/translog"
)

// Anchor is a tree that was signed once.
type Anchor struct {
	tlog.Tree
	Source string // where it is kept, as "anchors, line 7"
}

// ReadAnchors reads a file with signed checkpoints, one after another. name is the
// file's, for findings. Notes that are not signed by a key of the log are findings;
// broken are the lines where notes begin that were broken off, which say nothing.
func ReadAnchors(name string, file []byte, v *translog.Verifier) (anchors []Anchor, found []Finding, broken []int) {
	for _, n := range translog.SplitNotes(file) {
		source := fmt.Sprintf("%s, line %d", name, n.Line)
		c, err := v.Open(n.Note)
		switch {
		case n.Broken:
			broken = append(broken, n.Line)
		case err != nil:
			found = append(found, Finding{Class: Tampered, What: "anchor", Detail: fmt.Sprintf("%s: %v", source, err)})
		default:
			anchors = append(anchors, Anchor{c.Tree, source})
		}
	}
	return anchors, found, broken
}

// signedTrees are the trees that the log must begin with.
type signedTrees struct {
	byTile   map[int64][]Anchor // by the lowest tile in which they end, the smallest first
	agreed   []int64            // sizes of those that it does begin with
	mismatch []Anchor           // those that it does not
}

// checkpointsRead is how many kept checkpoints are read at a time.
const checkpointsRead = 10_000

// expect collects the trees that the log must begin with. Of those that were kept with
// it, the trees of up to some leaves were held against it before.
func (v *verification) expect(ctx context.Context, before int64) error {
	v.trees.byTile = map[int64][]Anchor{}
	expect := func(a Anchor) {
		if a.N > 0 {
			tile := (a.N - 1) / translog.TileWidth
			v.trees.byTile[tile] = append(v.trees.byTile[tile], a)
			v.result.Anchors++
		}
	}
	after := int64(-1)
	if before > 0 {
		after = before
	}
	for {
		kept, err := v.Queries.ListCheckpoints(ctx, v.log.Conn, db.ListCheckpointsParams{AfterSize: after, RowLimit: checkpointsRead})
		if err != nil {
			return err
		}
		for _, k := range kept {
			after = k.Size
			c, err := v.Verifier.Open(k.Checkpoint)
			if err == nil && c.N != k.Size {
				err = errors.New("it is of another size")
			}
			if err != nil {
				v.found(Finding{Class: Tampered, What: "checkpoint", Detail: fmt.Sprintf("that of size %d: %v", k.Size, err)})
				continue
			}
			expect(Anchor{c.Tree, "log_checkpoints"})
		}
		if len(kept) < checkpointsRead {
			break
		}
	}
	for _, a := range v.anchors() {
		expect(a)
	}
	for _, trees := range v.trees.byTile {
		slices.SortStableFunc(trees, func(a, b Anchor) int { return cmp.Compare(a.N, b.N) })
	}
	return nil
}

// anchors are the trees known from outside of the database.
func (v *verification) anchors() []Anchor {
	return append(slices.Clone(v.Anchors), Anchor{v.From, "the last verification"})
}

// beyond finds trees that are larger than the log: it was rolled back.
func (v *verification) beyond(size int64) {
	var largest Anchor
	n := 0
	for _, a := range v.anchors() {
		if a.N > size {
			n++
			if a.N > largest.N {
				largest = a
			}
		}
	}
	if n > 0 {
		v.found(Finding{Class: Missing, What: "leaves", Detail: fmt.Sprintf("the log has %d leaves, and %d were signed (%s): the database was rolled back", size, largest.N, andMore(largest.Source, n-1))})
	}
}

func andMore(source string, more int) string {
	if more > 0 {
		source += fmt.Sprintf(", and %d more", more)
	}
	return source
}

// agree notes whether a tree that was signed is one that the log begins with.
func (v *verification) agree(a Anchor, root tlog.Hash) {
	if a.Hash == root {
		v.trees.agreed = append(v.trees.agreed, a.N)
	} else {
		v.trees.mismatch = append(v.trees.mismatch, a)
	}
}

// before compares the trees that end before the leaves which are verified this time,
// without opening a leaf.
func (v *verification) before(reader translog.Reader, size int64) error {
	for _, a := range v.Anchors {
		if a.N == 0 || a.N > size {
			continue
		}
		root, _, err := reader.Prefix(a.N)
		if err != nil && !errors.Is(logrows.Damaged(err), logrows.ErrDamaged) {
			return err
		}
		if err != nil {
			v.found(Finding{Class: Unverifiable, What: "checkpoint", Detail: fmt.Sprintf("%s: the tiles up to leaf %d are damaged", a.Source, a.N)})
			continue
		}
		v.agree(a, root)
	}
	return nil
}

// prefixes compares the trees that end within a tile with those that were signed.
// edge stands at the tile's start.
func (v *verification) prefixes(edge *translog.Edge, hashes []tlog.Hash) {
	trees := v.trees.byTile[edge.Size()/translog.TileWidth]
	if len(trees) == 0 || len(hashes) == 0 {
		return
	}
	e, start := edge.Clone(), edge.Size()
	var root tlog.Tree
	for _, a := range trees {
		if a.N-start > int64(len(hashes)) {
			return // beyond the log, as was found before
		}
		for e.Size() < a.N {
			e.Append(hashes[e.Size()-start])
		}
		if root.N != a.N {
			root, _ = e.Tree() // of hashes that are there
		}
		v.agree(a, root.Hash)
	}
}

// mismatches tells of the trees that were signed and that the log does not begin with,
// and where it was changed.
func (v *verification) mismatches() {
	if len(v.trees.mismatch) == 0 {
		return
	}
	first := slices.MinFunc(v.trees.mismatch, func(a, b Anchor) int { return cmp.Compare(a.N, b.N) })
	agreed := int64(0)
	for _, n := range v.trees.agreed {
		if n < first.N {
			agreed = max(agreed, n)
		}
	}
	detail := fmt.Sprintf("the log does not begin with the tree of %d leaves that was signed (%s)", first.N, andMore(first.Source, len(v.trees.mismatch)-1))
	switch {
	case slices.Contains(v.trees.agreed, first.N):
		detail += ": two trees of that size were signed, by whoever has the key"
	case agreed > 0:
		detail += fmt.Sprintf("; it does begin with that of %d: what lies behind that was changed and signed again", agreed)
	}
	v.found(Finding{Class: Tampered, What: "checkpoint", Detail: detail})
}

// cosignatures checks what witnesses said.
func (v *verification) cosignatures(ctx context.Context) error {
	for _, w := range v.Witnesses {
		cosigned, after := int64(0), int64(-1)
		if v.From.N > 0 { // the newest of those that were checked before, and what came since
			newest, err := v.Queries.CosignedBefore(ctx, v.log.Conn, db.CosignedBeforeParams{Witness: w.ID(), UpTo: v.From.N})
			if err != nil {
				return err
			}
			after = newest - 1
		}
		for {
			kept, err := v.Queries.Cosignatures(ctx, v.log.Conn, db.CosignaturesParams{Witness: w.ID(), AfterSize: after, RowLimit: checkpointsRead})
			if err != nil {
				return err
			}
			for _, k := range kept {
				after = k.Size
				if f := v.cosignature(w, k); f != nil {
					v.found(*f)
				} else {
					cosigned = k.Size
				}
			}
			if len(kept) < checkpointsRead {
				break
			}
		}
		if cosigned == 0 {
			v.found(Finding{Class: Unverifiable, What: "cosignature", Detail: w.Name() + " has cosigned nothing that is kept"})
		}
		if v.result.Cosigned == nil {
			v.result.Cosigned = map[string]int64{}
		}
		v.result.Cosigned[w.Name()] = cosigned
	}
	return nil
}

// cosignature checks one. That the log begins with its checkpoint is checked with all
// that were kept.
func (v *verification) cosignature(w translog.Witness, k db.CosignaturesRow) *Finding {
	of := fmt.Sprintf("of the checkpoint of size %d by %s", k.Size, w.Name())
	if k.Checkpoint == nil {
		return &Finding{Class: Missing, What: "checkpoint", Detail: "it is gone, but not its cosignature " + of}
	}
	if _, err := w.Cosignature(translog.Checkpoint{Note: k.Checkpoint}.WithSignatures(k.Line)); err != nil {
		return &Finding{Class: Tampered, What: "cosignature", Detail: of + ": it is not valid"}
	}
	return nil
}
