// Package pgprivate runs a private PostgreSQL server below the program's data
// directory, from the PostgreSQL programs installed on the machine.
//
// Its invariants:
//
//   - The server listens on one Unix socket, in a directory that only the
//     server's user (and root) can enter, and on no network address.
//   - At most one process owns the server of a data directory: the one that holds
//     the file lock DataDir/postgres.lock. All others attach to its server.
//   - The server does not outlive its owner. [Server.Close] stops it; where the
//     kernel can tell a child of its parent's death (Linux, FreeBSD) it also stops
//     when the owner is killed; elsewhere the next [Start] stops it.
//   - A half-made cluster never becomes DataDir/postgres: initdb works in a
//     directory beside it, which is renamed when it is complete.
//   - The server never runs as root. Started by root, it runs as an unprivileged
//     user, without supplementary groups.
//   - The cluster's files stay as initdb wrote them: settings go on the command
//     line, and so win over postgresql.conf and ALTER SYSTEM.
//   - The server inherits no environment but a short list of harmless variables.
//   - Errors of statements, which can quote the values of rows, do not reach the
//     server's log, DataDir/postgres.log: whoever ran the statement gets them.
//
// It needs a Unix system with flock.
package pgprivate
