package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"aifi-audit/store"
	"aifi-audit/store/pgprivate"
)

// restartPause is between the end of a private PostgreSQL and its next start.
const restartPause = time.Second

// keeper keeps the private PostgreSQL running while the program serves: what comes
// in meanwhile is spooled.
type keeper struct {
	flags databaseFlags
	env   *environment
	stop  context.CancelFunc
	done  sync.WaitGroup
	known chan struct{} // closed when the first start has succeeded or failed

	mu  sync.Mutex
	url string // guarded by mu
	err error  // guarded by mu; of the last start, or of the orderly end
}

// keep starts the private PostgreSQL, and again whenever it ends.
func keep(flags databaseFlags, env *environment) *keeper {
	ctx, stop := context.WithCancel(context.WithoutCancel(env.ctx))
	k := &keeper{flags: flags, env: env, stop: stop, known: make(chan struct{})}
	k.done.Go(func() { k.run(ctx) })
	return k
}

// URL is that of the server, which is the same after each start, or why it could not
// be started. It waits for the first start.
func (k *keeper) URL(ctx context.Context) (string, error) {
	select {
	case <-k.known:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.url, k.err
}

func (k *keeper) run(ctx context.Context) {
	for first := true; ; first = false {
		server, err := k.start(ctx)
		k.mu.Lock()
		if k.err = err; err == nil {
			k.url = server.URL()
		}
		k.mu.Unlock()
		if first {
			close(k.known)
		}
		if err == nil {
			select {
			case <-server.Done():
				err = errors.New("it has ended; postgres.log in the data directory says why")
			case <-ctx.Done():
				k.mu.Lock()
				k.err = closePrivate(server)
				k.mu.Unlock()
				return
			}
		}
		if ctx.Err() == nil {
			k.env.log.Error("the private PostgreSQL is started again", "reason", err)
		}
		select {
		case <-ctx.Done():
			k.mu.Lock()
			k.err = nil // that it was down was logged, and its end was wanted
			k.mu.Unlock()
			return
		case <-time.After(restartPause):
		}
	}
}

// start starts the server. If it has run here before, its failure may pass: a full
// disk, a crash as it starts. That must not keep the program from taking webhooks.
func (k *keeper) start(ctx context.Context) (*pgprivate.Server, error) {
	server, err := k.flags.start(ctx, k.env)
	if err == nil || errors.Is(err, pgprivate.ErrNoBinaries) {
		return server, err
	}
	if dir, dirErr := k.flags.dataDir(); dirErr == nil && pgprivate.HasCluster(dir) {
		err = fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return nil, err
}

// close ends the server.
func (k *keeper) close() error {
	k.stop()
	k.done.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err
}
