package pgprivate

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// userAndDatabase names the superuser of the cluster and the database in it.
const userAndDatabase = "aifi_audit"

// maintenanceDatabase is in every cluster.
const maintenanceDatabase = "postgres"

// errNoDatabase is a passing state: the owner has not come to make it yet.
var errNoDatabase = errors.New("it has no database " + userAndDatabase + " yet")

// endpoint is where a server listens.
type endpoint struct {
	socketDir string
	port      int
}

// url names the port too, since clients would take it from PGPORT otherwise.
func (e endpoint) url(database string) string {
	query := url.Values{"host": {e.socketDir}, "port": {strconv.Itoa(e.port)}}.Encode()
	u := url.URL{
		Scheme:  "postgres",
		User:    url.User(userAndDatabase),
		Path:    "/" + database,
		RawPath: "/" + url.PathEscape(database),
		// libpq does not read a plus sign as a space.
		RawQuery: strings.ReplaceAll(query, "+", "%20"),
	}
	return u.String()
}

// checkDatabase connects, and makes our database if it is absent and create is set.
func (e endpoint) checkDatabase(ctx context.Context, create bool) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, e.url(maintenanceDatabase))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	var present bool
	err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", userAndDatabase).Scan(&present)
	if err != nil || present {
		return err
	}
	if !create {
		return errNoDatabase
	}
	for _, statement := range []string{
		// The level log is above error there. It holds for sessions only, not for what
		// the server says as it starts.
		"ALTER ROLE " + userAndDatabase + " SET log_min_messages = 'log'",
		"ALTER ROLE " + userAndDatabase + " SET log_error_verbosity = 'terse'",
		"CREATE DATABASE " + userAndDatabase, // last: it marks the work as done
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
