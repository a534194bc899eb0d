package spool

import (
	"cmp"
	"slices"
)

// Batch is a number of records that were handed out together, oldest first. Its methods
// are for one goroutine. After Done or Retry, and once the spool is closed, they do
// nothing.
type Batch struct {
	Records []Record

	spool   *Spool
	entries []entry // one for each record
}

// handOut makes a batch.
func (s *Spool) handOut(entries []entry) *Batch {
	b := &Batch{spool: s, entries: entries, Records: make([]Record, len(entries))}
	for i := range entries {
		b.Records[i] = entries[i].Record
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches[b] = struct{}{}
	return b
}

// Done says that the records are recorded elsewhere, durably, or were set aside. A
// segment is deleted when all of it is done. Until then a crash brings them again.
func (b *Batch) Done() {
	s := b.spool
	if !s.begin() {
		return
	}
	defer s.calls.Done()
	if s.end(b, func(entry) bool { return false }) {
		s.retire()
	}
}

// Retry gives the records back: they are the first that Next hands out. Those that were
// set aside do not come again.
func (b *Batch) Retry() {
	s := b.spool
	if !s.begin() {
		return
	}
	defer s.calls.Done()
	if s.end(b, func(e entry) bool { return !e.aside }) {
		s.retire()
	}
}

// SetAside keeps the i-th record in damaged/, for good: the caller can never use it. It
// counts as damaged; the reason is logged. Then Done or Retry ends the batch.
func (b *Batch) SetAside(i int, reason string) {
	s := b.spool
	if !s.begin() {
		return
	}
	defer s.calls.Done()
	s.mu.Lock()
	_, out := s.batches[b]
	s.mu.Unlock()
	e := &b.entries[i]
	if !out || e.aside {
		return
	}
	e.aside = true
	s.setAside(e.segment, e.Offset, e.size(), reason)
}

// end takes a batch back. The records for which again is true are handed out again, the
// others are done. It is false if the batch had ended.
func (s *Spool) end(b *Batch, again func(entry) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, out := s.batches[b]; !out {
		return false
	}
	delete(s.batches, b)
	for _, e := range b.entries {
		if again(e) {
			s.putBack(e)
			continue
		}
		e.segment.open--
		e.segment.gone++
		e.segment.goneBytes += e.size()
		if !e.aside {
			s.totals.drained++
		}
	}
	s.tell()
	return true
}

// giveBack has entries that were read, but are in no batch, read again.
func (s *Spool) giveBack(entries []entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		s.putBack(e)
	}
}

// putBack inserts an entry among those to be handed out again. The caller holds mu.
func (s *Spool) putBack(e entry) {
	i, _ := slices.BinarySearchFunc(s.returned, e, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.segment.number, b.segment.number), cmp.Compare(a.Segment, b.Segment), cmp.Compare(a.Offset, b.Offset))
	})
	s.returned = slices.Insert(s.returned, i, e)
}
