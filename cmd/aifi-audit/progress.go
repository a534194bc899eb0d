package main

import (
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// bar shows the progress of long work on a terminal, and nothing elsewhere. The zero
// bar shows nothing.
type bar struct {
	shown *progressbar.ProgressBar
	out   io.Writer
}

// newBar begins a bar. total -1 is not known; units are what is counted, "bytes" being
// shown as kB and MB.
func newBar(env *environment, total int64, description, units string) *bar {
	f, ok := env.stderr.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return &bar{}
	}
	options := []progressbar.Option{
		progressbar.OptionSetWriter(f), progressbar.OptionSetDescription(description), progressbar.OptionThrottle(100e6),
		progressbar.OptionShowCount(), progressbar.OptionSetWidth(20), progressbar.OptionFullWidth(),
	}
	if units == "bytes" {
		options = append(options, progressbar.OptionShowBytes(true))
	} else {
		options = append(options, progressbar.OptionShowIts(), progressbar.OptionSetItsString(units))
	}
	return &bar{shown: progressbar.NewOptions64(total, options...), out: f}
}

// add moves the bar on.
func (b *bar) add(n int) {
	if b.shown != nil {
		_ = b.shown.Add(n) // a terminal that is gone is no reason to stop
	}
}

// set moves the bar to a place, of a total that may have changed; 0 or less is not known.
func (b *bar) set(done, total int64) {
	if b.shown != nil {
		if total > 0 {
			b.shown.ChangeMax64(total)
		}
		_ = b.shown.Set64(done)
	}
}

// describe changes the text before the bar.
func (b *bar) describe(text string) {
	if b.shown != nil {
		b.shown.Describe(text)
	}
}

// end leaves the bar as it stands, on a line of its own.
func (b *bar) end() {
	if b.shown != nil {
		_ = b.shown.Exit()
		_, _ = io.WriteString(b.out, "\n")
	}
}
