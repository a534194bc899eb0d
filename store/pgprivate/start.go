package pgprivate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// starter holds what one Start needs.
type starter struct {
	layout
	settings map[string]string
	where    search
	who      identity
	log      *slog.Logger

	orphan      int       // the server of a killed owner that is told to end; 0 is none
	orphanSince time.Time // when it was told first
}

// orphanWait is how long a server whose owner was killed may take to shut down. Then
// it is told to do so immediately, and recovers at its next start: PostgreSQL 15 hangs
// if a fast shutdown meets its recovery from the crash of one of its processes.
const orphanWait = 10 * time.Second

// passing is a state that ends by itself: Start tries again.
type passing struct{ error }

func (p passing) Unwrap() error { return p.error }

func (st *starter) start(ctx context.Context) (*Server, error) {
	poll := newPoll()
	defer poll.stop()
	var waiting error
	for {
		s, err := st.attempt(ctx)
		if err == nil {
			return s, nil
		}
		if _, again := errors.AsType[passing](err); again {
			if waiting == nil || waiting.Error() != err.Error() {
				st.log.Info("waiting to start the private PostgreSQL", "reason", err)
			}
			waiting = err
			err = poll.wait(ctx)
		}
		switch {
		case err == nil:
		case waiting != nil:
			return nil, fmt.Errorf("no private PostgreSQL in %s: %w; Start has been waiting because of this: %w", st.dataDir, err, waiting)
		default:
			return nil, err
		}
	}
}

func (st *starter) attempt(ctx context.Context) (*Server, error) {
	l, err := tryLock(st.lock())
	if err != nil {
		return nil, err
	}
	pm, err := readPostmaster(st.pidFile())
	if err != nil {
		if l != nil {
			l.release()
		}
		return nil, fmt.Errorf("cluster: %w", err)
	}
	alive := pm.pid != 0 && isPostmaster(pm.pid, st.cluster())
	if l == nil {
		if !alive {
			return nil, passing{errors.New("another process is starting or stopping the server")}
		}
		return st.attach(ctx, pm, false)
	}
	s, err := st.own(ctx, l, pm, alive)
	if s == nil || s.Attached() {
		l.release()
	}
	return s, err
}

// own does what is to be done by the holder of the lock.
func (st *starter) own(ctx context.Context, l *lock, pm postmaster, alive bool) (*Server, error) {
	switch {
	case alive && pm.pid == l.serverPID():
		st.endOrphan(pm.pid)
		return nil, passing{errors.New("the server of a process that was killed shuts down")}
	case alive:
		return st.attach(ctx, pm, true)
	case pm.pid != 0 && exists(pm.pid):
		// PostgreSQL sees that this process lives, but not that it is none of its own,
		// and would refuse to start. Were we wrong, the shared memory of the old server
		// would still stop the new one. One that is just ending removes the file itself.
		if err := os.Remove(st.pidFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("cluster: %w", err)
		}
	}
	major, err := st.clusterVersion()
	if err != nil {
		return nil, err
	}
	bins, err := st.where.find(ctx, st.who, major)
	if err != nil {
		return nil, err
	}
	if major == 0 {
		st.log.Info("making the cluster of the private PostgreSQL", "version", bins.version(), "directory", st.cluster(), "user", st.who.name)
		if err := st.makeCluster(ctx, st.who, bins, durable(st.settings)); err != nil {
			return nil, err
		}
	}
	return st.launch(ctx, l, bins)
}

// endOrphan tells a server to end whose owner was killed. Where the kernel has told
// it, it shuts down already, and the signal changes nothing.
func (st *starter) endOrphan(pid int) {
	if st.orphan != pid {
		st.orphan, st.orphanSince = pid, time.Now()
	}
	sig := syscall.SIGINT
	if time.Since(st.orphanSince) > orphanWait {
		sig = syscall.SIGQUIT
	}
	_ = syscall.Kill(pid, sig) // it may have ended
}

