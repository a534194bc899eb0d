package bench

import (
	"fmt"
	"io"
)

func (s *Storage) write(w io.Writer) error {
	ratio := Sample{}
	ratio.add(s.Rebuilt.Ratio)
	if _, err := fmt.Fprintf(w, "\nStorage, of %d deliveries, in bytes a delivery. A body has %s; write-ahead log: %s.\n"+
		"Tables and indexes take %s, which is %s times as much, and %s or %s times (%s) once the month is over and its indexes are built anew.\n",
		s.Deliveries, number(s.BodyBytes), number(s.WALBytes), number(s.Written.Bytes), number(s.Written.Ratio),
		number(s.Rebuilt.Bytes), number(s.Rebuilt.Ratio), s.Target.text(&ratio)); err != nil {
		return err
	}
	var t table
	t.add("", "all", "rows", "moved out", "index", "built anew")
	for _, table := range s.Tables {
		if table.written() < leastTold {
			continue
		}
		t.add(table.Name, number(table.written()), number(table.Rows), number(table.Toast), "", "")
		for _, index := range table.Indexes {
			anew := ""
			if index.Rebuilt != index.Written {
				anew = number(index.Rebuilt)
			}
			t.add("  "+index.Name, "", "", "", number(index.Written), anew)
		}
	}
	return t.write(w)
}

// leastTold is how many bytes a delivery make a table worth a line.
const leastTold = 0.5
