package pgprivate

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLogRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	must(t, os.WriteFile(path, []byte(strings.Repeat("old\n", maxLogSize/4)+"x"), 0o600))
	l, err := openLog(path)
	must(t, err)
	defer l.close()
	if got := l.tail(); got != "" {
		t.Errorf("tail %q", got)
	}
	for n := range 100 {
		_, err := fmt.Fprintln(l.file, n)
		must(t, err)
	}
	if got := l.tail(); !strings.HasPrefix(got, "80\n") || !strings.HasSuffix(got, "\n99") {
		t.Errorf("tail %q", got)
	}
	l, err = openLog(path) // short enough to go on
	must(t, err)
	defer l.close()
	if got := l.tail(); got != "" {
		t.Errorf("tail of an earlier run: %q", got)
	}
	info, err := os.Stat(path + ".1")
	must(t, err)
	if info.Size() != maxLogSize+1 {
		t.Errorf("%d bytes", info.Size())
	}
}
