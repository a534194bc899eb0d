package db

import (
	"context"
	"errors"
	"reflect"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The list statements are also run in two ways that sqlc does not know: row by row,
// since an export must not hold all of them, and to be counted. A nil row limit means
// all rows. Which arguments a statement takes in which order is known to its
// generated function only, so that is asked for them.

// StreamEvents is ListEvents, row by row.
func (q *Queries) StreamEvents(ctx context.Context, tx DBTX, a ListEventsParams, each func(ListEventsRow) error) error {
	return stream(ctx, tx, asked(ctx, a, q.ListEvents), each)
}

// StreamSessions is ListSessions, row by row.
func (q *Queries) StreamSessions(ctx context.Context, tx DBTX, a ListSessionsParams, each func(ListSessionsRow) error) error {
	return stream(ctx, tx, asked(ctx, a, q.ListSessions), each)
}

// StreamDeliveries is ListDeliveries, row by row.
func (q *Queries) StreamDeliveries(ctx context.Context, tx DBTX, a ListDeliveriesParams, each func(ListDeliveriesRow) error) error {
	return stream(ctx, tx, asked(ctx, a, q.ListDeliveries), each)
}

// StreamQuarantine is ListQuarantine, row by row.
func (q *Queries) StreamQuarantine(ctx context.Context, tx DBTX, a ListQuarantineParams, each func(Quarantine) error) error {
	return stream(ctx, tx, asked(ctx, a, q.ListQuarantine), each)
}

// StreamNotes is ListNotes, row by row.
func (q *Queries) StreamNotes(ctx context.Context, tx DBTX, a ListNotesParams, each func(ListNotesRow) error) error {
	return stream(ctx, tx, asked(ctx, a, q.ListNotes), each)
}

// StreamHolds is ListHolds, row by row.
func (q *Queries) StreamHolds(ctx context.Context, tx DBTX, a ListHoldsParams, each func(Hold) error) error {
	return stream(ctx, tx, asked(ctx, a, q.ListHolds), each)
}

// StreamRefused is ListRefused, row by row.
func (q *Queries) StreamRefused(ctx context.Context, tx DBTX, a ListRefusedParams, each func(ListRefusedRow) error) error {
	return stream(ctx, tx, asked(ctx, a, q.ListRefused), each)
}

// StreamAccess is ListAccess, row by row.
func (q *Queries) StreamAccess(ctx context.Context, tx DBTX, a ListAccessParams, each func(ListAccessRow) error) error {
	return stream(ctx, tx, asked(ctx, a, q.ListAccess), each)
}

// StreamDaySums is ListDaySums, row by row.
func (q *Queries) StreamDaySums(ctx context.Context, tx DBTX, a ListDaySumsParams, each func(ListDaySumsRow) error) error {
	return stream(ctx, tx, asked(ctx, a, q.ListDaySums), each)
}

// StreamEventDays is ListEventDays, row by row.
func (q *Queries) StreamEventDays(ctx context.Context, tx DBTX, a ListEventDaysParams, each func(ListEventDaysRow) error) error {
	return stream(ctx, tx, asked(ctx, a, q.ListEventDays), each)
}

// StreamPersonalInfos is PersonalInfos, row by row.
func (q *Queries) StreamPersonalInfos(ctx context.Context, tx DBTX, each func(EventPersonalInfo) error) error {
	var s statement
	_, _ = q.PersonalInfos(ctx, &s) // errNotRun
	return stream(ctx, tx, s, each)
}

// StreamMentioningRefused is MentioningRefused, row by row.
func (q *Queries) StreamMentioningRefused(ctx context.Context, tx DBTX, each func(MentioningRefusedRow) error) error {
	var s statement
	_, _ = q.MentioningRefused(ctx, &s) // errNotRun
	return stream(ctx, tx, s, each)
}

// StreamMentioningAccess is MentioningAccess, row by row.
func (q *Queries) StreamMentioningAccess(ctx context.Context, tx DBTX, needles []string, each func(AccessLog) error) error {
	return stream(ctx, tx, asked(ctx, needles, q.MentioningAccess), each)
}

// CountEventList counts the rows of ListEvents.
func (q *Queries) CountEventList(ctx context.Context, tx DBTX, a ListEventsParams) (int64, error) {
	return count(ctx, tx, asked(ctx, a, q.ListEvents))
}

// CountEventListByFacet counts the rows of ListEventsByFacet.
func (q *Queries) CountEventListByFacet(ctx context.Context, tx DBTX, a ListEventsByFacetParams) (int64, error) {
	return count(ctx, tx, asked(ctx, a, q.EventsByFacet))
}

// CountSessionList counts the rows of ListSessions.
func (q *Queries) CountSessionList(ctx context.Context, tx DBTX, a ListSessionsParams) (int64, error) {
	return count(ctx, tx, asked(ctx, a, q.ListSessions))
}

// CountSessionListByFacet counts the rows of ListSessionsByFacet.
func (q *Queries) CountSessionListByFacet(ctx context.Context, tx DBTX, a ListSessionsByFacetParams) (int64, error) {
	return count(ctx, tx, asked(ctx, a, q.SessionsByFacet))
}

// CountQuarantineList counts the rows of ListQuarantine.
func (q *Queries) CountQuarantineList(ctx context.Context, tx DBTX, a ListQuarantineParams) (int64, error) {
	return count(ctx, tx, asked(ctx, a, q.ListQuarantine))
}

// CountAccessList counts the rows of ListAccess.
func (q *Queries) CountAccessList(ctx context.Context, tx DBTX, a ListAccessParams) (int64, error) {
	return count(ctx, tx, asked(ctx, a, q.ListAccess))
}

// statement is what a generated function would run.
type statement struct {
	sql  string
	args []any
}

var errNotRun = errors.New("db: a statement that is only asked for is not run")

// asked gives the statement of a generated function for its parameters.
func asked[P, R any](ctx context.Context, params P, list func(context.Context, DBTX, P) ([]R, error)) statement {
	var s statement
	_, _ = list(ctx, &s, params) // errNotRun
	return s
}

// Query notes the statement.
func (s *statement) Query(_ context.Context, sql string, args ...any) (pgx.Rows, error) {
	s.sql, s.args = sql, args
	return nil, errNotRun
}

// Exec is not for lists.
func (*statement) Exec(context.Context, string, ...any) (pgconn.CommandTag, error) {
	return pgconn.CommandTag{}, errNotRun
}

// QueryRow is not for lists.
func (*statement) QueryRow(context.Context, string, ...any) pgx.Row { return noRow{} }

func count(ctx context.Context, tx DBTX, s statement) (int64, error) {
	var n int64
	err := tx.QueryRow(ctx, "SELECT count(*) FROM ("+s.sql+"\n) AS list", s.args...).Scan(&n)
	return n, err
}

func stream[T any](ctx context.Context, tx DBTX, s statement, each func(T) error) error {
	rows, err := tx.Query(ctx, s.sql, s.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	// All rows are read into one, field by field in the order of the columns.
	var row T
	fields := reflect.ValueOf(&row).Elem()
	targets := make([]any, fields.NumField())
	for i := range targets {
		targets[i] = fields.Field(i).Addr().Interface()
	}
	scanner := newRowScanner(rows.FieldDescriptions(), targets)
	for rows.Next() {
		if err := scanner.scan(rows); err != nil {
			return err
		}
		if err := each(row); err != nil {
			return err
		}
	}
	return rows.Err()
}
