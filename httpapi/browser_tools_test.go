package httpapi_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The tools that look at the page. They are for tests only, and npm installs them:
// .ci/run does, or the first run of a test that needs one.
const (
	axeVersion        = "4.11.1"
	lighthouseVersion = "12.8.2" // the last that runs with the Node.js of Debian 12
)

// npmTool is the path of a file of a package, which the environment variable names if
// it is set.
func npmTool(t *testing.T, variable, name, version, file string) string {
	t.Helper()
	if path := os.Getenv(variable); path != "" {
		return path
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "aifi-audit-test", name+"-"+version)
	path := filepath.Join(dir, "node_modules", name, file)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		out, err := exec.CommandContext(t.Context(), "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", dir, name+"@"+version).CombinedOutput()
		if err != nil {
			t.Fatalf("this test needs %s %s: install npm, or name its %s in the environment variable %s\n%v\n%s", name, version, file, variable, err, out)
		}
	}
	return path
}
