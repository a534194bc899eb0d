package main

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// As root, -o /dev/null must not make a file of the device.
func TestWhatIsNoFileIsNotReplaced(t *testing.T) {
	dir := t.TempDir()
	pipe, link, target := filepath.Join(dir, "pipe"), filepath.Join(dir, "link"), filepath.Join(dir, "target")
	for _, err := range []error{syscall.Mkfifo(pipe, 0o600), os.WriteFile(target, []byte("much longer than before"), 0o600), os.Symlink(target, link)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	read := make(chan string, 1)
	go func() {
		text, err := os.ReadFile(pipe)
		if err != nil {
			t.Error(err)
		}
		read <- string(text)
	}()
	for name, kind := range map[string]fs.FileMode{pipe: fs.ModeNamedPipe, link: fs.ModeSymlink} {
		err := writeFile(&environment{}, name, func(w io.Writer) error {
			_, err := io.WriteString(w, "text")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Lstat(name); err != nil || info.Mode().Type() != kind {
			t.Errorf("%s is replaced: %v, %v", name, info.Mode(), err)
		}
	}
	if got := <-read; got != "text" {
		t.Errorf("the pipe got %q", got)
	}
	if got, err := os.ReadFile(target); err != nil || string(got) != "text" {
		t.Errorf("the target of the link has %q, %v", got, err)
	}
}
