// Package verify recomputes the transparency log from what the database holds, and names
// what was changed, removed or hidden.
package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/logrows"
	"aifi-audit/store/translog"
)

// Class says what a verification found.
type Class string

// The classes of findings. All but Erased and Retired speak against the database.
const (
	Tampered     Class = "TAMPERED"     // it is there, and not what was committed to
	Missing      Class = "MISSING"      // it was committed to, and is gone
	Erased       Class = "ERASED"       // it was erased by the rules, as another leaf says
	Retired      Class = "RETIRED"      // it was removed by the rules when its time was over, as another leaf says
	Unverifiable Class = "UNVERIFIABLE" // what is needed to check it is gone
	Unsequenced  Class = "UNSEQUENCED"  // the log does not know it
)

// Finding is one thing that a verification found.
type Finding struct {
	Class        Class      `json:"class"`
	What         string     `json:"what"`             // body, row, event, customer, personal info, leaf, tile, checkpoint, view, trigger, …
	Object       string     `json:"object,omitempty"` // of the schema: event_facets, or deliveries.refuse_change of the table deliveries
	DeliveryID   *uuid.UUID `json:"deliveryId,omitempty"`
	AccessID     *uuid.UUID `json:"accessId,omitempty"`     // access_log.entry_id
	RetirementID *uuid.UUID `json:"retirementId,omitempty"` // log_retirements.id
	RequestID    *uuid.UUID `json:"requestId,omitempty"`    // of an erasure
	DecisionID   *uuid.UUID `json:"decisionId,omitempty"`   // of an erasure
	NoteID       *uuid.UUID `json:"noteId,omitempty"`
	EventID      *uuid.UUID `json:"eventId,omitempty"` // of a review: what the notes of an event come to
	HoldID       *uuid.UUID `json:"holdId,omitempty"`
	PolicyID     *int64     `json:"policyId,omitempty"`  // retention_policies.id
	AccessRow    *int64     `json:"accessRow,omitempty"` // access_log.id, of an entry that has no entry_id
	Leaf         *int64     `json:"leaf,omitempty"`      // its index
	ErasedBy     *int64     `json:"erasedBy,omitempty"`  // the index of the leaf that says so
	Detail       string     `json:"detail,omitempty"`
}

// about names what the finding is about.
func (f Finding) about(kind translog.Kind, id uuid.UUID) Finding {
	switch kind {
	case translog.Access, translog.AccessErasure:
		f.AccessID = &id
	case translog.Certificate, translog.ErasureRequest, translog.ErasureResult:
		f.RequestID = &id
	case translog.ErasureDecision:
		f.DecisionID = &id
	case translog.Note, translog.NoteErasure:
		f.NoteID = &id
	case translog.Hold, translog.HoldErasure, translog.Lift:
		f.HoldID = &id
	case translog.Policy:
		n := logrows.NumberOf(id)
		f.PolicyID = &n
	case translog.EarlyAccess, translog.EarlyAccessErasure:
		n := logrows.NumberOf(id)
		f.AccessRow = &n
	case translog.Retirement:
		f.RetirementID = &id
	default:
		f.DeliveryID = &id
	}
	return f
}

// String is the finding on one line.
func (f Finding) String() string {
	s := string(f.Class) + " " + f.What
	if f.Object != "" {
		s += " " + f.Object
	}
	for _, about := range []struct {
		id   *uuid.UUID
		what string
	}{
		{f.DeliveryID, "delivery %s"},
		{f.AccessID, "entry %s of the access log"},
		{f.RetirementID, "retirement %s"},
		{f.RequestID, "erasure %s"},
		{f.DecisionID, "decision %s"},
		{f.NoteID, "note %s"},
		{f.EventID, "event %s"},
		{f.HoldID, "hold %s"},
	} {
		if about.id != nil {
			s += fmt.Sprintf(" of "+about.what, about.id)
		}
	}
	if f.PolicyID != nil {
		s += fmt.Sprintf(" of policy %d", *f.PolicyID)
	}
	if f.AccessRow != nil {
		s += fmt.Sprintf(" of row %d of the access log", *f.AccessRow)
	}
	if f.Leaf != nil {
		s += fmt.Sprintf(" (leaf %d)", *f.Leaf)
	}
	if f.ErasedBy != nil {
		s += fmt.Sprintf(" by leaf %d", *f.ErasedBy)
	}
	if f.Detail != "" {
		s += ": " + f.Detail
	}
	return s
}

// Options say how much to verify.
type Options struct {
	// From is a tree that was verified before: its leaves are not opened again, but
	// the log must still begin with it. The zero tree verifies everything.
	From tlog.Tree
	// FromActs is what Result.Acts was of From: a leaf of an act that log_leaves
	// calls another since is found by it. Zero is not known.
	FromActs tlog.Hash
	// Since bounds the search for rows that the log does not know; zero is for ever.
	Since time.Time
	// Anchors are trees that were signed, as is known from outside of the database: the
	// log must begin with each of them.
	Anchors   []Anchor
	Witnesses []translog.Witness      // whose cosignatures are to be checked too
	Progress  func(done, total int64) // leaves; may be nil
	Found     func(Finding)           // may be nil
}

