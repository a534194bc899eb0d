package pgprivate

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// reserved settings are those that the package itself stands on.
var reserved = []string{
	"listen_addresses", "port", "unix_socket_directories", "unix_socket_permissions", "unix_socket_group",
	"data_directory", "config_file", "hba_file", "ident_file", "external_pid_file",
	"log_destination", "logging_collector", "lc_messages", "single_user",
}

var settingName = regexp.MustCompile(`^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$`)

// checkSettings returns the settings with names in lower case, as the server sees
// them.
func checkSettings(given map[string]string) (map[string]string, error) {
	settings := make(map[string]string, len(given))
	for name, value := range given {
		key := strings.ToLower(name)
		_, twice := settings[key]
		switch {
		case !settingName.MatchString(key):
			return nil, fmt.Errorf("%q is not the name of a PostgreSQL setting", name)
		case slices.Contains(reserved, key):
			return nil, fmt.Errorf("setting %s of a private PostgreSQL cannot be changed", key)
		case twice:
			return nil, fmt.Errorf("setting %s is given twice", key)
		case strings.ContainsRune(value, 0):
			return nil, fmt.Errorf("the value of setting %s holds a NUL", key)
		}
		settings[key] = value
	}
	return settings, nil
}

// durable reports whether the settings leave fsync on, as a test would not.
func durable(settings map[string]string) bool {
	switch strings.ToLower(settings["fsync"]) {
	case "off", "false", "no", "0":
		return false
	}
	return true
}

// serverArgs are the server's arguments: our defaults, over them what is given,
// over that what must be.
func serverArgs(cluster, socketDir string, given map[string]string) []string {
	settings := map[string]string{
		"cluster_name":    userAndDatabase,
		"max_connections": "100",
		"max_wal_size":    "2GB",
		"shared_buffers":  strconv.Itoa(sharedBuffersMB(memory())) + "MB",
		"timezone":        "UTC",
		"log_timezone":    "UTC",
	}
	maps.Copy(settings, given)
	maps.Copy(settings, map[string]string{
		"listen_addresses":        "",
		"port":                    strconv.Itoa(socketPort),
		"unix_socket_directories": socketDir,
		"unix_socket_permissions": "0700",
		"log_destination":         "stderr",
		"logging_collector":       "off",
		"lc_messages":             "C", // we look for some messages
	})
	args := []string{"-D", cluster}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	return args
}

// addCompression has the WAL compressed by lz4, which costs next to nothing, if
// the server was built with it: it does not start with a setting that it does not
// know.
func addCompression(ctx context.Context, who identity, bins binaries, cluster string, settings map[string]string) {
	const name = "wal_compression"
	if _, given := settings[name]; given {
		return
	}
	err := who.command(ctx, cluster, bins.program("postgres"), "-D", cluster, "-c", name+"=lz4", "-C", name).Run()
	if err == nil {
		settings[name] = "lz4"
	}
}

// sharedBuffersMB is a quarter of the memory, within limits: beyond them this
// workload, mostly writes, gains little.
func sharedBuffersMB(memory uint64) int {
	return int(min(max(memory/4>>20, 128), 1024))
}
