package pgprivate

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// abortWait is how long an immediate shutdown may take before the server is
// killed. PostgreSQL itself gives its processes 5 s of it.
const abortWait = 10 * time.Second

// process is a child that gets SIGINT when we die, where the system can do that.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how it ended; to be read after done only
}

func startProcess(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	setDeathSignal(cmd.SysProcAttr, syscall.SIGINT)
	started := make(chan error)
	go func() {
		// The death signal fires when the thread that made the child ends, and the
		// runtime ends threads as it likes: this one is kept for as long as the child
		// lives.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

func (p *process) signal(sig os.Signal) {
	// An error means that it has ended, which done tells.
	_ = p.cmd.Process.Signal(sig)
}

// stop asks for a fast shutdown, and for an immediate one when ctx ends. The error
// says that the latter was needed.
func (p *process) stop(ctx context.Context) error {
	p.signal(syscall.SIGINT)
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-p.done:
		return nil
	default:
	}
	p.signal(syscall.SIGQUIT)
	p.killAfter(abortWait)
	return fmt.Errorf("the private PostgreSQL was not shut down in time and has been aborted; it recovers at its next start: %w", context.Cause(ctx))
}

// run waits for a child that ends by itself, and interrupts it when ctx ends.
func run(ctx context.Context, cmd *exec.Cmd) error {
	p, err := startProcess(cmd)
	if err != nil {
		return err
	}
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
	}
	p.signal(syscall.SIGINT)
	p.killAfter(abortWait)
	return context.Cause(ctx)
}

// killAfter waits until the child has ended, with force when the time is over.
func (p *process) killAfter(wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.signal(syscall.SIGKILL)
		<-p.done
	}
}
