package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"aifi-audit/store/aifi"
	"aifi-audit/store/internal/db"
	"aifi-audit/store/translog"
)

const (
	// actsVersion is the version of the schema since which acts have leaves.
	actsVersion = 21
	adoptBatch  = 1000
	// adoptLock is the advisory lock of who adopts: "AiFA" in ASCII.
	adoptLock = 0x41694641
)

var errNotConfirmed = errors.New("it is not confirmed")

// AdoptActs queues a leaf for each act of staff that has none, since it was written before
// acts had any, or past this program. The leaf says that it was adopted, and when: of the
// time before, the log says nothing. It returns how many there were of each kind; unless
// it is confirmed, that is all.
func (s *Store) AdoptActs(ctx context.Context, by Actor, reason string, confirmed bool) (adopted map[string]int, err error) {
	reason = strings.TrimSpace(aifi.CleanText(reason))
	if err := checkReason(reason); err != nil {
		return nil, err
	}
	err = pgx.BeginFunc(ctx, s.office, func(tx pgx.Tx) error {
		adopted, err = s.acts().adopt(ctx, tx, s.now().UTC().Truncate(time.Microsecond))
		if err != nil || len(adopted) == 0 {
			return err
		}
		if !confirmed {
			return errNotConfirmed
		}
		return s.logAct(ctx, tx, by, adoptionRecord{adopted, aifi.CleanText(by.Name), reason})
	})
	if errors.Is(err, errNotConfirmed) {
		err = nil
	}
	return adopted, known(err)
}

// adoptionRecord is what the access log says of acts that are adopted.
type adoptionRecord struct {
	Adopted map[string]int `json:"adopted"` // by kind
	By      string         `json:"by"`
	Reason  string         `json:"reason"`
}

// adoptOnce adopts what was there before acts had leaves.
func adoptOnce(ctx context.Context, databaseURL string) error {
	conn, err := connectTo(ctx, databaseURL)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		_, err := actLog{db.New(), rand.Reader}.adopt(ctx, tx, time.Now().UTC().Truncate(time.Microsecond))
		return err
	})
}

func (a actLog) adopt(ctx context.Context, tx pgx.Tx, at time.Time) (adopted map[string]int, err error) {
	if err := a.queries.LockInTransaction(ctx, tx, adoptLock); err != nil {
		return nil, err
	}
	adopted = map[string]int{}
	for _, kind := range translog.Acts {
		for {
			ids, err := a.queries.UnloggedActs(ctx, tx, db.UnloggedActsParams{Kind: kind.String(), RowLimit: adoptBatch})
			if err != nil {
				return nil, fmt.Errorf("looking for acts of kind %s: %w", kind, err)
			}
			if len(ids) == 0 {
				break
			}
			if err := a.write(ctx, tx, kind, ids, at); err != nil {
				return nil, err
			}
			adopted[kind.String()] += len(ids)
		}
	}
	return adopted, nil
}
