package httpapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"aifi-audit/store"
)

// Exports are the lists that Export can write.
var Exports = []string{"alcohol-interactions", "fraud-alerts", "registrations", "sessions", "notes"}

// Export writes a list as CSV, exactly as /api/v1/<list>.csv?<query> answers to a
// token that sees all stores. After each row it calls row.
func Export(ctx context.Context, s *store.Store, name string, query url.Values, out io.Writer, row func()) error {
	switch name {
	case "alcohol-interactions":
		return export(ctx, events(s, store.AlcoholInteraction), query, out, row)
	case "fraud-alerts":
		return export(ctx, events(s, store.FraudAlert), query, out, row)
	case "registrations":
		return export(ctx, events(s, store.Registration), query, out, row)
	case "sessions":
		return export(ctx, sessions(s), query, out, row)
	case "notes":
		return export(ctx, notes(s), query, out, row)
	}
	return fmt.Errorf("there is no list %q; there are %q", name, Exports)
}

func export[T any](ctx context.Context, l list[T], query url.Values, out io.Writer, row func()) error {
	p, f, err := l.asked(&http.Request{URL: &url.URL{RawQuery: query.Encode()}}, "raw")
	if err != nil {
		return err
	}
	raw, err := p.boolean("raw")
	if err != nil {
		return err
	}
	enc := NewCSV(out, l.columns, raw != nil && *raw)
	err = l.export(ctx, store.Scope{}, f, func(item T) error {
		row()
		return enc.Write(item)
	})
	if err != nil {
		return err
	}
	return enc.Flush()
}
