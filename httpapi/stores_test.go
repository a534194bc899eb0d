package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"aifi-audit/store"
	"aifi-audit/store/storetest"
)

func TestAStoreIsGivenATimeZone(t *testing.T) {
	s := serve(t)
	stock(t, s)
	admin7 := s.token(t, "admin of store 7", []int64{7}, store.MayAdminister)
	patch := func(token, path, body string) answer {
		return s.do(t, http.MethodPatch, "/api/v1/stores/"+path, token, []byte(body))
	}
	const london = `{"timeZone":"Europe/London"}`
	if a := patch(admin7, "7", london); a.status != 200 || a.json(t)["timeZone"] != "Europe/London" || a.json(t)["effectiveTimeZone"] != "Europe/London" {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if a := s.get(t, "/api/v1/stores.csv"); !strings.Contains(string(a.body), ",Europe/London,Europe/London\r\n") || !strings.Contains(string(a.body), ",,UTC\r\n") {
		t.Errorf("got %s", a.body)
	}
	if a := patch(s.admin, "7", `{"timeZone":null}`); a.status != 200 || a.json(t)["timeZone"] != nil || a.json(t)["effectiveTimeZone"] != "UTC" {
		t.Errorf("got %d %s", a.status, a.body)
	}
	for name, c := range map[string]struct {
		token, path, body string
		status            int
		pointer           any
	}{
		"no admin":          {s.staff, "7", london, 403, nil},
		"no token":          {"", "7", london, 401, nil},
		"another store":     {admin7, "8", london, 404, nil},
		"a store not seen":  {s.admin, "9", london, 404, nil},
		"no number":         {s.admin, "x", london, 404, nil},
		"no zone":           {s.admin, "7", `{"timeZone":"Mars/Olympus"}`, 400, "/timeZone"},
		"an abbreviation":   {s.admin, "7", `{"timeZone":"CET"}`, 400, "/timeZone"},
		"a NUL":             {s.admin, "7", `{"timeZone":"Europe/London\u0000"}`, 400, "/timeZone"},
		"a number":          {s.admin, "7", `{"timeZone":1}`, 400, "/timeZone"},
		"nothing":           {s.admin, "7", `{}`, 400, "/timeZone"},
		"an unknown member": {s.admin, "7", `{"timeZone":null,"a/b":1}`, 400, "/a~1b"},
		"other case":        {s.admin, "7", `{"timezone":null}`, 400, "/timezone"},
		"no object":         {s.admin, "7", `null`, 400, nil},
		"a list":            {s.admin, "7", `[]`, 400, nil},
		"no JSON":           {s.admin, "7", `{"timeZone":`, 400, nil},
		"two objects":       {s.admin, "7", london + london, 400, nil},
		"too long":          {s.admin, "7", `{"timeZone":"` + strings.Repeat("x", 70_000) + `"}`, 413, nil},
		"a parameter":       {s.admin, "7?x=1", london, 400, nil},
	} {
		t.Run(name, func(t *testing.T) {
			a := patch(c.token, c.path, c.body)
			if v := a.json(t); a.status != c.status || v["pointer"] != c.pointer {
				t.Errorf("got %d %s", a.status, a.body)
			}
		})
	}
	got := storetest.Query(t, s.database, "SELECT DISTINCT action || ' ' || path FROM access_log WHERE action = 'configure' ORDER BY 1")
	if len(got) != 3 || got[0] != "configure /api/v1/stores/7" {
		t.Errorf("the access log has %v", got)
	}
}
