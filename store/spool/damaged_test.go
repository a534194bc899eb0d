package spool

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every single bit of a segment is flipped in turn: that costs the record it is in, whose
// bytes are kept, and no other.
func TestEveryBit(t *testing.T) {
	payloads := [][]byte{[]byte("first"), []byte("second " + magic), {}, []byte("the last")}
	whole := segmentOf(someSegment, payloads...)
	intactOnes := pieces(t, whole, someSegment)
	for bit := range 8 * len(whole) {
		files := newMemFS()
		must(t, files.MakeDir(testDir))
		flipped := bytes.Clone(whole)
		flipped[bit/8] ^= 1 << (bit % 8)
		files.dirs[testDir].live[someSegment] = &inode{live: flipped}
		s := mustOpen(t, testConfig(files))

		var want []string
		var lost piece
		for _, p := range intactOnes {
			if at := int64(bit / 8); at >= p.offset && at < p.offset+p.size {
				lost = p
				continue
			}
			want = append(want, string(p.payload))
		}
		b := mustNext(t, s, 9, 1000)
		wantTexts(t, b, want...)
		b.Done()
		must(t, s.Close())
		kept := files.files(filepath.Join(testDir, damagedDir), "")
		wantKept := map[string][]byte{asideName(someSegment, lost.offset): flipped[lost.offset : lost.offset+lost.size]}
		if diff := cmp.Diff(wantKept, kept); diff != "" {
			t.Fatalf("bit %d: kept (-want +got):\n%s", bit, diff)
		}
		if st := s.Stats(); st.Damaged != 1 || st.DamagedBytes != lost.size || st.Segments != 0 {
			t.Fatalf("bit %d: %+v", bit, st)
		}
	}
}

