package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"aifi-audit/store"
	"aifi-audit/store/pgprivate"
	"aifi-audit/store/translog"
)

// logFlags say where the log's keys are, and what is remembered outside of the database.
type logFlags struct {
	LogDir string `help:"Where the log's keys lie, and its newest checkpoint is remembered: not in the database, nor in its backups. Default: log, below --data-dir." env:"AIFI_AUDIT_LOG_DIR" type:"path" placeholder:"DIR"`
	LogKey string `help:"The log's signing keys themselves, one a line, in place of the file. Better as environment variable: others on this machine can read flags." env:"AIFI_AUDIT_LOG_KEY" placeholder:"KEY"`
}

// logDir is a directory with these files:
//
//	key         the signing keys, one a line, the newest first; for nobody else to read
//	key.pub     the public keys, also those of former signing keys
//	checkpoint  the newest checkpoint that was signed
type logDir string

func (f logFlags) dir(d databaseFlags) (logDir, error) {
	if f.LogDir != "" {
		return logDir(f.LogDir), nil
	}
	dir := d.DataDir
	if dir == "" {
		var err error
		if dir, err = pgprivate.DefaultDataDir(); err != nil {
			return "", err
		}
	}
	return logDir(filepath.Join(dir, "log")), nil
}

func (d logDir) file(name string) string { return filepath.Join(string(d), name) }

var errNoKey = errors.New("there is no signing key of the log; make one with `aifi-audit log init`")

// signing reads the signing keys from the file; errNoKey if there is none.
func (d logDir) signing() (string, error) {
	name := d.file("key")
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", errNoKey
	}
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s can be read by others; say: chmod 600 %s", name, name)
	}
	keys, err := os.ReadFile(name)
	return string(keys), err
}

