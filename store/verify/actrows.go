package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"aifi-audit/store/aifi"
	"aifi-audit/store/internal/db"
	"aifi-audit/store/logrows"
	"aifi-audit/store/translog"
)

// Adoption is when acts were found that had no leaf, since they were written before acts
// had any. The log speaks for them from then on, and not of the time before.
type Adoption struct {
	At   time.Time `json:"at"`
	Acts int64     `json:"acts"`
}

// adopt notes that acts were adopted.
func (v *verification) adopt(times []time.Time) {
	for _, at := range times {
		i, found := slices.BinarySearchFunc(v.result.Adopted, at, func(a Adoption, t time.Time) int { return a.At.Compare(t) })
		if !found {
			v.result.Adopted = slices.Insert(v.result.Adopted, i, Adoption{At: at.UTC()})
		}
		v.result.Adopted[i].Acts++
	}
}

// actRows looks for acts that the log does not know. The leaves of all acts were opened,
// also where others were not.
func (v *verification) actRows(ctx context.Context) error {
	k, have := tallier{key: v.tallyKey}, tally{}
	err := db.Each(ctx, v.log.Conn, v.Queries.AllActs, func(r *db.RawRow) error {
		kind, id := r.Text(), r.UUID()
		have.add(k.act(kind, id))
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the keys of acts: %w", err)
	}
	if have != v.known.acts {
		for _, kind := range translog.Acts {
			if err := v.unknownActs(ctx, kind); err != nil {
				return fmt.Errorf("looking for leaves of kind %s: %w", kind, err)
			}
		}
	}
	if err := v.subjects(ctx); err != nil {
		return err
	}
	return v.reviews(ctx)
}

// unknownActs finds acts of a kind without a leaf.
func (v *verification) unknownActs(ctx context.Context, kind translog.Kind) error {
	for p := (db.ActTimesParams{Kind: kind.String(), RowLimit: logrows.TimesAtOnce / 2}); ; {
		rows, err := v.Queries.ActTimes(ctx, v.log.Conn, p)
		if err != nil || len(rows) == 0 {
			return err
		}
		times := make([]time.Time, 0, logrows.TimesAtOnce)
		for _, r := range rows {
			times = append(times, r.At, r.LeafAt)
		}
		logged, err := v.loggedAt(ctx, times)
		if err != nil {
			return err
		}
		for _, r := range rows {
			v.unknownAct(kind, r.ID, logged)
		}
		p.AfterID = rows[len(rows)-1].ID
	}
}

// unknownAct tells of an act that the log does not know. If those that had no leaf were
// adopted, it was not there then.
func (v *verification) unknownAct(kind translog.Kind, id uuid.UUID, logged map[logrows.ID]struct{}) {
	f := v.unlogged(kind, id, logged)
	if f == nil {
		return
	}
	f.What = actWhat[kind]
	if _, waits := v.waiting[logrows.IDOf(kind, id)]; !waits && len(v.result.Adopted) > 0 {
		f.Class = Tampered
		f.Detail = "it has no leaf, and was not there when acts without one were adopted, on " + v.result.Adopted[0].At.Format(time.RFC3339)
	}
	v.found(*f)
}

// subjects finds open requests for erasure that would erase somebody else.
func (v *verification) subjects(ctx context.Context) error {
	open, err := v.Queries.OpenSubjects(ctx, v.log.Conn)
	for _, r := range open {
		if isSubject(r) {
			continue
		}
		v.found(Finding{Class: Tampered, What: "subject", RequestID: &r.RequestID, Detail: "it is not whom the request is about"})
	}
	return err
}

// isSubject reports whether a row names whom its request is about.
func isSubject(r db.OpenSubjectsRow) bool {
	var of aifi.Identifiers
	if r.Identifiers != nil && json.Unmarshal(r.Identifiers, &of) != nil || len(r.Secret) != len(translog.Secret{}) {
		return false
	}
	subject, err := logrows.SubjectOf(translog.Secret(r.Secret), db.OrEmpty(r.CustomerID), of)
	return err == nil && bytes.Equal(subject[:], r.Subject)
}

// reviews finds events whose disposition is not what their notes come to.
func (v *verification) reviews(ctx context.Context) error {
	wrong, err := v.Queries.WrongReviews(ctx, v.log.Conn)
	for _, r := range wrong {
		f := Finding{Class: Tampered, What: "review", EventID: &r.EventID, Detail: "it is not what the notes of the event come to"}
		if r.Missing {
			f.Class, f.Detail = Missing, "the event has notes, and search does not know of them"
		}
		v.found(f)
	}
	return err
}
