package bench

import (
	"context"
	"fmt"
	"net/http"

	"github.com/jackc/pgx/v5"
)

// The plainest keeper of webhooks: a table of its own, a row a body, a commit a row.
const (
	createBodies = "CREATE TABLE bench_bodies (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, received_at timestamptz NOT NULL DEFAULT now(), body bytea NOT NULL)"
	insertBody   = "INSERT INTO bench_bodies (body) VALUES ($1)"
)

// inserting is a connection that inserts bodies, without HTTP.
type inserting struct{ conn *pgx.Conn }

func (s inserting) send(ctx context.Context, w webhook) (int, error) {
	_, err := s.conn.Exec(ctx, insertBody, w.body)
	return http.StatusOK, err
}

func (s inserting) close() { _ = s.conn.Close(context.Background()) }

// connectAll opens connections to a database.
func connectAll(ctx context.Context, url string, n int) ([]sender, error) {
	var senders []sender
	for range n {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			closeAll(senders)
			return nil, fmt.Errorf("connecting to PostgreSQL: %w", err)
		}
		senders = append(senders, inserting{conn})
		if err := durably(ctx, conn); err != nil {
			closeAll(senders)
			return nil, err
		}
	}
	return senders, nil
}

// durably makes commits last, as the server does for its own, whatever the database was
// set to: a limit must not win by promising less.
func durably(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'")
	return err
}