// public reads the public keys; none if there is no file.
func (d logDir) public() (string, error) {
	keys, err := os.ReadFile(d.file("key.pub"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(keys), err
}

// add makes a key and puts it before those that are there.
func (d logDir) add(name string, signing string) (public string, err error) {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return "", err
	}
	key, public, err := translog.NewKey(rand.Reader, name)
	if err != nil {
		return "", err
	}
	published, err := d.public()
	if err != nil {
		return "", err
	}
	// The public key first: a signature that nobody can check is worth nothing.
	if err := store.WriteDurably(d.file("key.pub"), []byte(public+"\n"+published), 0o644); err != nil {
		return "", err
	}
	return public, store.WriteDurably(d.file("key"), []byte(key+"\n"+signing), 0o600)
}

// config is what a server needs to sign. own says that the database is this
// program's own: then it makes its own key too.
func (f logFlags) config(env *environment, d databaseFlags, own bool) (store.LogConfig, error) {
	dir, err := f.dir(d)
	if err != nil {
		return store.LogConfig{}, err
	}
	keys := f.LogKey
	if keys == "" {
		keys, err = dir.signing()
		if errors.Is(err, errNoKey) && own {
			host, err := os.Hostname()
			if err != nil {
				return store.LogConfig{}, err
			}
			public, err := dir.add("aifi-audit/"+host, "")
			if err != nil {
				return store.LogConfig{}, fmt.Errorf("making the log's key: %w", err)
			}
			env.log.Info("made a signing key for the log", "file", dir.file("key"), "public", public)
			return f.config(env, d, false)
		}
		if errors.Is(err, errNoKey) {
			env.log.Warn("the log is not signed: deliveries are kept, but nothing shows yet that they stay as they are", "reason", err)
			return dir.reading()
		}
		if err != nil {
			return store.LogConfig{}, err
		}
	}
	signer, err := translog.NewSigner(keys)
	if err != nil {
		return store.LogConfig{}, err
	}
	if err := os.MkdirAll(string(dir), 0o700); err != nil {
		return store.LogConfig{}, err
	}
	published, err := dir.public()
	if err != nil {
		return store.LogConfig{}, err
	}
	verifier, err := translog.NewVerifier(strings.Join(signer.Verifiers(), "\n") + "\n" + published)
	if err != nil {
		return store.LogConfig{}, err
	}
	return store.LogConfig{Signer: signer, Verifier: verifier, Memory: dir.file("checkpoint")}, nil
}

// unsigned is what a server goes on with that has a file of keys which cannot be used: what
// is sent only once must be kept all the same.
func (f logFlags) unsigned(env *environment, d databaseFlags, why error) store.LogConfig {
	env.log.Error("THE LOG IS NOT SIGNED: its key cannot be used; deliveries are kept, but nothing shows yet that they stay as they are", "reason", why)
	var config store.LogConfig
	if dir, err := f.dir(d); err == nil {
		if config, err = dir.reading(); err != nil {
			env.log.Error("nor can the log be read", "reason", err)
		}
	}
	config.Unusable = why
	return config
}

// reading is what is needed to read the log without signing; nothing if there are no
// public keys.
func (d logDir) reading() (store.LogConfig, error) {
	published, err := d.public()
	if err != nil || published == "" {
		return store.LogConfig{}, err
	}
	verifier, err := translog.NewVerifier(published)
	return store.LogConfig{Verifier: verifier}, err
}

type logCommand struct {
	Init   logInitCommand   `cmd:"" help:"Make the key that signs the log's checkpoints, and print the public key. Give that to whoever is to check."`
	Rotate logRotateCommand `cmd:"" help:"Make a new key. Until 'log retire', checkpoints are signed by both. Restart the server."`
	Retire logRetireCommand `cmd:"" help:"Forget all signing keys but the newest. Checkpoints that they signed can still be checked. Restart the server."`
	Accept logAcceptCommand `cmd:"" help:"Go on signing after the database lost a part of the log, as by an old backup. It leaves a trace in the log. A dry run until --confirm."`
	Adopt  logAdoptCommand  `cmd:"" help:"Have the log speak, from now on, of what staff wrote and it does not know. It leaves a trace in the log. A dry run until --confirm."`
	Keys   logKeysCommand   `cmd:"" help:"Print the public keys, newest first."`
}

// keyFlags find the key files without a database.
type keyFlags struct {
	DataDir string `help:"The data directory." env:"AIFI_AUDIT_DATA_DIR" type:"path" placeholder:"DIR"`
	LogDir  string `help:"Where the log's keys lie. Default: log, below --data-dir." env:"AIFI_AUDIT_LOG_DIR" type:"path" placeholder:"DIR"`
}

func (f keyFlags) dir() (logDir, error) {
	return logFlags{LogDir: f.LogDir}.dir(databaseFlags{DataDir: f.DataDir})
}

type logInitCommand struct {
	keyFlags
	Name string `help:"The log's name, which every checkpoint carries: unique, like a URL without its scheme, as audit.example.com/log." required:"" env:"AIFI_AUDIT_LOG_NAME"`
}

// Run makes the first key.
func (c logInitCommand) Run(env *environment) error {
	dir, err := c.dir()
	if err != nil {
		return err
	}
	if _, err := dir.signing(); !errors.Is(err, errNoKey) {
		return errors.Join(fmt.Errorf("%s is there already; a new key comes by `aifi-audit log rotate`", dir.file("key")), err)
	}
	return addKey(env, dir, c.Name, "")
}

func addKey(env *environment, dir logDir, name, signing string) error {
	public, err := dir.add(name, signing)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(env.stdout, public)
	return err
}

type logRotateCommand struct{ keyFlags }

// Run makes the next key.
func (c logRotateCommand) Run(env *environment) error {
	dir, err := c.dir()
	if err != nil {
		return err
	}
	keys, err := dir.signing()
	if err != nil {
		return err
	}
	signer, err := translog.NewSigner(keys)
	if err != nil {
		return err
	}
	return addKey(env, dir, signer.Origin(), keys)
}

type logRetireCommand struct{ keyFlags }

// Run keeps the newest key only.
func (c logRetireCommand) Run(*environment) error {
	dir, err := c.dir()
	if err != nil {
		return err
	}
	keys, err := dir.signing()
	if err != nil {
		return err
	}
	if _, err := translog.NewSigner(keys); err != nil {
		return err
	}
	newest, _, _ := strings.Cut(strings.TrimSpace(keys), "\n")
	return store.WriteDurably(dir.file("key"), []byte(newest+"\n"), 0o600)
}

type logKeysCommand struct{ keyFlags }

// Run prints the public keys.
func (c logKeysCommand) Run(env *environment) error {
	dir, err := c.dir()
	if err != nil {
		return err
	}
	keys, err := dir.public()
	if err != nil {
		return err
	}
	if keys == "" {
		return errNoKey
	}
	_, err = fmt.Fprint(env.stdout, keys)
	return err
}
