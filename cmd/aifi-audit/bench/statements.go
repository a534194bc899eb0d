package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"aifi-audit/store/pgprivate"
)

const statementStatistics = "pg_stat_statements"

// startPrivate starts the private PostgreSQL, anew if it runs, and connects to it.
func (p *postgres) startPrivate(ctx context.Context, c Config, preload string) (err error) {
	if p.admin != nil {
		_ = p.admin.Close(ctx)
	}
	if p.private != nil {
		if err := p.private.Close(ctx); err != nil {
			return err
		}
	}
	p.private, err = pgprivate.Start(ctx, pgprivate.Options{DataDir: filepath.Join(p.dir, "data"), Settings: map[string]string{
		"max_connections": strconv.Itoa(2*c.Connections + spareConnections), "shared_preload_libraries": preload,
	}})
	if err != nil {
		return fmt.Errorf("starting a private PostgreSQL: %w", err)
	}
	p.url = p.private.URL()
	return p.connect(ctx)
}

func (p *postgres) connect(ctx context.Context) (err error) {
	if p.admin, err = pgx.Connect(ctx, p.url); err != nil {
		return fmt.Errorf("connecting to PostgreSQL: %w", err)
	}
	p.clock = newCPUClock(p.admin.Config(), p.admin.PgConn().PID())
	return nil
}

// watchStatements has PostgreSQL count what statements touch, if it can. A private one is
// started anew for it: where rates are measured, nothing counts beside.
func (p *postgres) watchStatements(ctx context.Context, c Config) error {
	var available bool
	var preloaded string
	err := p.admin.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = $1), current_setting('shared_preload_libraries')",
		statementStatistics).Scan(&available, &preloaded)
	if err != nil || !available {
		return err
	}
	if p.private != nil {
		if err := p.startPrivate(ctx, c, statementStatistics); err != nil {
			return err
		}
	} else if !strings.Contains(preloaded, statementStatistics) {
		return nil
	}
	// Who may not make it goes without.
	_, err = p.admin.Exec(ctx, "CREATE EXTENSION IF NOT EXISTS "+statementStatistics)
	p.watching = err == nil
	return nil
}

// touched is how many buffers the statements of a database have touched until now: those
// of requests, but for the entry in the access log and the work of the transparency log.
func (p *postgres) touched(ctx context.Context, database string) (buffers int64, err error) {
	err = p.admin.QueryRow(ctx, `SELECT coalesce(sum(shared_blks_hit + shared_blks_read), 0)::bigint FROM pg_stat_statements s
		JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = $1 AND query !~ '(INTO|UPDATE|FROM) (access_log|log_|tokens|delivery_counts|refused)'`,
		database).Scan(&buffers)
	return buffers, err
}
