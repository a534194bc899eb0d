package main

import (
	"bytes"
	"io"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	logLines = 4096        // of the log that wait to be written
	logFlush = time.Second // how long the last of them are waited for
)

// asideWriter writes lines from a goroutine of its own. If nobody takes them, as when a
// pipe is full or a disk hangs, what is logged waits no longer for it than its room lasts:
// then lines are left out, and counted.
type asideWriter struct {
	lines chan []byte
	left  atomic.Int64  // lines left out, and not yet told
	stop  chan struct{} // closed when no more are written
	ended chan struct{}
}

// newAsideWriter starts the goroutine; tell is called by it after lines were left out.
func newAsideWriter(out io.Writer, room int, tell func(left int64)) *asideWriter {
	w := &asideWriter{lines: make(chan []byte, room), stop: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		for {
			select {
			case line := <-w.lines:
				_, _ = out.Write(line) // there is nowhere else to say so
			case <-w.stop:
				if len(w.lines) == 0 {
					return
				}
			}
			if len(w.lines) > 0 {
				continue
			}
			if n := w.left.Swap(0); n > 0 {
				tell(n)
			}
		}
	}()
	return w
}

// Write takes a line.
func (w *asideWriter) Write(line []byte) (int, error) {
	select {
	case w.lines <- bytes.Clone(line):
	default:
		w.left.Add(1)
	}
	return len(line), nil
}

// end waits a moment for what was taken. What is written afterwards may be lost.
func (w *asideWriter) end() {
	close(w.stop)
	select {
	case <-w.ended:
	case <-time.After(logFlush):
	}
}

// logAside has the log written by a goroutine of its own until end is called. A server
// must take webhooks also while nobody takes its log.
func (env *environment) logAside() (end func()) {
	direct := env.log
	w := newAsideWriter(env.stderr, logLines, func(left int64) {
		direct.Warn("lines of the log are left out: they were not taken in time", "lines", left)
	})
	env.log = slog.New(env.handler(w))
	return func() {
		env.log = direct
		w.end()
	}
}
