package main

import (
	"fmt"
	"runtime"
	"testing"
)

// gate is a writer that takes a line whenever somebody asks for one.
type gate chan string

func (g gate) Write(b []byte) (int, error) {
	g <- string(b)
	return len(b), nil
}

func TestTheLogWaitsForNobody(t *testing.T) {
	out := make(gate)
	w := newAsideWriter(out, 2, func(left int64) { out <- fmt.Sprintf("%d are left out", left) })
	write := func(line string) {
		if n, err := w.Write([]byte(line)); n != len(line) || err != nil {
			t.Errorf("%s: %d, %v", line, n, err)
		}
	}
	want := func(lines ...string) {
		t.Helper()
		for _, line := range lines {
			if got := <-out; got != line {
				t.Errorf("got %q instead of %q", got, line)
			}
		}
	}
	write("1")
	for len(w.lines) > 0 { // until the goroutine holds it
		runtime.Gosched()
	}
	for i := range 5 {
		write(fmt.Sprint(i + 2))
	}
	want("1", "2", "3", "3 are left out")
	write("7")
	want("7")
	w.end()
	<-w.ended
}
