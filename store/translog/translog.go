// Package translog is the arithmetic of the transparency log over deliveries: what
// a leaf holds, how commitments are salted, how leaves make a tree of tiles, how
// checkpoints are signed, and how all of that is checked. It does no I/O.
//
// The tree is that of RFC 6962, in tiles of height 8, through golang.org/x/mod's
// sumdb/tlog. Checkpoints are signed notes in the C2SP format (c2sp.org/tlog-checkpoint).
// The only cryptography here is HMAC-SHA-256, and HKDF over it; tests hold both against
// the standard library's.
//
// Its invariants:
//
//   - A [Leaf] tells of a delivery its id, time, store and webhook, and nothing else:
//     the body and the facts stand behind commitments that cannot be guessed at
//     without their salts.
//   - Body and facts have salts that can be deleted one without the other: see [Secret].
//   - Hashes that a [Reader] returns are proven to be in the tree that it reads: a
//     changed tile is an error, never a wrong proof.
//   - Encodings are canonical: equal values have equal bytes, and no two values share
//     theirs.
package translog
