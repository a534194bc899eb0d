package store

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"

	"aifi-audit/store/aifi"
	"aifi-audit/store/internal/db"
	"aifi-audit/store/logrows"
	"aifi-audit/store/translog"
)

// erasedText stands where a person was named.
const erasedText = "[erased]"

// redacted is an entry of the access log without the person, and whether it named him:
// as a customer in the path, or in the query or the detail. All else that it could name
// somebody by is left out with him: an entry is erased once, and its leaf could not
// follow a second time.
func (p *Person) redacted(e db.AccessLog) (db.AccessLog, bool) {
	named := p.inQuery(e.Query) || p.mentioned(e.Detail) || strings.HasPrefix(e.Detail, "{") && p.identity.Mentions([]byte(e.Detail))
	parts := strings.Split(e.Path, "/")
	for i, part := range parts {
		text, err := url.PathUnescape(part)
		if err != nil {
			text = part
		}
		customer := i > 0 && parts[i-1] == "customers"
		his := p.mentioned(text) || customer && slices.Contains(p.identity.IDs, text)
		if his || customer {
			parts[i] = erasedText
		}
		named = named || his
	}
	if !named {
		return e, false
	}
	e.Path = strings.Join(parts, "/")
	for _, text := range []*string{&e.Query, &e.Detail} {
		if *text != "" {
			*text = erasedText
		}
	}
	return e, true
}

// mentioned reports whether a text has an identifier that tells the person apart.
func (p *Person) mentioned(text string) bool {
	telling := aifi.Identity{Other: aifi.Telling(slices.Concat(p.identity.IDs, p.identity.Other))}
	return telling.Mentions([]byte(text))
}

// inQuery reports whether a query names the person. One that is cut off, or no query
// at all, is read as far as it goes.
func (p *Person) inQuery(query string) bool {
	values, _ := url.ParseQuery(query)
	for name, all := range values {
		for _, value := range all {
			if p.mentioned(value) || p.mentioned(name) || strings.Contains(strings.ToLower(name), "customer") && slices.Contains(p.identity.IDs, value) {
				return true
			}
		}
	}
	return p.mentioned(query)
}

// accessEntries takes the person out of the access log. A leaf of each entry commits
// to what it says now.
func (x *erasing) accessEntries(ctx context.Context, p *Person) error {
	left := db.InsertAccessErasuresParams{ErasedAt: x.at, RequestID: x.request.ID}
	var change db.EraseAccessParams
	var early []uuid.UUID
	for _, entry := range p.entries {
		e, _ := p.redacted(entry)
		change.ID, change.Path = append(change.ID, e.ID), append(change.Path, e.Path)
		change.Query, change.Detail = append(change.Query, e.Query), append(change.Detail, e.Detail)
		if e.EntryID == nil {
			early = append(early, logrows.NumberedID(e.ID))
		}
		if e.EntryID == nil || len(e.Secret) != len(translog.Secret{}) {
			continue
		}
		before, after := accessRow(entry), accessRow(e)
		commitment := logrows.AccessLeaf(&before, translog.Secret(e.Secret)).Facts
		secret, err := translog.NewSecret(x.random)
		if err != nil {
			return err
		}
		after.ErasedAt, after.FactsCommitment, after.ErasureSecret, after.RequestID = &x.at, commitment[:], secret[:], &x.request.ID
		left.EntryID, left.FactsCommitment = append(left.EntryID, *e.EntryID), append(left.FactsCommitment, commitment[:])
		left.Secret, left.Leaves = append(left.Secret, secret[:]), append(left.Leaves, logrows.AccessErasureLeaf(&after).Append(nil))
	}
	x.result.AccessEntries = int64(len(p.entries))
	if err := x.queries.InsertAccessErasures(ctx, x.tx, left); err != nil {
		return fmt.Errorf("writing what erasures of the access log leave: %w", err)
	}
	err := x.eraseOf(ctx, translog.EarlyAccess, early, func() error { return x.queries.EraseAccess(ctx, x.tx, change) })
	if err != nil {
		return fmt.Errorf("erasing entries of the access log: %w", err)
	}
	return nil
}

func accessRow(e db.AccessLog) db.AccessEvidenceRow {
	return db.AccessEvidenceRow{
		At: e.At, TokenID: e.TokenID, Action: e.Action, Path: e.Path, Query: e.Query, RemoteAddr: e.RemoteAddr, EntryID: e.EntryID,
		Secret: e.Secret, Status: e.Status, Rows: e.Rows, Detail: e.Detail,
	}
}
