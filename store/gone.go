package store

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"aifi-audit/store/internal/db"
)

// ErrRetired says that a delivery was removed, since the time for which it was to be
// kept was over.
var ErrRetired = errors.New("it was removed when the time for which it was to be kept was over")

// Retired gives, of some deliveries, those that are gone since their time was over, as
// the log says. An id that no delivery ever had, of a month that went whole, counts as
// one: nobody can tell any more without reading the log.
func (s *Store) Retired(ctx context.Context, ids []uuid.UUID) ([]uuid.UUID, error) {
	args := db.RetiredOfParams{DeliveryID: ids}
	for _, id := range ids {
		args.ReceivedAt = append(args.ReceivedAt, ReceivedAt(id))
	}
	gone, err := s.queries.RetiredOf(ctx, s.reads, args)
	return gone, known(err)
}

// orRetired is ErrRetired in place of an ErrNotFound where that is why. Whose scope is
// limited is not told: of which store the delivery was is not known any more.
func (s *Store) orRetired(ctx context.Context, scope Scope, id uuid.UUID, err error) error {
	if !errors.Is(err, ErrNotFound) || scope.limited {
		return err
	}
	gone, goneErr := s.Retired(ctx, []uuid.UUID{id})
	switch {
	case goneErr != nil:
		return goneErr
	case len(gone) > 0:
		return ErrRetired
	}
	return err
}
