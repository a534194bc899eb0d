package store

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/translog"
)

// retirement is one that a verification knows of.
type retirement struct {
	db.ListRetirementsRow
	index int64 // of its leaf; unlogged if the log has none
	found int64 // leaves of deliveries that it accounts for
}

const unlogged = math.MaxInt64

// readRetirements reads what was retired by the rules, and where the log says so.
func (v *verification) readRetirements(ctx context.Context) error {
	rows, err := v.queries.ListRetirements(ctx, v.log.conn)
	if err != nil {
		return err
	}
	v.retirements = make(map[uuid.UUID]*retirement, len(rows))
	for _, row := range rows {
		r := &retirement{row, unlogged, 0}
		v.retirements[row.ID] = r
		found, err := v.log.locate(ctx, row.At, row.ID)
		if err != nil {
			return err
		}
		for _, at := range found {
			if at.kind == translog.Retirement {
				r.index = at.index
			}
		}
	}
	return nil
}

// retire finds, of leaves of deliveries whose rows are gone, those that were retired: by
// the first retirement behind the leaf that speaks of it. What came later than the
// retirement is not what it speaks of.
func (v *verification) retire(ctx context.Context, leaves []*storedLeaf) error {
	if len(v.retirements) == 0 {
		return nil
	}
	var args db.RetirementsOfParams
	gone := map[uuid.UUID][]*storedLeaf{}
	for _, l := range leaves {
		if l.row == nil {
			args.DeliveryID, args.ReceivedAt = append(args.DeliveryID, l.id), append(args.ReceivedAt, ReceivedAt(l.id))
			gone[l.id] = append(gone[l.id], l)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	found, err := v.queries.RetirementsOf(ctx, v.log.conn, args)
	if err != nil {
		return err
	}
	for _, f := range found {
		r := v.retirements[f.ID]
		for _, l := range gone[f.DeliveryID] {
			if r != nil && r.index > l.index && (l.retired == nil || r.index < l.retired.index) {
				l.retired = r
			}
		}
	}
	return nil
}

// openRetirements makes the leaves of retirements.
func (v *verification) openRetirements(ctx context.Context, leaves []*storedLeaf) error {
	ids := make([]uuid.UUID, len(leaves))
	for i, l := range leaves {
		ids[i] = l.id
	}
	rows, err := v.queries.RetirementEvidence(ctx, v.log.conn, ids)
	if err != nil {
		return err
	}
	byID := make(map[uuid.UUID]*db.LogRetirement, len(rows))
	for i := range rows {
		byID[rows[i].ID] = &rows[i]
	}
	for _, l := range leaves {
		f := l.finding(Missing, "retirement", "its row is gone")
		if r := byID[l.id]; r != nil {
			made, err := retirementLeaf(r)
			if err == nil {
				l.now = made.Hash()
				continue
			}
			f = l.finding(Unverifiable, "retirement", err.Error())
		}
		l.fault = &f
	}
	return nil
}

// eachRetirement tells what was retired, and by which leaf. A retirement must account
// for as many leaves as it said when it was made: then it hides nothing that was gone
// before.
func (v *verification) eachRetirement() {
	byID := slices.SortedFunc(maps.Values(v.retirements), func(a, b *retirement) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	for _, r := range byID {
		id := r.ID
		f := Finding{Class: Retired, What: "deliveries", RetirementID: &id, Detail: fmt.Sprintf("%d, received from %s to %s, by %s: %s",
			r.found, r.FromTime.UTC().Format(time.RFC3339), r.ToTime.UTC().Format(time.RFC3339), r.Actor, r.Reason)}
		if r.index != unlogged {
			f.ErasedBy = &r.index
		} else if since, ok := v.waiting[leafIDOf(translog.Retirement, id)]; !ok {
			f.Class, f.What, f.Detail = Tampered, "retirement", "the log does not know of it"
		} else if v.now.Sub(since) >= waitsTooLong {
			f.Class, f.What, f.Detail = Unsequenced, "retirement", "its leaf waits in the queue since "+since.UTC().Format(time.RFC3339)
		}
		if f.Class != Retired || r.found > 0 {
			v.found(f)
		}
		if v.From.N == 0 && r.found != r.Leaves {
			v.found(Finding{Class: Tampered, What: "retirement", RetirementID: &id, ErasedBy: f.ErasedBy,
				Detail: fmt.Sprintf("it speaks of %d deliveries that have a leaf, and there are %d", r.Leaves, r.found)})
		}
	}
}
