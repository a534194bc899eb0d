package bench

import (
	"fmt"
	"io"
)

func (m *Export) write(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "\nExport of %d rows, from a database of %d events.\n", m.Rows, m.Events); err != nil {
		return err
	}
	var t table
	t.add("", "rows a second", "MB a second", "server is", "target", "memory grew by MB", "target")
	t.add("CSV over HTTP", m.Server.Rows.text(), m.Server.MB.text(), "", "", m.MemoryMB.text(), m.MemoryTarget.text(m.MemoryMB))
	t.add(`psql \copy`, m.PSQL.Rows.text(), m.PSQL.MB.text(), m.Ratio.text()+" times", m.Target.text(&m.Ratio), "", "")
	if err := t.write(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "  CSV over HTTP: %s.\n  psql \\copy: %s.\n", m.Server.About, m.PSQL.About)
	return err
}
