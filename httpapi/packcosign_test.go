package httpapi_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"testing"

	"filippo.io/torchwood"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"

	"aifi-audit/httpapi"
	"aifi-audit/store/translog"
	"aifi-audit/store/verify"
)

// cosigner is a witness's key.
func cosigner(t testing.TB, name string) (*torchwood.CosignatureSigner, translog.Witness) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := torchwood.NewCosignatureSigner(name, private)
	if err != nil {
		t.Fatal(err)
	}
	w, err := translog.NewWitness(signer.Verifier().String())
	if err != nil {
		t.Fatal(err)
	}
	return signer, w
}

// cosign signs a checkpoint as a witness does.
func (s *server) cosign(t testing.TB, c translog.Checkpoint, signer note.Signer, w translog.Witness) {
	t.Helper()
	text, _, _ := strings.Cut(string(c.Note), "\n\n")
	signed, err := note.Sign(&note.Note{Text: text + "\n"}, signer)
	if err != nil {
		t.Fatal(err)
	}
	said, err := w.Cosignature(signed)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.store.KeepCosignature(t.Context(), c, w, said); err != nil {
		t.Fatal(err)
	}
}

func TestTheCosignedCheckpoint(t *testing.T) {
	s := serve(t)
	signer, w := cosigner(t, "witness.example.com/w1")
	for _, path := range []string{"/api/v1/log/checkpoint/cosigned", "/log/checkpoint/cosigned"} {
		if a := s.get(t, path); a.status != http.StatusNotFound || !strings.Contains(string(a.body), "not-cosigned") {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	s.push(t, "tracking", `{"storeId":7}`)
	s.cosign(t, s.sequenced(t, 1), signer, w)
	a := s.do(t, http.MethodGet, "/log/checkpoint/cosigned", "", nil)
	if _, err := w.Cosignature(a.body); err != nil || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
		t.Errorf("%v: %s", err, a.body)
	}
	if _, err := s.verifier.Open(a.body); err != nil {
		t.Error(err)
	}
	if b := s.get(t, "/api/v1/log/checkpoint/cosigned"); !bytes.Equal(b.body, a.body) {
		t.Errorf("%s", b.body)
	}
}

func TestAPackIsCosigned(t *testing.T) {
	s := visited(t)
	signer, w := cosigner(t, "witness.example.com/w1")
	_, absent := cosigner(t, "absent.example.com")
	check := func(b []byte, witnesses ...translog.Witness) (httpapi.PackResult, []string) {
		t.Helper()
		found := []string{}
		result, err := httpapi.VerifyPack(bytes.NewReader(b), int64(len(b)), s.verifier, witnesses, func(f verify.Finding) { found = append(found, f.String()) })
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(found)
		return result, slices.Compact(found)
	}
	pack := func() []byte { return s.get(t, "/api/v1/alcohol-interactions/evidence").body }
	if _, found := check(pack(), w); !slices.Equal(found, []string{"UNVERIFIABLE cosignature: the pack has no checkpoint that witness.example.com/w1 has cosigned"}) {
		t.Errorf("%q", found)
	}
	c, err := s.store.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.cosign(t, c, signer, w)
	s.push(t, "tracking", `{"storeId":8,"eventId":"further"}`)
	s.sequenced(t, c.N+1)
	good := pack()
	for _, witnesses := range [][]translog.Witness{nil, {w}} {
		if result, found := check(good, witnesses...); len(found) > 0 || !result.Clean() || len(result.Cosigned) != len(witnesses) {
			t.Errorf("%+v %q", result, found)
		}
	}
	if _, found := check(good, w, absent); !slices.Equal(found, []string{"UNVERIFIABLE cosignature: absent.example.com has not cosigned the pack's cosigned checkpoint"}) {
		t.Errorf("%q", found)
	}
	for name, edit := range map[string]struct {
		file string
		edit func([]byte) []byte
		want []string
	}{
		"the note is gone": {"checkpoint.cosigned", func([]byte) []byte { return nil }, []string{
			"UNVERIFIABLE cosignature: the pack has no checkpoint that witness.example.com/w1 has cosigned",
		}},
		"the note is edited": {"checkpoint.cosigned", func(b []byte) []byte { return bytes.Replace(b, []byte("audit"), []byte("audix"), 1) }, nil},
		"the proof is gone":  {"checkpoint.growth.json", func([]byte) []byte { return nil }, []string{"TAMPERED cosigned checkpoint: the pack has no checkpoint.growth.json"}},
		"the proof is edited": {"checkpoint.growth.json", func(b []byte) []byte { return bytes.Replace(b, []byte(`"proof":["`), []byte(`"proof":["A`), 1) }, []string{
			"TAMPERED cosigned checkpoint: the proof that the log grew from it cannot be read",
		}},
		"the proof is of something else": {"checkpoint.growth.json", func([]byte) []byte { return []byte(`{"from":1,"to":9,"proof":[]}`) }, []string{
			"TAMPERED cosigned checkpoint: it is not the one that the log is shown to have grown from",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := unpack(t, good)
			if p[edit.file] = edit.edit(p[edit.file]); p[edit.file] == nil {
				delete(p, edit.file)
			}
			_, found := check(p.zip(t, true), w)
			if edit.want == nil {
				if len(found) != 1 || !strings.HasPrefix(found[0], "TAMPERED cosigned checkpoint: the checkpoint is not signed") {
					t.Errorf("%q", found)
				}
				return
			}
			if diff := cmp.Diff(edit.want, found); diff != "" {
				t.Error(diff)
			}
		})
	}
	// What came after the cosignature is not covered by it.
	s.push(t, "restricted-products-interactions", `{"storeId":7,"sessionId":"S/2","eventId":"late","timeOfOrigin":"2026-01-02T03:04:09Z"}`)
	s.sequenced(t, c.N+3)
	result, found := check(pack(), w)
	if len(found) != 1 || !strings.Contains(found[0], "UNVERIFIABLE cosignature of delivery") || result.Findings[verify.Unverifiable] != 1 {
		t.Errorf("%+v %q", result, found)
	}
	if _, found := check(pack()); len(found) > 0 {
		t.Errorf("%q", found)
	}
}