// A payload that is itself a segment, or holds one, is not taken for records when its own
// header is damaged: not even if it was copied from this very segment.
func TestForgedRecords(t *testing.T) {
	inner := segmentOf(someSegment, []byte("forged"))
	whole := segmentOf(someSegment, append(bytes.Repeat([]byte(magic), 9), inner...), []byte("true"))
	whole[5] ^= 1
	var got []string
	for _, p := range pieces(t, whole, someSegment) {
		got = append(got, string(p.payload))
	}
	if diff := cmp.Diff([]string{"", "true"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if all := pieces(t, inner, segmentName(7, 0)); len(all) != 1 || all[0].kind != damaged {
		t.Errorf("a record of another segment is taken: %+v", all)
	}
}

// What is behind a stretch that cannot be read comes, after many attempts; the segment is
// kept, since the stretch could not be copied.
func TestUnreadablePlace(t *testing.T) {
	files := newMemFS()
	must(t, files.MakeDir(testDir))
	big := bytes.Repeat([]byte("x"), 3*blockBytes)
	whole := segmentOf(someSegment, []byte("first"), big, []byte("second"), big, []byte("third"))
	node := &inode{live: whole}
	files.dirs[testDir].live[someSegment] = node
	all := pieces(t, whole, someSegment)
	config := testConfig(files)
	config.FS = badSectors{files, []int64{all[1].offset + 100, all[3].offset + 3}}
	s := mustOpen(t, config)
	failures := 0
	var got []string
	for len(got) < 3 && failures < 3*readAttempts {
		b, err := s.Next(t.Context(), 1, 1)
		if err != nil {
			failures++
			continue
		}
		got = append(got, texts(b)...)
		b.Done()
	}
	if diff := cmp.Diff([]string{"first", "second", "third"}, got); diff != "" {
		t.Errorf("after %d failures (-want +got):\n%s", failures, diff)
	}
	must(t, s.Close())
	kept := files.files(filepath.Join(testDir, damagedDir), "")
	if diff := cmp.Diff(map[string][]byte{someSegment: whole}, kept); diff != "" {
		t.Error("the segment is not kept")
	}
}

// badSectors is a file system on which some bytes cannot be read.
type badSectors struct {
	*memFS
	at []int64
}

func (f badSectors) Open(path string) (File, error) {
	file, err := f.memFS.Open(path)
	return badFile{file, f.at}, err
}

type badFile struct {
	File
	at []int64
}

func (f badFile) ReadAt(b []byte, off int64) (int, error) {
	for _, at := range f.at {
		if at >= off && at < off+int64(len(b)) {
			return 0, syscall.EIO
		}
	}
	return f.File.ReadAt(b, off)
}

// That no file can be opened says nothing of those that wait, however long it lasts.
func TestNoFileCanBeOpened(t *testing.T) {
	files := newMemFS()
	config := testConfig(files)
	some := &noFiles{memFS: files}
	config.FS = some
	s := mustOpen(t, config)
	mustAppend(t, s, "first")
	some.refuses = 5 * readAttempts
	for some.refuses > 0 {
		if b, err := s.Next(t.Context(), 1, 1); !errors.Is(err, syscall.EMFILE) {
			t.Fatalf("got %v, %v", b, err)
		}
		if st := s.Stats(); st.Records != 1 || st.Damaged != 0 {
			t.Fatalf("got %+v", st)
		}
	}
	b := mustNext(t, s, 1, 1)
	wantTexts(t, b, "first")
	b.Done()
	must(t, s.Close())
}

// noFiles is a file system on which some attempts to open a file are one too many.
type noFiles struct {
	*memFS
	refuses int
}

func (f *noFiles) Open(path string) (File, error) {
	if f.refuses > 0 {
		f.refuses--
		return nil, &fs.PathError{Op: "open", Path: path, Err: syscall.EMFILE}
	}
	return f.memFS.Open(path)
}

// Segments that cannot be opened, or vanish, and files of others do not stop the rest.
func TestStrangeFiles(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, segmentName(1, 1)), 0o700)) // a directory
	must(t, os.Mkdir(filepath.Join(dir, "lost+found"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "99999999999999999999-0000000000000000.spool"), []byte("x"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("x"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, segmentName(3, 3)), segmentOf(segmentName(3, 3), []byte("vanishes")), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, segmentName(4, 4)), segmentOf(segmentName(4, 4), []byte("stays")), 0o600))
	s := mustOpen(t, Config{Dir: dir})
	must(t, os.Remove(filepath.Join(dir, segmentName(3, 3))))
	mustAppend(t, s, "new")
	b := mustNext(t, s, 9, 100)
	wantTexts(t, b, "stays", "new")
	b.Done()
	must(t, s.Close())
	want := []string{"99999999999999999999-0000000000000000.spool", "notes.txt"}
	if diff := cmp.Diff(want, names(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestInspect(t *testing.T) {
	dir := t.TempDir()
	whole := segmentOf(someSegment, []byte("first"), []byte("second"), []byte("third"), []byte("torn"))
	whole[29+headerBytes] ^= 1
	must(t, os.WriteFile(filepath.Join(dir, someSegment), whole[:len(whole)-1], 0o600))
	s := mustOpen(t, Config{Dir: dir, Now: testNow})
	mustAppend(t, s, "new")
	var got []string
	var read, total int64
	report, err := Inspect(t.Context(), dir, Inspection{
		Record:   func(r Record) error { got = append(got, string(r.Payload)); return nil },
		Progress: func(r, all int64) { read, total = r, all },
	})
	must(t, err)
	if diff := cmp.Diff([]string{"first", "third", "new"}, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	want := Report{
		Segments: 2, Bytes: int64(len(whole)) - 1 + 27, Records: 3, Damaged: 1, DamagedBytes: 30, Torn: 1, TornBytes: 27,
		Oldest: testNow(), Newest: testNow(),
	}
	if diff := cmp.Diff(want, report); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if read != total || total != want.Bytes {
		t.Errorf("progress %d of %d", read, total)
	}
	b := mustNext(t, s, 9, 100) // nothing was changed
	wantTexts(t, b, "first", "third", "new")
	b.Done()
	report, err = Inspect(t.Context(), dir, Inspection{})
	must(t, err)
	if report.AsideFiles != 1 || report.AsideBytes != 30 {
		t.Errorf("got %+v", report)
	}
	if _, err := Inspect(t.Context(), filepath.Join(dir, "none"), Inspection{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