// Result is what a verification did.
type Result struct {
	Size     int64         `json:"size"`
	RootHash tlog.Hash     `json:"rootHash"`
	Leaves   int64         `json:"leaves"`  // opened
	Waiting  int64         `json:"waiting"` // in the queue; no finding while they are young
	Findings map[Class]int `json:"findings"`
	// Acts is a digest of which leaves are about acts of staff. The log does not sign which
	// they are: only who opens all leaves sees that one is not what log_leaves calls it.
	Acts tlog.Hash `json:"acts"`
	// Adopted are acts of staff of which the log knows only from some time on.
	Adopted []Adoption `json:"adopted,omitempty"`
	// Unchecked is what could not be looked at, and why.
	Unchecked []string `json:"unchecked,omitempty"`
	// Anchors is how many trees that were signed the log was held against.
	Anchors int `json:"anchors"`
	// Cosigned is how many leaves each witness has cosigned, by his name.
	Cosigned map[string]int64 `json:"cosigned,omitempty"`
}

// Clean reports whether nothing speaks against the database.
func (v Result) Clean() bool {
	for class, n := range v.Findings {
		if class != Erased && class != Retired && n > 0 {
			return false
		}
	}
	return true
}

// verification is one under way, on one snapshot of the database.
type verification struct {
	Source
	Options
	log      logrows.Reader
	snapshot string // of the database; all of its connections see it
	tallyKey tallyKey

	trees       signedTrees
	displaced   []brokenTile
	result      Result
	waiting     map[logrows.ID]waitingLeaf
	known       tallies // of what the leaves opened are about
	erasures    []erasedLeaf
	retirements map[uuid.UUID]*retirement
	actDigests  actDigests
}

// Source is what a verification reads.
type Source struct {
	Pool interface { // of connections: it takes one, and one for each opener
		BeginTx(ctx context.Context, o pgx.TxOptions) (pgx.Tx, error)
	}
	Openers  int // how many open leaves at once, but no more than there are processors
	Queries  *db.Queries
	Verifier *translog.Verifier
	Now      time.Time
}

// Run recomputes the log from what the database holds: each leaf from the body
// and from the rows that search serves, the tiles, the root, and every checkpoint
// that was kept; and looks for rows that the log does not know. It holds the views
// through which search reads, and what guards the tables, against what the migrations
// made. It reads one snapshot over several connections, and uses as much memory for a
// large log as for a small one: see chunkTiles.
func Run(ctx context.Context, s Source, o Options) (Result, error) {
	v := &verification{Source: s, Options: o, tallyKey: newTallyKey(), actDigests: newActDigests(o.From.N)}
	v.result.Findings = map[Class]int{}
	err := v.reading(ctx, func(tx pgx.Tx) (err error) {
		v.log = logrows.Reader{Queries: s.Queries, Conn: tx}
		if v.snapshot, err = s.Queries.ExportSnapshot(ctx, tx); err != nil {
			return err
		}
		if err := v.schema(ctx); err != nil {
			return fmt.Errorf("verifying the schema: %w", err)
		}
		tree, err := v.checkpoint(ctx)
		if err != nil {
			return err
		}
		v.result.Size, v.result.RootHash = tree.N, tree.Hash
		if err := v.queue(ctx); err != nil {
			return fmt.Errorf("verifying the queue: %w", err)
		}
		if err := v.readRetirements(ctx); err != nil {
			return fmt.Errorf("reading retirements: %w", err)
		}
		if err := v.surplus(ctx, tree.N); err != nil {
			return fmt.Errorf("looking for leaves that are none: %w", err)
		}
		if err := v.tree(ctx, tree); err != nil {
			return fmt.Errorf("verifying the tree: %w", err)
		}
		if err := v.cosignatures(ctx); err != nil {
			return fmt.Errorf("verifying cosignatures: %w", err)
		}
		if err := v.eachErasure(ctx); err != nil {
			return fmt.Errorf("verifying erasures: %w", err)
		}
		v.eachRetirement()
		if err := v.rows(ctx); err != nil {
			return fmt.Errorf("verifying the rows: %w", err)
		}
		return nil
	})
	return v.result, err
}

// reading runs f on a connection, in a transaction that reads only, for as long as it
// takes.
func (v *verification) reading(ctx context.Context, f func(pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, v.Pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL statement_timeout = 0"); err != nil {
			return err
		}
		return f(tx)
	})
}

func (v *verification) found(f Finding) {
	v.result.Findings[f.Class]++
	if v.Found != nil {
		v.Found(f)
	}
}

// checkpoint gives the tree that is to be verified.
func (v *verification) checkpoint(ctx context.Context) (tlog.Tree, error) {
	c, err := v.log.State(ctx, v.Verifier)
	if errors.Is(err, logrows.ErrRolledBack) {
		v.found(Finding{Class: Tampered, What: "checkpoint", Detail: err.Error()})
		// The leaves can still be opened; who signs for them is another matter.
		state, err := v.Queries.GetLogState(ctx, v.log.Conn)
		if err != nil || len(state.Root) != tlog.HashSize {
			return tlog.Tree{}, errors.Join(logrows.ErrDamaged, err)
		}
		// Nothing signed says how many there are: no more than are there.
		there, err := v.Queries.CountLeaves(ctx, v.log.Conn)
		return tlog.Tree{N: max(min(state.Size, there), 0), Hash: tlog.Hash(state.Root)}, err
	}
	if err != nil {
		return tlog.Tree{}, err
	}
	v.beyond(c.N)
	return c.Tree, nil
}
