package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the machine may have none

	"aifi-audit/store/aifi"
	"aifi-audit/store/internal/db"
)

// ErrTimeZone says that a time zone is not one that both this program and the
// database know.
var ErrTimeZone = errors.New("not a time zone of the IANA database, such as Europe/London")

// TimeZone is that of stores which have none of their own.
func (s *Store) TimeZone() *time.Location { return s.zone }

// Zone is the time zone on whose clock a store's days are counted.
func (s *Store) Zone(shop Shop) *time.Location {
	if shop.TimeZone == nil {
		return s.zone
	}
	// Reading a zone costs more than a row. There are as many as IANA has names.
	if zone, ok := s.loadedZones.Load(*shop.TimeZone); ok {
		return zone.(*time.Location) //nolint:forcetypeassert // nothing else is stored
	}
	zone, err := time.LoadLocation(*shop.TimeZone)
	if err != nil {
		return s.zone
	}
	s.loadedZones.Store(*shop.TimeZone, zone)
	return zone
}

// SetTimeZone gives a store a time zone by its IANA name, or takes it away if name
// is nil. ErrNotFound if no such store was seen, ErrTimeZone if the name is not one.
func (s *Store) SetTimeZone(ctx context.Context, scope Scope, storeID int64, name *string) (Shop, error) {
	if !scope.Allows(storeID) {
		return Shop{}, ErrNotFound
	}
	if name != nil {
		if err := s.checkZone(ctx, *name); err != nil {
			return Shop{}, err
		}
	}
	shop, err := s.queries.SetTimeZone(ctx, s.office, db.SetTimeZoneParams{StoreID: storeID, TimeZone: name})
	s.replica.staffWrote()
	return shop, known(err)
}

// checkZone takes UTC and the names with a slash only. Some of the others, as CET,
// are abbreviations to PostgreSQL, without summer time. right/… has leap seconds.
func (s *Store) checkZone(ctx context.Context, name string) error {
	if name == "UTC" {
		return nil
	}
	area, _, found := strings.Cut(name, "/")
	if !found || slices.Contains([]string{"right", "posix"}, area) {
		return fmt.Errorf("%q is %w", aifi.CleanText(name), ErrTimeZone)
	}
	if _, err := time.LoadLocation(name); err != nil {
		return fmt.Errorf("%q is %w", aifi.CleanText(name), ErrTimeZone)
	}
	// sqlc does not know the system's view.
	var knows bool
	err := s.office.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_timezone_names WHERE name = $1)", name).Scan(&knows)
	if err != nil {
		return known(err)
	}
	if !knows {
		return fmt.Errorf("%q is %w", name, ErrTimeZone)
	}
	return nil
}
