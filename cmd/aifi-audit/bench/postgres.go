package bench

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"aifi-audit/store"
	"aifi-audit/store/pgprivate"
	"aifi-audit/store/translog"
)

const (
	stopTimeout      = time.Minute
	spareConnections = 50 // beside those of the senders
	namePrefix       = "aifi_audit_bench_"
)

// postgres is the server that all is measured on, with the databases of this run.
type postgres struct {
	dir      string            // of all files of the run
	private  *pgprivate.Server // nil: it is somebody else's
	url      string            // of a database of the server, which is only connected to
	admin    *pgx.Conn
	prefix   string // of the run's databases
	made     int
	template string // what the run's databases are copies of
	clock    cpuClock
	watching bool // it counts what statements touch
	tokens   tokens
	logKey   string
}

// tokens are in each of the databases.
type tokens struct{ ingest, read, export string }

func openPostgres(ctx context.Context, c Config) (*postgres, error) {
	dir, err := os.MkdirTemp(c.Dir, "aifi-audit-bench-")
	if err != nil {
		return nil, err
	}
	var unique [4]byte
	_, _ = rand.Read(unique[:]) // which never fails
	p := &postgres{dir: dir, url: c.DatabaseURL, prefix: namePrefix + hex.EncodeToString(unique[:]) + "_"}
	if err := p.open(ctx, c); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *postgres) open(ctx context.Context, c Config) error {
	// As root, the private PostgreSQL runs as another user, who must pass through.
	if err := os.Chmod(p.dir, 0o711); err != nil { //nolint:gosec // passable, not readable
		return err
	}
	if p.url == "" {
		if err := p.startPrivate(ctx, c, ""); err != nil {
			return err
		}
	} else {
		if u, err := url.Parse(p.url); err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
			return errors.New("the database URL must begin with postgres://")
		}
		if err := p.connect(ctx); err != nil {
			return err
		}
		if err := p.check(ctx, c); err != nil {
			return err
		}
	}
	return p.makeTemplate(ctx, c)
}

// check refuses a server that is in use, or cannot be used.
func (p *postgres) check(ctx context.Context, c Config) error {
	var inUse, may bool
	var room int
	err := p.admin.QueryRow(ctx, `SELECT to_regclass('deliveries') IS NOT NULL,
		(SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user),
		current_setting('max_connections')::int - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')`).Scan(&inUse, &may, &room)
	if err == nil && inUse {
		err = p.admin.QueryRow(ctx, "SELECT EXISTS (SELECT FROM deliveries)").Scan(&inUse)
	}
	switch {
	case err != nil:
		return err
	case inUse:
		return errors.New("the database holds deliveries: a benchmark would slow those who work with it. Name an empty database of a server that has nothing else to do")
	case !may:
		return errors.New("the role may not make databases, and the benchmark works in its own: ALTER ROLE ... CREATEDB")
	case room < c.Connections+spareConnections:
		return fmt.Errorf("PostgreSQL has room for %d more connections, and %d are needed: set max_connections higher, or --connections lower", room, c.Connections+spareConnections)
	}
	return nil
}

// makeTemplate makes the database that the others are copies of, with its tokens and
// partitions, and the log's key.
func (p *postgres) makeTemplate(ctx context.Context, c Config) (err error) {
	if p.template, err = p.create(ctx, ""); err != nil {
		return err
	}
	if _, err := store.Migrate(ctx, p.database(p.template)); err != nil {
		return err
	}
	s, err := store.Open(ctx, store.Config{DatabaseURL: p.database(p.template), Logger: c.Logger})
	if err != nil {
		return err
	}
	defer s.Close()
	for _, t := range []struct {
		secret *string
		right  store.Right
	}{{&p.tokens.ingest, store.MayIngest}, {&p.tokens.read, store.MayRead}, {&p.tokens.export, store.MayExport}} {
		if *t.secret, err = s.CreateToken(ctx, "bench "+string(t.right), []store.Right{t.right}, nil, nil); err != nil {
			return err
		}
	}
	p.logKey, _, err = translog.NewKey(rand.Reader, "bench.example.com/log")
	return err
}

// create makes a database, of a template or of none, and gives its name.
func (p *postgres) create(ctx context.Context, template string) (name string, err error) {
	p.made++
	name = p.prefix + strconv.Itoa(p.made)
	sql := "CREATE DATABASE " + name
	if template != "" {
		sql += " TEMPLATE " + template
	}
	if _, err := p.admin.Exec(ctx, sql); err != nil {
		return "", fmt.Errorf("making a database: %w", err)
	}
	return name, nil
}

// fresh makes a database that is ready to be used, and gives its URL.
func (p *postgres) fresh(ctx context.Context) (name, url string, err error) {
	name, err = p.create(ctx, p.template)
	return name, p.database(name), err
}

// drop drops a database.
func (p *postgres) drop(ctx context.Context, name string) error {
	if _, err := p.admin.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("dropping a database: %w", err)
	}
	return nil
}

// database is the URL of a database of the server.
func (p *postgres) database(name string) string {
	if p.private != nil {
		return p.private.DatabaseURL(name)
	}
	u, err := url.Parse(p.url)
	if err != nil {
		return p.url // it was parsed before
	}
	u.Path = "/" + name
	return u.String()
}

// settle has the server write what it would write sooner or later, so that a stretch
// that is measured does not pay for the one before. Who may not ask for it goes without.
func (p *postgres) settle(ctx context.Context) (settled bool) {
	_, err := p.admin.Exec(ctx, "CHECKPOINT")
	return err == nil
}

// wal is how many bytes of write-ahead log there are.
func (p *postgres) wal(ctx context.Context) (bytes int64, err error) {
	err = p.admin.QueryRow(ctx, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint").Scan(&bytes)
	return bytes, err
}

// close drops the run's databases and removes its files.
func (p *postgres) close() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if p.admin != nil {
		if p.private == nil {
			for n := range p.made {
				err = errors.Join(err, p.drop(ctx, p.prefix+strconv.Itoa(n+1)))
			}
		}
		err = errors.Join(err, p.admin.Close(ctx))
	}
	if p.private != nil {
		err = errors.Join(err, p.private.Close(ctx))
	}
	return errors.Join(err, os.RemoveAll(p.dir))
}

// leftBehind names databases of runs that were killed, or are under way.
func (p *postgres) leftBehind(ctx context.Context) (string, error) {
	rows, err := p.admin.Query(ctx, "SELECT datname FROM pg_database WHERE datname LIKE $1 AND NOT datname LIKE $2 ORDER BY 1", namePrefix+"%", p.prefix+"%")
	if err != nil {
		return "", err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return strings.Join(names, ", "), err
}