// attach returns a handle on a server that somebody else has started.
func (st *starter) attach(ctx context.Context, pm postmaster, create bool) (*Server, error) {
	if !pm.ready {
		return nil, passing{errors.New("the running server is not ready")}
	}
	s := st.newServer(endpoint{socketDir: pm.socketDir, port: pm.port}, nil)
	if err := s.checkDatabase(ctx, create); err != nil {
		return nil, passing{fmt.Errorf("attaching to the running server: %w", err)}
	}
	st.log.Info("attached to the running private PostgreSQL", "pid", pm.pid)
	go s.watch(st.layout, pm.pid)
	return s, nil
}

func (st *starter) newServer(e endpoint, p *process) *Server {
	return &Server{endpoint: e, log: st.log, proc: p, done: make(chan struct{}), stopping: make(chan struct{})}
}

// launch starts the server, and waits until it is ready.
func (st *starter) launch(ctx context.Context, l *lock, bins binaries) (*Server, error) {
	began := time.Now()
	socketDir, err := st.makeSocketDir(st.who)
	if err != nil {
		return nil, err
	}
	log, err := openLog(st.layout.log())
	if err != nil {
		return nil, err
	}
	defer log.close()
	addCompression(ctx, st.who, bins, st.cluster(), st.settings)
	// Not bound to ctx, which is that of Start only.
	cmd := st.who.command(context.WithoutCancel(ctx), st.cluster(), bins.program("postgres"),
		serverArgs(st.cluster(), socketDir, st.settings)...)
	cmd.Stdout, cmd.Stderr = log.file, log.file
	proc, err := startProcess(cmd)
	if err != nil {
		return nil, fmt.Errorf("starting PostgreSQL: %w", err)
	}
	s := st.newServer(endpoint{socketDir: socketDir, port: socketPort}, proc)
	err = l.note(cmd.Process.Pid)
	if err == nil {
		err = st.awaitReady(ctx, s, log)
	}
	if err != nil {
		return nil, st.abandon(ctx, l, s, err)
	}
	st.log.Info("private PostgreSQL started", "version", bins.version(), "pid", cmd.Process.Pid,
		"user", st.who.name, "directory", st.cluster(), "took", time.Since(began).Round(time.Millisecond))
	go s.supervise(l, log)
	return s, nil
}

// abandon stops a server that did not become ready.
func (st *starter) abandon(ctx context.Context, l *lock, s *Server, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortWait)
	defer cancel()
	_ = s.proc.stop(ctx)
	_ = l.note(0)
	_ = os.Remove(s.socketDir) // if it is empty
	return err
}

func (st *starter) awaitReady(ctx context.Context, s *Server, log *serverLog) error {
	poll := newPoll()
	defer poll.stop()
	var last error
	for {
		select {
		case <-s.proc.done:
			err := log.explain(fmt.Errorf("PostgreSQL did not start: it ended with %s", s.proc.cmd.ProcessState))
			if leftBehind(log.tail()) {
				return passing{err}
			}
			return err
		default:
		}
		// Before the server says that it is ready, a connection would only fill its log.
		pm, err := readPostmaster(st.pidFile())
		if err == nil && pm.ready && pm.pid == s.proc.cmd.Process.Pid {
			last = s.checkDatabase(ctx, true)
			if pgErr, ok := errors.AsType[*pgconn.PgError](last); last == nil || ok && pgErr.Code != cannotConnectNow {
				return last
			}
		}
		if err := poll.wait(ctx); err != nil {
			return log.explain(fmt.Errorf("PostgreSQL was not ready in time: %w", errors.Join(err, last)))
		}
	}
}

// cannotConnectNow is the SQLSTATE of a server that starts or stops.
const cannotConnectNow = "57P03"

// leftBehind recognises that processes of an earlier server have not all ended:
// they do so soon, once they see that their parent is gone.
func leftBehind(log string) bool {
	return strings.Contains(log, "pre-existing shared memory block") ||
		strings.Contains(log, `lock file "postmaster.pid" already exists`)
}
