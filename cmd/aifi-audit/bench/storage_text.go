package bench

import (
	"fmt"
	"io"
)

func (s *Storage) write(w io.Writer) error {
	ratio := Sample{}
	ratio.add(s.Ratio)
	if _, err := fmt.Fprintf(w, "\nStorage, of %d deliveries, in bytes a delivery. A body has %s; tables and indexes take %s, which is %s times as much (%s); write-ahead log: %s.\n",
		s.Deliveries, number(s.BodyBytes), number(s.Bytes), number(s.Ratio), s.Target.text(&ratio), number(s.WALBytes)); err != nil {
		return err
	}
	var t table
	t.add("", "all", "rows", "moved out", "index")
	for _, table := range s.Tables {
		if table.bytes() < leastTold {
			continue
		}
		t.add(table.Name, number(table.bytes()), number(table.Rows), number(table.Toast), "")
		for _, index := range table.Indexes {
			t.add("  "+index.Name, "", "", "", number(index.Bytes))
		}
	}
	return t.write(w)
}

// leastTold is how many bytes a delivery make a table worth a line.
const leastTold = 0.5
