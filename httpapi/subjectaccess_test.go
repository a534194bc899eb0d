package httpapi_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"aifi-audit/store"
)

func TestSubjectAccess(t *testing.T) {
	s := visited(t)
	s.push(t, "tracking", `{"storeId":8,"note":"write to a@example.com"}`)                                                                 // mentions him
	s.push(t, "suspected-fraud", `{"storeId":7,"sessionId":"S/1","customer":{"id":"other-person"},"timeOfOrigin":"2026-01-02T03:04:09Z"}`) // another, in his session
	s.get(t, "/api/v1/sessions/S%2F1")
	months := int32(6)
	if _, err := s.store.SetRetention(t.Context(), store.Actor{Name: "x"}, store.NewPolicy{Months: &months}); err != nil {
		t.Fatal(err)
	}
	s.get(t, "/api/v1/alcohol-interactions?customerId=5&customerId=other-person")
	keeper := s.token(t, "Karla Keeper", nil, store.MayExport, store.MayAdminister)
	limited := s.token(t, "limited keeper", []int64{7}, store.MayExport, store.MayAdminister)
	for path, c := range map[string]struct {
		token string
		want  int
	}{
		"/api/v1/customers/5/subject-access":                    {keeper, 200},
		"/api/v1/customers/5/subject-access?everything=x":       {keeper, 400},
		"/api/v1/customers/5/subject-access?x=1":                {keeper, 400},
		"/api/v1/customers/nobody/subject-access":               {keeper, 404},
		"/api/v1/customers/%00/subject-access":                  {keeper, 404},
		"/api/v1/customers/%F0%9F%98%80%2F..%27/subject-access": {keeper, 404},
	} {
		if a := s.do(t, http.MethodGet, path, c.token, nil); a.status != c.want {
			t.Errorf("%s: %d, want %d", path, a.status, c.want)
		}
	}
	for name, token := range map[string]string{"export alone": s.staff, "admin alone": s.admin, "limited": limited} {
		if a := s.do(t, http.MethodGet, "/api/v1/customers/5/subject-access", token, nil); a.status != http.StatusForbidden {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	a := s.do(t, http.MethodGet, "/api/v1/customers/5/subject-access?everything=true", keeper, nil)
	files := unpack(t, a.body)
	var manifest struct {
		Found store.Found
		Files []struct {
			Name, SHA256 string
			Size         int
		}
	}
	if err := json.Unmarshal(files["manifest.json"], &manifest); err != nil || len(manifest.Files) != len(files)-1 {
		t.Fatalf("%v: %s", err, files["manifest.json"])
	}
	bodies := 0
	for _, f := range manifest.Files {
		if sum := sha256.Sum256(files[f.Name]); hex.EncodeToString(sum[:]) != f.SHA256 || f.Size != len(files[f.Name]) {
			t.Errorf("%s is not as the manifest says", f.Name)
		}
		if strings.HasSuffix(f.Name, "/body") {
			bodies++
		}
	}
	if bodies != 9 || manifest.Found.Deliveries != 9 || manifest.Found.Mentions != 1 || manifest.Found.Events != 6 {
		t.Errorf("%d bodies, %+v", bodies, manifest.Found)
	}
	for name, want := range map[string][]string{
		"events.csv":     {"a@example.com", "'=p|q", "card"},
		"events.json":    {`"email":"a@example.com"`},
		"sessions.json":  {`"sessionId":"S/1"`},
		"deliveries.csv": {"remote-register"},
		"customer.json":  {`"customerId": "5"`},
		"looks.csv":      {",search,customer,200", ",view,session,200", ",subject-access,customer,200"},
		"cover.html":     {"What is kept about you", "restricted-products-interactions", "all notifications of all shops: 6 calendar months"},
	} {
		for _, text := range want {
			if !strings.Contains(string(files[name]), text) {
				t.Errorf("%s lacks %q: %s", name, text, files[name])
			}
		}
	}
	for name, text := range files {
		for _, others := range []string{"other-person", "Karla Keeper", "ZgotmplZ"} {
			if strings.Contains(string(text), others) && (name != "cover.html" && name != "manifest.json" || others != "Karla Keeper") {
				t.Errorf("%s has %q", name, others)
			}
		}
	}
}
