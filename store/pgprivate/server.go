package pgprivate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Options of [Start].
type Options struct {
	// DataDir is the absolute path of the data directory. If it is absent it is made
	// with mode 0700, or by root with mode 0710 and the group of the server's user, who
	// must be able to pass through. The cluster lies in DataDir/postgres.
	DataDir string
	// Settings are further server settings by their names in postgresql.conf, such as
	// fsync. They win over the package's own, but for those that keep the server
	// private, which are refused. They do not matter to a server that runs already.
	Settings map[string]string
	// Logger gets starts, stops and failures; nil discards them.
	Logger *slog.Logger
}

// Server is a running private PostgreSQL. Its methods may be called at any time and
// from any goroutine.
type Server struct {
	endpoint
	log      *slog.Logger
	done     chan struct{}
	stopping chan struct{} // closed by the first Close
	stopOnce sync.Once

	proc    *process // nil if attached
	exitErr error    // of an ordered shutdown; to be read after done only
}

// Start makes the cluster if need be, starts its server, and returns when it takes
// connections and has the database aifi_audit. If another process owns a server of
// this data directory, Start attaches to that one; so it does if somebody has
// started the server by hand. A server that has lost its owner is shut down, and
// replaced.
//
// Start gives up when ctx ends, and only then if it waits for another process or
// for a recovery; give it a deadline. Once Start has returned, ctx does not matter
// to the server. The error wraps [ErrNoBinaries] if no PostgreSQL is installed, and
// holds the end of the server's log if the server did not start.
func Start(ctx context.Context, o Options) (*Server, error) {
	return start(ctx, o, defaultSearch())
}

func start(ctx context.Context, o Options, where search) (*Server, error) {
	if !filepath.IsAbs(o.DataDir) {
		return nil, fmt.Errorf("data directory %q is not an absolute path", o.DataDir)
	}
	settings, err := checkSettings(o.Settings)
	if err != nil {
		return nil, err
	}
	st := starter{
		layout:   layout{dataDir: filepath.Clean(o.DataDir)},
		settings: settings,
		where:    where,
		log:      o.Logger,
	}
	if st.log == nil {
		st.log = slog.New(slog.DiscardHandler)
	}
	if st.who, err = chooseIdentity(st.cluster()); err != nil {
		return nil, err
	}
	if err := st.prepare(st.who); err != nil {
		return nil, err
	}
	return st.start(ctx)
}

// URL is that of the database aifi_audit. It can be given to pgx and to psql; it
// holds no secret.
func (s *Server) URL() string { return s.url(userAndDatabase) }

// DatabaseURL is like [Server.URL] for another database, which need not exist.
func (s *Server) DatabaseURL(name string) string { return s.url(name) }

// Attached reports whether another process owns the server.
func (s *Server) Attached() bool { return s.proc == nil }

// Done is closed when the server has ended, wanted or not. Of a server that we own
// nothing is left then, and it can be started again at once. Of one that we are
// attached to, it tells within about a second, unless Close came first.
func (s *Server) Done() <-chan struct{} { return s.done }

// Close shuts the server down (a fast shutdown: it ends the sessions and writes a
// checkpoint) and returns when it has ended. When ctx ends first, the server is
// aborted, and recovers at its next start; the error says so. A server that we are
// attached to is left running. Further calls, and those after the server's end,
// return at once or wait like the first.
func (s *Server) Close(ctx context.Context) error {
	s.stopOnce.Do(func() { close(s.stopping) })
	if s.Attached() {
		return nil
	}
	err := s.proc.stop(ctx)
	<-s.done
	return errors.Join(err, s.exitErr)
}

// supervise waits for the end of our server, and then gives the data directory
// free.
func (s *Server) supervise(l *lock, log *serverLog) {
	<-s.proc.done
	select {
	case <-s.stopping:
		if s.proc.err != nil {
			s.exitErr = log.explain(fmt.Errorf("the private PostgreSQL did not shut down in order: %w", s.proc.err))
		} else {
			s.log.Info("private PostgreSQL stopped")
		}
	default:
		s.log.Error("private PostgreSQL ended unexpectedly",
			"state", s.proc.cmd.ProcessState.String(), "log", log.path, "log_tail", log.tail())
	}
	if err := l.note(0); err != nil {
		s.log.Warn("private PostgreSQL: lock file", "error", err)
	}
	_ = os.Remove(s.socketDir) // if it is empty; it may lie among other programs' files
	l.release()
	close(s.done)
}

// watch looks after a server that we are attached to.
func (s *Server) watch(l layout, pid int) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-s.stopping:
			return
		case <-ticker.C:
		}
		// A server takes its file away when it ends in order. A file that cannot be read
		// for once proves nothing.
		pm, err := readPostmaster(l.pidFile())
		if exists(pid) && (err != nil || pm.pid == pid) {
			continue
		}
		s.log.Warn("the private PostgreSQL of another process has ended")
		close(s.done)
		return
	}
}
