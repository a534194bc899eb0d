package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aifi-audit/store/translog"
)

func TestKeysOfTheLog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	at := "--log-dir=" + dir
	first := command(t, "log", "init", "--name=audit.example.com/log", at)
	second := command(t, "log", "rotate", at)
	if got := command(t, "log", "keys", at); got != second+first {
		t.Errorf("the keys are %s", got)
	}
	keys, err := os.ReadFile(filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := translog.NewSigner(string(keys))
	if err != nil || strings.Join(signer.Verifiers(), "\n")+"\n" != second+first {
		t.Errorf("signs with %v, %v", signer, err)
	}
	command(t, "log", "retire", at)
	if keys, err = os.ReadFile(filepath.Join(dir, "key")); err != nil {
		t.Fatal(err)
	}
	signer, err = translog.NewSigner(string(keys))
	if err != nil || strings.Join(signer.Verifiers(), "\n")+"\n" != second {
		t.Errorf("signs with %v, %v", signer, err)
	}
	if got := command(t, "log", "keys", at); got != second+first {
		t.Errorf("the keys are %s", got)
	}
	info, err := os.Stat(filepath.Join(dir, "key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
}

func TestMistakesWithKeys(t *testing.T) {
	made := filepath.Join(t.TempDir(), "log")
	command(t, "log", "init", "--name=a", "--log-dir="+made)
	open := filepath.Join(t.TempDir(), "log")
	command(t, "log", "init", "--name=a", "--log-dir="+open)
	if err := os.Chmod(filepath.Join(open, "key"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, want string }{
		{"log init --name=b --log-dir=" + made, "is there already"},
		{"log init --name=a+b --log-dir=" + t.TempDir(), "plus signs"},
		{"log rotate --log-dir=" + t.TempDir(), "log init"},
		{"log retire --log-dir=" + t.TempDir(), "log init"},
		{"log keys --log-dir=" + t.TempDir(), "log init"},
		{"log rotate --log-dir=" + open, "can be read by others"},
	} {
		var out bytes.Buffer
		if got := run(t.Context(), strings.Fields(c.args), &out, &out); got != 1 || !strings.Contains(out.String(), c.want) {
			t.Errorf("%q ends with %d: %s", c.args, got, out.String())
		}
	}
}
