package main

import (
	"archive/zip"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"aifi-audit/store/storetest"
)

// A person at a terminal asks for an erasure, another approves it through the API, and
// then it is carried out, certified, and checked by somebody who has only the key.
func TestErasureByTwoPersons(t *testing.T) {
	databaseURL, dir, _ := logged(t, "300")
	db, at := "--database-url="+databaseURL, "--log-dir="+dir
	customer := storetest.Query(t, databaseURL, "SELECT min(customer_id) FROM events")[0]
	left := func(want string) {
		t.Helper()
		if n := storetest.Query(t, databaseURL, "SELECT count(*) > 0 FROM events WHERE customer_id = $1", customer)[0]; n != want {
			t.Fatalf("there are events of his: %s", n)
		}
	}
	if out := command(t, "erase", "--customer="+customer, "--list", db, at); !strings.Contains(out, "Nothing was erased") || !regexp.MustCompile(`events +[1-9]`).MatchString(out) {
		t.Error(out)
	}
	out := command(t, "erase", "--customer="+customer, "--actor=Jane Doe", "--reason=Art. 17 GDPR, case 12", "--confirm", db, at)
	id := regexp.MustCompile(`Request (\S+) waits`).FindStringSubmatch(out)
	digest := regexp.MustCompile(`"digest": "([0-9a-f]{64})"`).FindStringSubmatch(out)
	if id == nil || digest == nil {
		t.Fatal(out)
	}
	left("true")
	request := "--request=" + id[1]
	if code, out := outcome(t, "erase", request, "--actor=Jane Doe", "--confirm", db, at); code != 1 {
		t.Errorf("%d %s", code, out)
	}
	if out := command(t, "erase", request, db, at); !strings.Contains(out, "is pending") {
		t.Error(out)
	}

	admin := strings.TrimSpace(command(t, "token", "create", "--name=Joe Bloggs", "--scope=admin", db))
	url := started(t, "serve", "--listen=127.0.0.1:0", db, at)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/api/v1/erasures/"+id[1]+"/approve", strings.NewReader(fmt.Sprintf(`{"digest": %q}`, digest[1])))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+admin)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(answer), `"state":"approved"`) {
		t.Fatalf("%s %s %v", resp.Status, answer, err)
	}

	file := filepath.Join(t.TempDir(), "certificate.txt")
	out = command(t, "erase", request, "--actor=Jane Doe", "--confirm", "--certificate="+file, db, at, "--data-dir="+t.TempDir())
	key := regexp.MustCompile(`kept nowhere: ([0-9a-f]{64})`).FindStringSubmatch(out)
	if key == nil || !strings.Contains(out, "The certificate is in") {
		t.Fatal(out)
	}
	left("false")
	public := "--key=" + strings.TrimSpace(command(t, "log", "keys", at))
	for _, f := range []string{file, file + ".json"} {
		out := command(t, "verify", f, public, "--customer="+customer, "--subject-key="+key[1])
		if !strings.Contains(out, "the certificate is good") || !strings.Contains(out, "it is about this customer") || !strings.Contains(out, "by Joe Bloggs") {
			t.Errorf("%s: %s", f, out)
		}
		if code, out := outcome(t, "verify", f, public, "--customer=x", "--subject-key="+key[1]); code != 1 {
			t.Errorf("%s: %d %s", f, code, out)
		}
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		bad := filepath.Join(t.TempDir(), "bad")
		if err := os.WriteFile(bad, []byte(strings.Replace(string(text), "Joe", "Jim", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, out := outcome(t, "verify", bad, public); code != 1 {
			t.Errorf("%s: %d %s", f, code, out)
		}
	}
	if out := command(t, "erase", request, db, at); !strings.Contains(out, "is executed") {
		t.Error(out)
	}
	if code, out := outcome(t, "erase", request, "--actor=x", "--confirm", db, at); code != 1 {
		t.Errorf("%d %s", code, out)
	}
	code, out := outcome(t, "verify", db, at)
	if code != 0 || !strings.Contains(out, "ERASED body of delivery") || !strings.Contains(out, "by leaf ") {
		t.Errorf("%d %s", code, out)
	}
}

func TestErasureByOnePersonAlone(t *testing.T) {
	databaseURL, dir, _ := logged(t, "100")
	db, at := "--database-url="+databaseURL, "--log-dir="+dir
	customer := storetest.Query(t, databaseURL, "SELECT min(customer_id) FROM events")[0]
	file := filepath.Join(t.TempDir(), "certificate.txt")
	out := command(t, "erase", "--customer="+customer, "--actor=Jane Doe", "--reason=case 12", "--confirm", "--without-approval", "--certificate="+file, db, at, "--data-dir="+t.TempDir())
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), "approved: by nobody: Jane Doe went without a second person") {
		t.Errorf("%v\n%s\n%s", err, out, text)
	}
	if strings.Contains(string(text), ": "+customer+"\n") {
		t.Error("the certificate names him")
	}
	for name, args := range map[string][]string{
		"nobody":         {"--confirm", "--actor=x", "--reason=x"},
		"no actor":       {"--customer=x", "--confirm", "--reason=x"},
		"no reason":      {"--customer=x", "--confirm", "--actor=x"},
		"no request":     {"--request=x"},
		"unknown":        {"--request=019a0a6e-5f3c-7a10-8b1e-3f1d2c4b5a69"},
		"two things":     {"--request=x", "--customer=y"},
		"a named person": {"--customer=" + storetest.Query(t, databaseURL, "SELECT max(customer_id) FROM events")[0], "--confirm", "--actor=x", "--reason=Customer: " + storetest.Query(t, databaseURL, "SELECT max(customer_id) FROM events")[0]},
	} {
		if code, out := outcome(t, append([]string{"erase", db, at}, args...)...); code == 0 {
			t.Errorf("%s: %s", name, out)
		}
	}
	if out := command(t, "erase", "--customer=nobody", "--confirm", "--actor=x", "--reason=x", db, at); !strings.Contains(out, "Nothing is kept") {
		t.Error(out)
	}
}

func TestSubjectAccessFromTheCommandLine(t *testing.T) {
	databaseURL, _, _ := logged(t, "100")
	db := "--database-url=" + databaseURL
	customer := storetest.Query(t, databaseURL, "SELECT min(customer_id) FROM events")[0]
	file := filepath.Join(t.TempDir(), "person.zip")
	out := command(t, "subject-access", "--customer="+customer, "--output="+file, "--actor=Jane Doe", db)
	z, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = z.Close() }()
	bodies := 0
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/body") {
			bodies++
		}
	}
	if bodies == 0 || !strings.Contains(out, fmt.Sprintf("bodies of deliveries    %d", bodies)) {
		t.Errorf("%d bodies: %s", bodies, out)
	}
	if got := storetest.Query(t, databaseURL, "SELECT detail FROM access_log WHERE action = 'subject-access'"); len(got) != 1 || got[0] != "by Jane Doe" {
		t.Errorf("%q", got)
	}
	for name, args := range map[string][]string{
		"nobody": {"--customer=nobody", "--output=" + file, "--actor=x"}, "no actor": {"--customer=" + customer, "--output=" + file}, "no output": {"--customer=" + customer, "--actor=x"},
	} {
		if code, out := outcome(t, append([]string{"subject-access", db}, args...)...); code == 0 {
			t.Errorf("%s: %s", name, out)
		}
	}
}
