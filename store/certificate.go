package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"aifi-audit/store/internal/db"
	"aifi-audit/store/logrows"
	"aifi-audit/store/translog"
)

// StatementHead is the first line of the statement of what was erased.
const StatementHead = "aifi-audit certificate of erasure 1"

// statement says what was erased, on whose word: lines of a name and a value, without
// personal data but for the names of those who asked, approved and erased.
func (x *erasing) statement() string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%s: "+format+"\n", append([]any{name}, args...)...)
	}
	when := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	fmt.Fprintln(&b, StatementHead)
	line("request", "%s", x.request.ID)
	by := "with an administrator's token"
	if x.request.ByCommand {
		by = "on the command line"
	}
	line("requested", "%s by %s, %s", when(x.request.RequestedAt), x.request.RequestedBy, by)
	line("ground", "%s", x.request.Reason)
	if x.decision.Decision == Unapproved {
		line("approved", "by nobody: %s went without a second person", x.decision.By)
	} else {
		line("approved", "%s by %s", when(x.decision.At), x.decision.By)
	}
	line("erased", "%s by %s", when(x.at), x.by)
	line("subject", "%x", x.request.Subject)
	r := x.result
	if whom := x.request.Whom(); !whom.None() {
		line("looked for by", "%s", whom.kinds())
		line("events with personal info that has one of them", "%d", r.Identified)
	}
	line("bodies of deliveries", "%d", r.Deliveries)
	line("of them found by reading all bodies", "%d", r.Mentions)
	if r.FirstAt != nil {
		line("received", "%s to %s", when(*r.FirstAt), when(*r.LastAt))
	}
	line("events whose customer was removed", "%d", r.Events)
	line("personal infos", "%d", r.PersonalInfos)
	line("sessions whose customer and metadata were removed", "%d", r.Sessions)
	line("customer records", "%d", r.Customers)
	line("comments of staff", "%d", r.Comments)
	line("refused webhooks", "%d", r.Refused)
	line("entries of the access log whose search was removed", "%d", r.AccessEntries)
	ids := make([]uuid.UUID, 0, len(x.erased))
	for id := range x.erased {
		ids = append(ids, id)
	}
	line("delivery ids", "sha256 %x", logrows.SumOfDeliveries(ids))
	line("kept", "store, session, times, flags, products and gondolas of the events, and the leaves of the log")
	return b.String()
}

// IsSubject reports whether a statement's subject is a customer, by the key that was
// given out when he was erased, and by all that he was looked for by.
func IsSubject(subject string, key []byte, whom Whom) bool {
	if len(key) != len(translog.Secret{}) {
		return false
	}
	sum, err := whom.subject(translog.Secret(key))
	return err == nil && subject == hex.EncodeToString(sum[:])
}

// Certificate is what shows that an erasure was carried out.
type Certificate struct {
	RequestID  uuid.UUID
	At         time.Time
	Statement  string
	Salt       translog.Salt // of the leaf's commitment to the statement
	Index      int64         // of the leaf
	Proof      tlog.RecordProof
	Checkpoint translog.Checkpoint
	Deliveries []ErasedDelivery // sorted by id
}

// ErasedDelivery is a delivery whose body was erased. A leaf that is not in the log is -1.
type ErasedDelivery struct {
	ID      uuid.UUID
	Leaf    int64 // of its receipt
	Erasure int64 // of its erasure
}

// ErrNotErased says that a request was not executed.
var ErrNotErased = errors.New("the erasure was not carried out")

// Certificate gives what shows that a request was executed: ErrNotErased if it was not,
// ErrUnsequenced if its leaves are not in the log yet, ErrTampered if what is kept of it
// is not what the log committed to.
func (s *Store) Certificate(ctx context.Context, scope Scope, id uuid.UUID) (Certificate, error) {
	e, err := s.Erasure(ctx, scope, id)
	if err != nil {
		return Certificate{}, err
	}
	if e.State != ErasureExecuted {
		return Certificate{}, ErrNotErased
	}
	c := Certificate{RequestID: id, At: *e.ExecutedAt, Statement: e.statement, Salt: e.statementSecret.Facts(), Index: -1}
	if c.Checkpoint, err = s.Checkpoint(ctx); err != nil {
		return c, err
	}
	found, err := s.reader().Locate(ctx, c.At, id)
	if err != nil {
		return c, knownLog(err)
	}
	for _, at := range found {
		if at.Kind == translog.Certificate && at.Index < c.Checkpoint.N {
			c.Index = at.Index
		}
	}
	if c.Index < 0 {
		return c, ErrUnsequenced
	}
	hash, proof, err := translog.NewReader(c.Checkpoint.Tree, s.reader().Tiles(ctx)).Leaf(c.Index)
	if err != nil {
		return c, knownLog(logrows.Damaged(err))
	}
	if logrows.CertificateLeaf(id, c.At, c.Statement, c.Salt).Hash() != hash {
		return c, fmt.Errorf("leaf %d, the statement of request %s: %w", c.Index, id, ErrTampered)
	}
	c.Proof = proof
	c.Deliveries, err = s.erasedDeliveries(ctx, id, c.At)
	if err == nil && !strings.Contains(c.Statement, hex.EncodeToString(sumOf(c.Deliveries))) {
		err = fmt.Errorf("the deliveries of request %s: %w", id, ErrTampered)
	}
	return c, knownLog(err)
}

func sumOf(deliveries []ErasedDelivery) []byte {
	ids := make([]uuid.UUID, len(deliveries))
	for i, d := range deliveries {
		ids[i] = d.ID
	}
	sum := logrows.SumOfDeliveries(ids)
	return sum[:]
}

// erasedDeliveries are the deliveries that a request erased, and where their leaves are.
func (s *Store) erasedDeliveries(ctx context.Context, request uuid.UUID, at time.Time) ([]ErasedDelivery, error) {
	rows, err := s.queries.ErasedDeliveries(ctx, s.reads, request)
	if err != nil {
		return nil, known(err)
	}
	deliveries := make([]ErasedDelivery, len(rows))
	place := make(map[uuid.UUID]*ErasedDelivery, len(rows))
	times := []time.Time{at}
	for i, r := range rows {
		deliveries[i] = ErasedDelivery{ID: r.DeliveryID, Leaf: -1, Erasure: -1}
		place[r.DeliveryID] = &deliveries[i]
		times = append(times, r.ReceivedAt)
	}
	for part := range slices.Chunk(times, logrows.TimesAtOnce) {
		leaves, err := s.queries.LeafRowsAtTimes(ctx, s.reads, part)
		if err != nil {
			return nil, known(err)
		}
		for _, row := range leaves {
			notePlaces(row, place)
		}
	}
	return deliveries, nil
}

// notePlaces notes where the leaves of a row are.
func notePlaces(row db.LeafRowsAtTimesRow, place map[uuid.UUID]*ErasedDelivery) {
	for i, l := range logrows.IDsOf(row.Ids) {
		d := place[l.ID()]
		if d == nil {
			continue
		}
		switch l.Kind() {
		case translog.Delivery:
			d.Leaf = row.FirstIndex + i
		case translog.Erasure:
			d.Erasure = row.FirstIndex + i
		}
	}
}

// SignText signs a text with the log's keys, as a C2SP note. ErrNoLog if this process
// has none.
func (s *Store) SignText(text string) ([]byte, error) {
	signer := s.sequencer.config.Signer
	if signer == nil {
		return nil, ErrNoLog
	}
	return signer.SignText(text)
}
