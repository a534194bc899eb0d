package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"aifi-audit/store/aifi"
	"aifi-audit/store/internal/db"
	"aifi-audit/store/logrows"
	"aifi-audit/store/translog"
)

// Identifiers are what a person gave of himself.
type Identifiers = aifi.Identifiers

// Whom says whom something is about: AiFi's id of the customer, what he gave of himself,
// or both.
type Whom struct {
	CustomerID string // "" if it is not known
	Identifiers
}

const (
	maxIdentifiers = 20 // of each kind
	minPhoneDigits = 6
)

// Nobody reports whether it says nothing.
func (w Whom) Nobody() bool { return w.CustomerID == "" && w.None() }

// Check says what is wrong with it, as an *InputError.
func (w Whom) Check() error {
	normal := w.Normal()
	switch {
	case w.Nobody():
		return &InputError{"customerId", "It must be AiFi's id of the customer, unless an e-mail address, a phone number or a name is given."}
	case !fitsID(w.CustomerID):
		return &InputError{"customerId", "It must be UTF-8 without NUL, of at most 512 bytes."}
	}
	for _, kind := range []struct {
		field         string
		given, normal []string
		good          func(string) bool
		detail        string
	}{
		{"emails", w.Emails, normal.Emails, func(s string) bool { return len(s) >= 3 && slices.Contains([]byte(s), '@') }, "It must be an e-mail address, of at most 512 bytes."},
		{"phones", w.Phones, normal.Phones, func(s string) bool { return len(s) >= minPhoneDigits }, "It must be a phone number of at least 6 digits, and of at most 512 bytes."},
		{"names", w.Names, normal.Names, func(s string) bool { return len(s) > 1 }, "It must be a first and a last name, of at most 512 bytes."},
	} {
		if len(kind.given) > maxIdentifiers {
			return &InputError{kind.field, fmt.Sprintf("There may be %d.", maxIdentifiers)}
		}
		for _, s := range kind.normal {
			if !kind.good(s) {
				return &InputError{kind.field, kind.detail}
			}
		}
		if !slices.ContainsFunc(kind.given, func(s string) bool { return !fitsID(s) }) {
			continue
		}
		return &InputError{kind.field, kind.detail}
	}
	return nil
}

func fitsID(s string) bool { return len(s) <= maxCustomerID && aifi.CleanText(s) == s }

// subject commits to whom a request is about: nobody can guess it without the secret.
func (w Whom) subject(secret translog.Secret) (translog.Commitment, error) {
	return logrows.SubjectOf(secret, w.CustomerID, w.Identifiers)
}

// whomOf is whom a row of erasure_subjects says.
func whomOf(customerID *string, identifiers []byte) (w Whom, err error) {
	w.CustomerID = db.OrEmpty(customerID)
	if identifiers != nil {
		err = json.Unmarshal(identifiers, &w.Identifiers)
	}
	return w, err
}

// kinds says by what he is looked for, without personal data.
func (w Whom) kinds() string {
	var kinds []string
	if w.CustomerID != "" {
		kinds = append(kinds, "customer id")
	}
	for _, k := range []struct {
		n    int
		name string
	}{{len(w.Emails), "e-mail addresses"}, {len(w.Phones), "phone numbers"}, {len(w.Names), "names"}} {
		if k.n > 0 {
			kinds = append(kinds, fmt.Sprintf("%d %s", k.n, k.name))
		}
	}
	return strings.Join(kinds, ", ")
}

// identified finds the events whose personal info has one of his identifiers, for which
// it reads all personal infos, and their sessions, unless those name another customer.
func (s *Store) identified(ctx context.Context, conn db.DBTX, p *Person) error {
	var keys eventKeys
	of := p.Normal()
	err := s.queries.StreamPersonalInfos(ctx, conn, func(r db.EventPersonalInfo) error {
		info := aifi.PersonalInfo{
			Email: db.OrEmpty(r.Email), FirstName: db.OrEmpty(r.FirstName), LastName: db.OrEmpty(r.LastName), Phone: db.OrEmpty(r.Phone), PhoneNumber: db.OrEmpty(r.PhoneNumber),
		}
		if of.AreOf(info) {
			keys.StoreIds, keys.Kinds = append(keys.StoreIds, r.StoreID), append(keys.Kinds, r.Kind)
			keys.Times, keys.Ids = append(keys.Times, r.OccurredAt), append(keys.Ids, r.EventID)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading personal infos: %w", err)
	}
	rows, err := s.queries.EventsByKeys(ctx, conn, db.EventsByKeysParams(keys))
	if err != nil {
		return fmt.Errorf("finding events by personal info: %w", err)
	}
	for _, r := range rows {
		p.events = append(p.events, db.PersonEventsRow{StoreID: r.StoreID, Kind: r.Kind, OccurredAt: r.OccurredAt, ID: r.ID, ReceivedAt: r.ReceivedAt, DeliveryID: r.DeliveryID})
		if other := db.OrEmpty(r.CustomerID); other != "" && other != p.CustomerID && !slices.Contains(p.Others, other) {
			p.Others = append(p.Others, other)
		}
	}
	slices.Sort(p.Others)
	p.identifiedEvents = int64(len(p.events))
	sessions, err := s.queries.SessionsOfEvents(ctx, conn, db.SessionsOfEventsParams{CustomerID: p.CustomerID, StoreIds: keys.StoreIds, Kinds: keys.Kinds, Times: keys.Times, Ids: keys.Ids})
	if err != nil {
		return fmt.Errorf("finding sessions by personal info: %w", err)
	}
	for _, k := range sessions {
		p.sessions = append(p.sessions, db.PersonSessionsRow(k))
	}
	return nil
}
