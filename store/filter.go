package store

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Scope is the stores that somebody may see. The zero Scope is all of them.
type Scope struct {
	limited bool
	stores  []int64
}

// OnlyStores is the Scope of a token that is limited to some stores.
func OnlyStores(ids []int64) Scope { return Scope{limited: true, stores: ids} }

// Allows reports whether the store lies within the scope.
func (s Scope) Allows(storeID int64) bool { return !s.limited || slices.Contains(s.stores, storeID) }

// Stores are the stores that it is limited to, nil meaning all.
func (s Scope) Stores() []int64 {
	if !s.limited {
		return nil
	}
	return append([]int64{}, s.stores...)
}

// restrict is the one place where scopes are enforced: it gives the stores that a
// query may read, nil meaning all. ask nil asks for all.
func (s Scope) restrict(ask []int64) []int64 {
	if !s.limited {
		return ask
	}
	seen := make([]int64, 0, len(s.stores)) // never nil: nil would mean all
	for _, id := range s.stores {
		if ask == nil || slices.Contains(ask, id) {
			seen = append(seen, id)
		}
	}
	return seen
}

// Filter narrows a list. A nil field does not; several values mean any of them.
// Lists ignore the fields that they do not have; times are half-open.
type Filter struct {
	StoreIDs         []int64
	StoreExternalIDs []string
	SessionIDs       []string
	CustomerIDs      []string
	ProductIDs       []string
	GondolaIDs       []string
	Flags            []string
	Webhooks         []string
	Dispositions     []Disposition // Unmarked: without any
	Kinds            []Kind        // of notes
	DeliveryIDs      []uuid.UUID   // of notes: on the events that these state; of the access log: about these
	EventIDs         []uuid.UUID   // of notes: on these events, by Event.ID
	Replayed         *bool         // of quarantine, and of what was refused
	Lifted           *bool         // of legal holds
	Tokens, Actions  []string      // of the access log; tokens by name
	Denied           *bool         // of the access log: what was denied, or what was not
	Counts           *bool         // of the access log: counts of what is new, or all but these
	From, To         *time.Time
	OldestFirst      bool // turns an export round; pages have Page.OldestFirst

	TokenFingerprints []string // of what was refused
}

// Position is a place in a list: that of the last item seen. Lists use the parts
// that order them.
type Position struct {
	Time    time.Time
	StoreID int64
	ID      string
}

// uuid is the id of a position whose items are named by UUIDs.
func (p *Position) uuid() (*uuid.UUID, error) {
	id, err := uuid.Parse(p.ID)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPosition, err)
	}
	return &id, nil
}

// Page asks for up to Limit items of a list: its first ones, or those that follow
// After, or those right before Before. Items come in the order of the list whichever
// way is walked; the Position that comes with them is where the same way goes on, nil
// at its end. Stores, notes and timelines know only After.
type Page struct {
	Limit       int
	After       *Position
	Before      *Position // not together with After
	OldestFirst bool      // turns the list round
}

// ascending reports whether the rows are to be read from old to new.
func (p Page) ascending() bool { return p.OldestFirst != (p.Before != nil) }

// bounds are the position that rows must be older than, or newer than.
func (p Page) bounds() (older, newer *Position) {
	at := p.After
	if p.Before != nil {
		at = p.Before
	}
	if p.ascending() {
		return nil, at
	}
	return at, nil
}

// stores gives the stores that a query may read, nil meaning all.
func (s *Store) stores(ctx context.Context, scope Scope, f Filter) ([]int64, error) {
	ask := f.StoreIDs
	if f.StoreExternalIDs != nil {
		ids, err := read(ctx, s, s.queries.StoreIDsOfExternalIDs, f.StoreExternalIDs)
		if err != nil {
			return nil, known(err)
		}
		ask = make([]int64, 0, len(ids))
		for _, id := range ids {
			if f.StoreIDs == nil || slices.Contains(f.StoreIDs, id) {
				ask = append(ask, id)
			}
		}
	}
	return scope.restrict(ask), nil
}

// orAllStores gives the stores whose ordered rows a list merges: those asked for,
// or else all that were ever seen, and the unknown one.
func (s *Store) orAllStores(ctx context.Context, ask []int64) ([]int64, error) {
	if ask == nil {
		all, err := s.queries.AllStoreIDs(ctx, s.reads)
		if err != nil {
			return nil, err
		}
		ask = append(all, 0)
	}
	return distinctOf(ask), nil
}

func distinctOf[T ~int64 | ~string](list []T) []T {
	return slices.Compact(slices.Sorted(slices.Values(list)))
}

// paged cuts the one row too many that was asked for, says where to go on, and puts
// the rows into the order of the list.
func paged[T any](items []T, p Page, at func(T) Position) ([]T, *Position) {
	var onward *Position
	if len(items) > p.Limit {
		items = items[:p.Limit]
		last := at(items[p.Limit-1])
		onward = &last
	}
	if p.Before != nil {
		slices.Reverse(items)
	}
	return items, onward
}

// atMost is the limit of a count; none counts all.
func atMost(p Page) int64 {
	if p.Limit == 0 {
		return math.MaxInt64
	}
	return int64(p.Limit)
}

func oneMore(p Page) *int64 {
	n := int64(p.Limit) + 1
	return &n
}
