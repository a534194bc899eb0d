// Package spool is a durable queue on local disk: what cannot be recorded in the
// database now is appended to it, and read back oldest first when it can.
//
// Its invariants:
//
//   - [Spool.Append] answers nil only after the record is on disk (fsync), and, if it
//     is the first of its file, the file's directory entry too. Whoever waits while
//     the disk is at work shares the next fsync; nobody waits for a timer.
//   - A record answered nil is handed out by [Spool.Next], byte for byte, until its
//     batch is done. One answered with an error is there once or not at all.
//   - There is no cursor on disk. After a restart, all records of a segment that was
//     not drained to its end come again, and so do batches that were not done. Who
//     records them must take a second time for the first; at most the segments that
//     were not yet deleted are concerned.
//   - A damaged record costs itself. A flipped bit in a payload costs that record, one
//     in a header costs what lies before the next intact header. The bytes are kept
//     in Dir/damaged and counted, and the rest goes on.
//   - After a failed fsync a segment is never written again: the kernel may have
//     dropped its pages and call the next fsync good.
//   - Opening reads no record. New records go to a new segment at once; what an
//     earlier process left is read by Next.
//   - No more than Config.MaxBytes lie in Dir, damaged bytes included.
//
// # Files
//
//	Dir/lock                               held by the process that has it open
//	Dir/<number>-<salt>.spool              a segment: records, nothing else
//	Dir/damaged/<segment>-<offset>.bin     the bytes that stood there
//	Dir/damaged/<segment>                  a whole segment, if parts could not be copied
//
// The number has 20 digits and orders segments by age, whatever the clock did. The salt
// is random. A record is a header of 24 bytes and the payload, numbers little-endian:
//
//	 0  magic, F5 53 50 31; no text in UTF-8 has an F5
//	 4  length of the payload
//	 8  time of append, nanoseconds since 1970
//	16  CRC-32C of the payload
//	20  CRC-32C of the segment's name, the record's offset and the 20 bytes above
//
// So a header stands for its own place only. A payload that holds a copy of a record,
// and bytes that the disk kept of a deleted file, are not taken for records when the
// next header is searched for behind damage. A segment must not be renamed.
//
// # Why not a library
//
// Embedded stores keep one structure whole, and one damaged place ends the reading of
// what lies behind it: bbolt panics at a page of the wrong type; tidwall/wal has no
// checksums and does not open if a length in its last file is wrong; hashicorp/raft-wal
// gives up what follows the last intact commit of its tail, and does not verify
// checksums when it reads. Here each record stands alone, and one must never stop the rest.
//
// It needs a Unix system with flock.
package spool
