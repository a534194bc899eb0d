package storetest

import (
	"crypto/rand"
	"testing"

	"aifi-audit/store/translog"
)

// LogKeys makes the keys of a log.
func LogKeys(t testing.TB) (*translog.Signer, *translog.Verifier) {
	t.Helper()
	key, public, err := translog.NewKey(rand.Reader, "audit.example.com/log")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := translog.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := translog.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	return signer, verifier
}
