package translog_test

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"testing"

	"pgregory.net/rapid"

	"aifi-audit/store/translog"
)

// Commitments and salts are those of the standard library.
func TestCommitmentsAreHMAC(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := translog.Secret(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "secret"))
		b := rapid.SliceOf(rapid.Byte()).Draw(t, "what is committed to")
		for info, salt := range map[string]translog.Salt{"aifi-audit salt of body 1": secret.Body(), "aifi-audit salt of facts 1": secret.Facts()} {
			want, err := hkdf.Expand(sha256.New, secret[:], info, len(salt))
			if err != nil || translog.Salt(want) != salt {
				t.Fatalf("%s is %x, want %x; %v", info, salt, want, err)
			}
			h := hmac.New(sha256.New, salt[:])
			h.Write(b)
			if got := salt.Commit(b); translog.Commitment(h.Sum(nil)) != got {
				t.Fatalf("the commitment to %x is %x", b, got)
			}
		}
	})
}

// BenchmarkLeaf makes the leaf of a delivery from its body of 2 kB and its facts.
func BenchmarkLeaf(b *testing.B) {
	body, secret := make([]byte, 2048), translog.Secret{1}
	facts := translog.Facts{
		Headers: map[string]string{"Content-Type": "application/json", "User-Agent": "AiFi"}, Path: "/api/push/restricted-products-interactions", RemoteAddr: "192.0.2.1",
		Event: &translog.EventFacts{First: true, Flags: []string{"A"}, ProductIDs: []string{"p", "q"}, GondolaIDs: []string{"3"}},
	}
	b.ReportAllocs()
	for b.Loop() {
		l := translog.Leaf{
			Kind: translog.Delivery, Webhook: "restricted-products-interactions",
			Body: secret.Body().Commit(body), Facts: secret.Facts().Commit(facts.Append(nil)),
		}
		l.Hash()
	}
}
