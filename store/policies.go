package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"aifi-audit/store/aifi"
	"aifi-audit/store/internal/db"
	"aifi-audit/store/logrows"
	"aifi-audit/store/translog"
)

// RetentionPolicy says for how long deliveries are kept. Of those that fit a delivery
// the most particular counts: of its store and webhook, of its store, of its webhook, of
// all. Policies are never changed: the newest of a store and webhook counts.
type RetentionPolicy struct {
	ID        int64
	At        time.Time // when it was set
	SetBy     string
	StoreID   *int64  // nil: of all stores
	Webhook   *string // nil: all webhooks
	Months    *int32  // calendar months after that of receipt; nil: for ever
	Withdrawn bool    // what is more general counts again
}

// NewPolicy is a policy to be set.
type NewPolicy struct {
	StoreID   *int64
	Webhook   string // "": all
	Months    *int32 // nil: for ever
	Withdrawn bool   // with no Months
}

// MaxMonths is the longest that a policy can say beside for ever.
const MaxMonths = 1200

// RetentionPause is how long a policy has been set, and a hold has been lifted, before
// retention goes by it. Until then the longer of the policies counts.
const RetentionPause = 7 * 24 * time.Hour

func (n NewPolicy) check(documented []string) error {
	switch {
	case n.Webhook != "" && !slices.Contains(documented, n.Webhook):
		return &InputError{"webhook", "It must be one that AiFi documents: " + strings.Join(documented, ", ") + "."}
	case n.Months != nil && (*n.Months < 1 || *n.Months > MaxMonths):
		return &InputError{"months", fmt.Sprintf("It must be from 1 to %d, or null, which is for ever.", MaxMonths)}
	case n.Months != nil && n.Withdrawn:
		return &InputError{"withdrawn", "A policy that is withdrawn has no months."}
	}
	return nil
}

// SetRetention sets a policy, of which nothing comes for a RetentionPause. ErrNotFound
// if the actor sees some stores only, or an *InputError.
func (s *Store) SetRetention(ctx context.Context, by Actor, n NewPolicy) (RetentionPolicy, error) {
	if err := n.check(documentedWebhooks()); err != nil {
		return RetentionPolicy{}, err
	}
	if by.Scope.limited {
		return RetentionPolicy{}, ErrNotFound
	}
	p := RetentionPolicy{SetBy: aifi.CleanText(by.Name), StoreID: n.StoreID, Webhook: orNil(n.Webhook), Months: n.Months, Withdrawn: n.Withdrawn}
	err := pgx.BeginFunc(ctx, s.office, func(tx pgx.Tx) error {
		set, err := s.queries.SetRetention(ctx, tx, db.SetRetentionParams{
			SetBy: p.SetBy, TokenID: by.Access.TokenID, StoreID: p.StoreID, Webhook: p.Webhook, Months: p.Months, Withdrawn: p.Withdrawn,
		})
		if err != nil {
			return err
		}
		p.ID, p.At = set.ID, set.At
		if err := s.acts().add(ctx, tx, translog.Policy, logrows.NumberedID(p.ID)); err != nil {
			return err
		}
		return s.logAct(ctx, tx, by, policyRecord{Policy: p.ID, By: p.SetBy, StoreID: p.StoreID, Webhook: p.Webhook, Months: p.Months, Withdrawn: p.Withdrawn})
	})
	return p, known(err)
}

// policyRecord is what the access log says of a policy that is set.
type policyRecord struct {
	Policy    int64   `json:"policy"`
	By        string  `json:"by"`
	StoreID   *int64  `json:"storeId,omitempty"`
	Webhook   *string `json:"webhook,omitempty"`
	Months    *int32  `json:"months"`
	Withdrawn bool    `json:"withdrawn,omitempty"`
}

// RetentionPolicies are all policies that were ever set for the stores of a scope, or for
// all stores, the newest first.
func (s *Store) RetentionPolicies(ctx context.Context, scope Scope) ([]RetentionPolicy, error) {
	rows, err := s.queries.ListRetention(ctx, s.reads)
	if err != nil {
		return nil, known(err)
	}
	var policies []RetentionPolicy
	for _, r := range rows {
		if r.StoreID == nil || scope.Allows(*r.StoreID) {
			policies = append(policies, RetentionPolicy(r))
		}
	}
	return policies, nil
}

// CurrentPolicies are those of some policies, given the newest first, that are the newest
// of their store and webhook and were not withdrawn: the most general first.
func CurrentPolicies(policies []RetentionPolicy) []RetentionPolicy {
	type key struct {
		storeID int64
		webhook string
		any     bool
	}
	seen := map[key]bool{}
	var current []RetentionPolicy
	for _, p := range policies {
		k := key{db.OrZero(p.StoreID), db.OrEmpty(p.Webhook), p.StoreID == nil}
		if !seen[k] && !p.Withdrawn {
			current = append(current, p)
		}
		seen[k] = true
	}
	slices.SortStableFunc(current, func(a, b RetentionPolicy) int { return particular(a) - particular(b) })
	return current
}

// particular orders policies: the higher one counts.
func particular(p RetentionPolicy) int {
	n := 0
	if p.Webhook != nil {
		n++
	}
	if p.StoreID != nil {
		n += 2
	}
	return n
}
