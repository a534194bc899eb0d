package pgprivate

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// socketPort is part of the socket's file name only: the server has no network.
const socketPort = 5432

// maxSocketPath is the longest path that fits struct sockaddr_un, whose last byte
// is NUL.
func maxSocketPath() int {
	if runtime.GOOS == "linux" {
		return 107
	}
	return 103
}

// socketDirs lists the places for the socket, best first. The later ones are for
// data directories whose path is too long; their names come from a hash of it, so
// that they are the same at each start.
func (l layout) socketDirs() []string {
	path := l.dataDir
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		path = resolved
	}
	sum := sha256.Sum256([]byte(path))
	name := "aifi-audit-" + hex.EncodeToString(sum[:8])
	return []string{
		filepath.Join(l.dataDir, "postgres-socket"),
		filepath.Join(os.TempDir(), name),
		filepath.Join("/tmp", name),
	}
}

// makeSocketDir makes the first directory of the list that is fit for a socket. A
// place that exists but is not ours is an error, not a reason to go on: somebody
// has put it there.
func (l layout) makeSocketDir(who identity) (string, error) {
	var refused []string
	for _, dir := range l.socketDirs() {
		if !fitsSocket(dir) {
			refused = append(refused, dir+" is too long or has a character that a list of directories cannot hold")
			continue
		}
		if err := who.checkReach(filepath.Dir(dir)); err != nil {
			refused = append(refused, err.Error())
			continue
		}
		if err := ownedDir(dir, who); err != nil {
			return "", fmt.Errorf("socket directory: %w", err)
		}
		return dir, nil
	}
	return "", fmt.Errorf("no place for the server's socket: %s", strings.Join(refused, "; "))
}

// fitsSocket excludes what PostgreSQL or its clients would take for a list of
// directories, or for a name in Linux's abstract name space.
func fitsSocket(dir string) bool {
	socket := fmt.Sprintf("%s/.s.PGSQL.%d", dir, socketPort)
	return len(socket) <= maxSocketPath() && !strings.ContainsAny(dir, "\",\n\r") && strings.HasPrefix(dir, "/")
}
