package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// steady are the settings that all work needs, whatever the server, the database or the
// role was set to. PostgreSQL has transaction_timeout from version 17 on.
var steady = map[string]string{
	"timezone": "UTC",
	// What waits for a lock must see what was written meanwhile: a month is not retired
	// over a hold that was placed in that moment.
	"default_transaction_isolation": "read committed",
	// A verification keeps its snapshot while others read, and an erasure its locks, for as
	// long as it takes; so do migrations, exports and retirements. What is forgotten ends
	// with the program, and what somebody waits for has a limit of its own.
	"idle_in_transaction_session_timeout": "0",
	"statement_timeout":                   "0",
	"lock_timeout":                        "0",
	"transaction_timeout":                 "0",
}

// settle has each connection begin with the steady settings and with its own, which win.
// They are set once it is there: as parameters of its start poolers refuse them, or leave
// them out in silence.
func settle(config *pgx.ConnConfig, own map[string]string) {
	wanted := maps.Clone(steady)
	maps.Copy(wanted, own)
	if name, ok := wanted["application_name"]; ok { // poolers know this one
		config.RuntimeParams["application_name"] = name
		delete(wanted, "application_name")
	}
	var rows []string
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		// What the URL says would count if it came with the start only.
		delete(config.RuntimeParams, name)
		rows = append(rows, fmt.Sprintf("('%s', '%s')", name, wanted[name]))
	}
	set := "SET statement_timeout = 0; SELECT set_config(s.name, wanted.value, false) FROM (VALUES " + strings.Join(rows, ", ") + ") wanted (name, value) JOIN pg_settings s ON lower(s.name) = wanted.name"
	// A commit lasts before it is answered, and before a checkpoint of it leaves the house.
	// Settings that promise more than that stay. It is set although it may be so already,
	// since that could change while the connection lasts.
	set += "; SELECT set_config('synchronous_commit', CASE s WHEN 'off' THEN 'on' ELSE s END, false) FROM current_setting('synchronous_commit') s"
	config.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error { return conn.Exec(ctx, set).Close() }
}

// connectTo makes a connection outside of the pools.
func connectTo(ctx context.Context, databaseURL string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		return nil, fmt.Errorf("reading the database URL: %w", err)
	}
	settle(config, map[string]string{"application_name": "aifi-audit"})
	return pgx.ConnectConfig(ctx, config)
}
