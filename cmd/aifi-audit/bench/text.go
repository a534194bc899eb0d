package bench

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer) error {
	parts := []func(io.Writer) error{r.writeMachine}
	if r.Ingest != nil {
		parts = append(parts, r.Ingest.write)
	}
	if r.Latency != nil {
		parts = append(parts, r.Latency.write)
	}
	if r.Storage != nil {
		parts = append(parts, r.Storage.write)
	}
	if r.Search != nil {
		parts = append(parts, r.Search.write)
	}
	if r.Export != nil {
		parts = append(parts, r.Export.write)
	}
	for _, part := range parts {
		if err := part(w); err != nil {
			return err
		}
	}
	return nil
}

func (r *Report) writeMachine(w io.Writer) error {
	m, s := r.Machine, r.Settings
	where := "given"
	if m.Private {
		where = "private, on " + cmp.Or(m.FileSystem, "an unknown file system")
	}
	var settings []string
	for _, name := range slices.Sorted(maps.Keys(m.Settings)) {
		settings = append(settings, name+"="+m.Settings[name])
	}
	_, err := fmt.Fprintf(w, "%s, %d cores %s, %d MB of memory, load %.2f before the run; %s\nPostgreSQL %s (%s): %s\n"+
		"%d simulated shops, %d connections, %d turns of %s s. Figures are medians of the turns (the lowest to the highest).\n",
		m.System, m.Cores, m.Processor, m.MemoryMB, m.Load, m.Go, m.PostgreSQL, where, strings.Join(settings, " "),
		s.Stores, s.Connections, s.Repetitions, number(s.Seconds))
	for _, warning := range r.Warnings {
		if err == nil {
			_, err = fmt.Fprintf(w, "WARNING: %s.\n", warning)
		}
	}
	return err
}
