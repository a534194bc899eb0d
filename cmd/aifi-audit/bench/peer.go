package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ServePeer serves what the server is measured against, until the context ends:
//
//	POST /api/push/...  reads the body, and answers what the server would. That is all
//	POST /insert/...    the same, after a row with the body is committed
//	GET /event?...      an event, looked up by its primary key
//
// It is net/http with nothing around it. Without a database URL the first is all there is.
func ServePeer(ctx context.Context, listener net.Listener, databaseURL string, connections int) error {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/push/", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err == nil {
			answerStored(w)
		}
	})
	if databaseURL != "" {
		config, err := pgxpool.ParseConfig(databaseURL)
		if err != nil {
			return fmt.Errorf("reading the database URL: %w", err)
		}
		config.AfterConnect = durably
		config.MaxConns = int32(connections) //nolint:gosec // small
		pool, err := pgxpool.NewWithConfig(ctx, config)
		if err != nil {
			return fmt.Errorf("connecting to PostgreSQL: %w", err)
		}
		defer pool.Close()
		mux.HandleFunc("POST /insert/", func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err == nil {
				_, err = pool.Exec(r.Context(), insertBody, body)
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			answerStored(w)
		})
		mux.HandleFunc("GET /event", func(w http.ResponseWriter, r *http.Request) {
			q := r.URL.Query()
			rows, err := pool.Query(r.Context(), lookUp, q.Get("storeId"), q.Get("kind"), q.Get("occurredAt"), q.Get("id"))
			var event map[string]any
			if err == nil {
				event, err = pgx.CollectExactlyOneRow(rows, pgx.RowToMap)
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(event) // who hung up needs no answer
		})
	}
	server := &http.Server{Handler: mux} //nolint:gosec // for this machine, and for minutes
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func answerStored(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = io.WriteString(w, `{"deliveryId":"01a20b72-53f9-7237-8a50-aaa3100401cc","status":"stored"}`+"\n")
}
