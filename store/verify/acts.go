package verify

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/logrows"
	"aifi-audit/store/translog"
)

// evidenceOfAct is what there is of an act whose leaf is opened.
type evidenceOfAct struct {
	row    *db.ActsRow // nil: it is gone
	logged *db.LoggedActsRow
	twice  bool // there is another row of its id
}

func (o *opener) evidenceOfActs(ctx context.Context, kind translog.Kind, leaves []*storedLeaf) (map[uuid.UUID]*evidenceOfAct, error) {
	asked := db.ActsParams{Kind: kind.String()}
	found := make(map[uuid.UUID]*evidenceOfAct, len(leaves))
	for _, l := range leaves {
		if found[l.id] == nil {
			found[l.id], asked.Ids = &evidenceOfAct{}, append(asked.Ids, l.id)
		}
	}
	rows, err := o.Queries.Acts(ctx, o.log.Conn, asked)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		e := found[rows[i].ID]
		e.twice = e.row != nil
		e.row = &rows[i]
	}
	logged, err := o.Queries.LoggedActs(ctx, o.log.Conn, db.LoggedActsParams(asked))
	for i := range logged {
		found[logged[i].ID].logged = &logged[i]
	}
	return found, err
}

// openActs makes the leaves of acts again, all of one kind, or those of their erasures.
// A leaf comes out of log_acts, and commits to the row.
func (o *opener) openActs(ctx context.Context, c *chunk, kind translog.Kind, leaves []*storedLeaf) error {
	act, check := kind, o.openAct
	if erased := kind.Erased(); erased != 0 {
		act, check = erased, o.openActErasure
	}
	found, err := o.evidenceOfActs(ctx, act, leaves)
	if err != nil {
		return err
	}
	gone := map[uuid.UUID][]*storedLeaf{} // by the delivery that a note named
	for _, l := range leaves {
		e := found[l.id]
		switch what := actWhat[act]; {
		case e.twice:
			l.blame(Tampered, what, "there is another of its id")
		case e.logged == nil && e.row == nil:
			l.blame(Missing, what, "its row is gone, with what its leaf was made of")
		case e.logged == nil:
			l.blame(Unverifiable, what, "what its leaf was made of is gone")
		default:
			check(c, act, l, e)
			if e.row == nil {
				l.blame(Missing, what, "its row is gone")
			}
			if e.row == nil && l.now == l.hash && e.logged.DeliveryID != uuid.Nil {
				gone[e.logged.DeliveryID] = append(gone[e.logged.DeliveryID], l)
			}
		}
		if e.row != nil && kind == act {
			c.tallies.acts.add(o.tallier.act(kind.String(), l.id))
		}
	}
	return o.retire(ctx, gone)
}

// openAct makes the leaf of an act. That it was erased, another leaf is to say.
func (o *opener) openAct(c *chunk, kind translog.Kind, l *storedLeaf, e *evidenceOfAct) {
	made, ok := logrows.ActLeaf(kind, e.logged)
	if l.now = made.Hash(); !ok || l.now != l.hash {
		l.blame(Tampered, actWhat[kind], "it, or what its leaf was made of, was changed")
		return
	}
	if e.logged.Adopted {
		c.adopted = append(c.adopted, e.logged.At)
	}
	switch {
	case e.row == nil:
	case e.logged.Secret == nil && !e.logged.ErasedAt.IsZero() && kind.ErasureOf() != 0:
		c.erasures = append(c.erasures, erasedLeaf{l.index, l.id, e.logged.ErasedAt, kind.ErasureOf()})
	case len(e.logged.Secret) != len(translog.Secret{}):
		l.blame(Unverifiable, actWhat[kind], "the secret of its commitment is gone")
	case !logrows.ActMakes(e.row, e.logged.Secret, e.logged.Commitment):
		l.blame(Tampered, actWhat[kind], "it was changed")
	}
}

// openActErasure makes the leaf of the erasure of an act, which is since as it says.
func (o *opener) openActErasure(_ *chunk, kind translog.Kind, l *storedLeaf, e *evidenceOfAct) {
	made, ok := logrows.ActErasureLeaf(kind, e.logged)
	if !ok {
		l.blame(Missing, "erasure", "what it left is gone")
		return
	}
	if l.now = made.Hash(); l.now != l.hash {
		l.blame(Tampered, "erasure", "what it left was changed")
	} else if e.row != nil && !logrows.ActMakes(e.row, e.logged.ErasureSecret, e.logged.ErasedCommitment) {
		l.blame(Tampered, actWhat[kind], "it was changed since it was erased")
	}
}

// actWhat says what of what a finding names is wrong: see Finding.about.
var actWhat = map[translog.Kind]string{
	translog.Note: "row", translog.Hold: "row", translog.Lift: "lift", translog.Policy: "row", translog.ErasureRequest: "request",
	translog.ErasureDecision: "row", translog.ErasureResult: "result", translog.EarlyAccess: "row",
}

// earlierActs opens the leaves of acts that were verified before: acts are few, and what
// they say counts for years. Of the tiles in which they lie it opens nothing else.
func (v *verification) earlierActs(ctx context.Context, reader translog.Reader, before int64) error {
	tiles, err := v.Queries.ActTiles(ctx, v.log.Conn, before*translog.TileWidth)
	if err != nil {
		return err
	}
	o := opener{verification: v, log: v.log, tallier: tallier{key: v.tallyKey}}
	for _, n := range tiles {
		c := chunk{first: n * translog.TileWidth, end: (n + 1) * translog.TileWidth}
		if err := o.open(ctx, &c); err != nil {
			return fmt.Errorf("opening acts of tile %d: %w", n, err)
		}
		proven, err := reader.Tiles(n, n+1)
		if err != nil && !errors.Is(logrows.Damaged(err), logrows.ErrDamaged) {
			return err
		}
		if table, _ := hashesOf(c.leaves); len(proven) == 0 || proven[0] != translog.RootOfTile(table) {
			v.blameTile(c.leaves, "the leaves do not make the tile that was signed")
		} else {
			v.blameRows(c.leaves)
		}
		v.collect(&c)
	}
	return nil
}
