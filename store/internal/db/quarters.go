package db

import (
	"fmt"

	"github.com/jackc/pgx/v5/pgtype"
)

// QuartersOfDay is how many quarters of an hour a day has.
const QuartersOfDay = 96

// Quarters are the counts of the quarters of an hour of a day of UTC. It is read from
// an array that has only those from the first with events to the last.
type Quarters struct {
	Events [QuartersOfDay]int32
	first  int // where the array begins
}

// SetDimensions implements pgtype.ArraySetter.
func (q *Quarters) SetDimensions(d []pgtype.ArrayDimension) error {
	*q = Quarters{}
	if len(d) == 0 {
		return nil
	}
	q.first = int(d[0].LowerBound)
	if len(d) != 1 || q.first < 0 || q.first+int(d[0].Length) > QuartersOfDay {
		return fmt.Errorf("an array of %v is not that of the quarters of a day", d)
	}
	return nil
}

// ScanIndex implements pgtype.ArraySetter.
func (q *Quarters) ScanIndex(i int) any { return &q.Events[q.first+i] }

// ScanIndexType implements pgtype.ArraySetter.
func (q *Quarters) ScanIndexType() any { return new(int32) }
