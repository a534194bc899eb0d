package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"
)

// Inspection says what to do with what is found. Both functions may be nil.
type Inspection struct {
	// Record is called with each intact record, oldest first. An error ends the
	// inspection and is returned.
	Record func(Record) error
	// Progress is called now and then with the bytes of segments read so far, and
	// their sum when the inspection began.
	Progress func(read, total int64)
}

// Report is what an inspection has found.
type Report struct {
	Segments int   // files with records
	Bytes    int64 // in them
	Records  int64 // intact ones
	// Damaged pieces in the segments, which a server has not come to yet.
	Damaged, DamagedBytes int64
	// Torn records at the end of segments, as a crash leaves them, or one that is being
	// written now.
	Torn, TornBytes int64
	// Unreadable segments: they could not be opened.
	Unreadable int
	// Oldest and Newest are times of append of intact records.
	Oldest, Newest time.Time
	// AsideFiles were set aside earlier, and lie in damaged/.
	AsideFiles, AsideBytes int64
}

// Add adds what was found in another directory.
func (r *Report) Add(other Report) {
	r.Segments += other.Segments
	r.Bytes += other.Bytes
	r.Records += other.Records
	r.Damaged += other.Damaged
	r.DamagedBytes += other.DamagedBytes
	r.Torn += other.Torn
	r.TornBytes += other.TornBytes
	r.Unreadable += other.Unreadable
	r.AsideFiles += other.AsideFiles
	r.AsideBytes += other.AsideBytes
	if r.Oldest.IsZero() || !other.Oldest.IsZero() && other.Oldest.Before(r.Oldest) {
		r.Oldest = other.Oldest
	}
	if other.Newest.After(r.Newest) {
		r.Newest = other.Newest
	}
}

// Inspect reads all that is in a spool's directory, verifies it, and changes nothing. It
// takes no lock, so a server may have the spool open: then segments that it deletes
// meanwhile are left out, and records that it appends meanwhile need not be found. A
// directory that is not there is an error.
func Inspect(ctx context.Context, dir string, in Inspection) (Report, error) {
	return inspect(ctx, osFS{}, dir, in)
}

func inspect(ctx context.Context, files FS, dir string, in Inspection) (Report, error) {
	var r Report
	list, err := files.List(dir)
	if err != nil {
		return r, fmt.Errorf("inspect spool: %w", err)
	}
	aside, err := files.List(filepath.Join(dir, damagedDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("inspect spool: %w", err)
	}
	for _, f := range aside {
		r.AsideFiles++
		r.AsideBytes += f.Size
	}
	segments := segmentsOf(list)
	var before, total int64
	for _, g := range segments {
		total += g.size
	}
	for _, g := range segments {
		file, err := files.Open(filepath.Join(dir, g.name))
		switch {
		case err == nil:
			r.Segments++
			r.Bytes += g.size
			err = r.scan(ctx, newScanner(file, g.name, g.end), g.name, in.Record, func(read int64) {
				if in.Progress != nil {
					in.Progress(before+read, total)
				}
			})
			_ = file.Close() // it is only read
			if err != nil {
				return r, fmt.Errorf("inspect spool: %w", err)
			}
		case !errors.Is(err, fs.ErrNotExist):
			r.Unreadable++
		}
		before += g.size
	}
	return r, nil
}

// scan reads one segment.
func (r *Report) scan(ctx context.Context, sc *scanner, name string, each func(Record) error, progress func(read int64)) error {
	const step = 1 << 20
	for told := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		p, err := sc.next(true)
		if errors.Is(err, io.EOF) {
			progress(sc.end)
			return nil
		}
		if err != nil {
			return err
		}
		switch p.kind {
		case intact:
			r.Records++
			if r.Oldest.IsZero() || p.at.Before(r.Oldest) {
				r.Oldest = p.at
			}
			if p.at.After(r.Newest) {
				r.Newest = p.at
			}
			if each != nil {
				if err := each(Record{Payload: p.payload, AppendedAt: p.at, Segment: name, Offset: p.offset}); err != nil {
					return err
				}
			}
		case damaged:
			r.Damaged++
			r.DamagedBytes += p.size
		case torn:
			r.Torn++
			r.TornBytes += p.size
		}
		if sc.pos-told >= step {
			told = sc.pos
			progress(told)
		}
	}
}
