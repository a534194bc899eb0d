package httpapi

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aifi-audit/store/aifi"
)

func TestTheStateBeforeIsThatOfAiFisUpdate(t *testing.T) {
	at := func(minute int) *aifi.Statement {
		return &aifi.Statement{Session: &aifi.Session{UpdatedAt: time.Date(2026, 1, 1, 10, minute, 0, 0, time.UTC)}}
	}
	undated, silent := &aifi.Statement{Session: &aifi.Session{}}, &aifi.Statement{}
	for name, c := range map[string]struct {
		said []*aifi.Statement
		want []int
	}{
		"in order":                        {[]*aifi.Statement{at(1), at(2), at(3)}, []int{-1, 0, 1}},
		"an old event with the new state": {[]*aifi.Statement{at(9), at(1), at(2)}, []int{2, -1, 1}},
		"the silent are passed over":      {[]*aifi.Statement{at(1), silent, nil, at(2)}, []int{-1, -1, -1, 0}},
		"without a date, in order":        {[]*aifi.Statement{undated, undated}, []int{-1, 0}},
		"nothing":                         {nil, []int{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, statesBefore(c.said)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
