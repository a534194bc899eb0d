package main

import (
	"math"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"aifi-audit/httpapi"
)

// What the flags say if nothing is said is what the server takes by itself, but that
// staff have a limit.
func TestLimitFlags(t *testing.T) {
	parse := func(args ...string) limitFlags {
		var f limitFlags
		parser, err := kong.New(&f)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(args); err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := parse()
	if diff := cmp.Diff(httpapi.Limits{StaffRate: 100}.WithDefaults(), f.limits()); diff != "" || f.MaxBody != httpapi.DefaultMaxBody {
		t.Error(diff)
	}
	t.Setenv("AIFI_AUDIT_MAX_CONNECTIONS", "7")
	t.Setenv("AIFI_AUDIT_READ_TIMEOUT", "3s")
	if l := parse("--read-timeout=4s").limits(); l.Connections != 7 || l.ReadTimeout != 4*time.Second {
		t.Errorf("the limits are %+v", l)
	}
	for name, args := range map[string][]string{
		"no body": {"--max-body=0"}, "no connection": {"--max-connections=0"}, "a negative time": {"--header-timeout=-1s"},
		"less memory than a body": {"--max-body-memory=1000"}, "a negative rate": {"--ingest-rate=-1"}, "no rate": {"--staff-rate=NaN"},
	} {
		if err := parse(args...).check(); err == nil {
			t.Errorf("%s passes", name)
		}
	}
	if err := f.check(); err != nil {
		t.Error(err)
	}
}

func TestConnectionsWithinFiles(t *testing.T) {
	for _, c := range []struct {
		most  int
		files uint64
		want  int
	}{
		{2048, 1 << 20, 2048}, {2048, 2112, 2048}, {2048, 1024, 960}, {2048, 64, 32}, {2048, 1, 1}, {2048, 0, 1}, {7, 64, 7}, {2048, math.MaxUint64, 2048},
	} {
		if got := connectionsWithin(c.most, c.files); got != c.want {
			t.Errorf("%d connections with %d files: %d instead of %d", c.most, c.files, got, c.want)
		}
	}
}
