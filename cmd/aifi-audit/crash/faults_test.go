//go:build linux

package crash

import (
	"os"
	"syscall"
	"time"
)

// fault is something that happens to a world. heal follows it.
type fault struct {
	name     string
	external bool // only of a PostgreSQL that the program reaches over a connection
	strike   func(*world)
}

var faults = []fault{
	{"server killed", false, func(w *world) { w.endServer(os.Kill); w.pause(300 * time.Millisecond) }},
	{"server killed, and again as it starts", false, func(w *world) {
		w.endServer(os.Kill)
		w.startServer()
		w.pause(1500 * time.Millisecond)
		w.endServer(os.Kill)
	}},
	{"server told to stop", false, func(w *world) { w.endServer(syscall.SIGTERM) }},
	{"all of PostgreSQL killed", false, func(w *world) { w.signalPostgres(syscall.SIGKILL, everything) }},
	{"all of PostgreSQL killed, and the server", false, func(w *world) {
		w.signalPostgres(syscall.SIGKILL, everything)
		w.pause(200 * time.Millisecond)
		w.endServer(os.Kill)
	}},
	{"postmaster killed", false, func(w *world) { w.signalPostgres(syscall.SIGKILL, postmaster) }},
	{"one process of PostgreSQL killed", false, func(w *world) { w.signalPostgres(syscall.SIGKILL, child) }},
	{"PostgreSQL stopped immediately", false, func(w *world) { w.signalPostgres(syscall.SIGQUIT, postmaster) }},
	{"PostgreSQL frozen", false, func(w *world) { w.freeze(); w.pause(2 * time.Second) }},
	{"PostgreSQL frozen, and the server killed", false, func(w *world) {
		w.freeze()
		w.pause(1500 * time.Millisecond)
		w.endServer(os.Kill)
		w.startServer()
		w.pause(time.Second)
	}},
	{"connections cut", true, func(w *world) { w.proxy.Cut(); w.pause(1500 * time.Millisecond) }},
	{"connections hang", true, func(w *world) { w.proxy.Hold(); w.pause(2 * time.Second) }},
	{"connections flicker", true, func(w *world) {
		for range 5 {
			w.proxy.Cut()
			w.pause(100 * time.Millisecond)
			w.proxy.Mend()
			w.pause(300 * time.Millisecond)
		}
	}},
	{"connections cut, and the server killed", true, func(w *world) {
		w.proxy.Cut()
		w.pause(time.Second)
		w.endServer(os.Kill)
		w.startServer()
		w.pause(2 * time.Second)
	}},
	{"connections hang, and the server killed", true, func(w *world) {
		w.proxy.Hold()
		w.pause(time.Second)
		w.endServer(os.Kill)
		w.startServer()
		w.pause(2 * time.Second)
	}},
}

// pick takes a fault that can happen here.
func (w *world) pick() fault {
	for {
		f := faults[w.rnd.IntN(len(faults))]
		if !f.external || w.external != nil {
			return f
		}
	}
}
