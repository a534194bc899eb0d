package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// process is this program again, as a server.
type process struct {
	url   string // http://host:port
	cmd   *exec.Cmd
	log   string // file of what it says
	ended chan error
}

// startTimeout is for a server to answer.
const startTimeout = time.Minute

// start starts this program with some arguments, and waits until it says where it
// listens. It is killed if this process dies.
func (r *run) start(ctx context.Context, args ...string) (*process, error) {
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	log, err := os.CreateTemp(r.postgres.dir, "server-*.log")
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	p := &process{cmd: exec.CommandContext(context.WithoutCancel(ctx), r.Program, args...), log: log.Name(), ended: make(chan error, 1)} //nolint:gosec // this program
	p.cmd.Env = r.environment()
	p.cmd.Stdout, p.cmd.Stderr = in, log
	p.cmd.SysProcAttr = new(syscall.SysProcAttr)
	setDeathSignal(p.cmd.SysProcAttr)
	started := make(chan error)
	go func() {
		// The kernel tells of the end of the thread that started it, so that is kept.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		_ = in.Close()
		started <- err
		if err == nil {
			p.ended <- p.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		_ = out.Close()
		return nil, fmt.Errorf("starting a server: %w", err)
	}
	lines := bufio.NewReader(out)
	timer := time.AfterFunc(startTimeout, func() { _ = p.cmd.Process.Kill() })
	line, err := lines.ReadString('\n')
	timer.Stop()
	if err != nil {
		_ = out.Close()
		_ = p.cmd.Process.Kill()
		<-p.ended //nolint:errcheck // it was killed
		return nil, fmt.Errorf("a server did not start: %s", p.lastWords())
	}
	go func() {
		_, _ = io.Copy(io.Discard, lines)
		_ = out.Close()
	}()
	p.url = strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
	return p, nil
}

// serve starts the server as an operator would, but that staff may ask as often as
// they like.
func (r *run) serve(ctx context.Context, databaseURL string) (*process, error) {
	dir, err := os.MkdirTemp(r.postgres.dir, "server-")
	if err != nil {
		return nil, err
	}
	return r.start(ctx, "serve", "--listen=127.0.0.1:0", "--database-url="+databaseURL, "--data-dir="+filepath.Join(dir, "data"), "--staff-rate=0")
}

// environment is this one, but for settings of this program.
func (r *run) environment() []string {
	env := []string{"AIFI_AUDIT_LOG_KEY=" + r.postgres.logKey}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "AIFI_AUDIT_") && !strings.HasPrefix(v, "DATABASE_") {
			env = append(env, v)
		}
	}
	return env
}

// stop ends it in order.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // if it has ended, the next says so
	select {
	case err := <-p.ended:
		if err != nil {
			return fmt.Errorf("a server ended with %w: %s", err, p.lastWords())
		}
		return nil
	case <-time.After(stopTimeout):
		_ = p.cmd.Process.Kill()
		<-p.ended //nolint:errcheck // it was killed
		return errors.New("a server did not stop in time, and was killed")
	}
}

// lastWords is the end of its log.
func (p *process) lastWords() string {
	log, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	const most = 2000
	return strings.TrimSpace(string(log[max(0, len(log)-most):]))
}
