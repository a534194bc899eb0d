package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"aifi-audit/httpapi"
	"aifi-audit/store"
	"aifi-audit/store/translog"
	"aifi-audit/store/verify"
)

type verifyCommand struct {
	databaseFlags
	Pack            string   `arg:"" optional:"" help:"An evidence pack or a certificate of erasure, which is checked in place of the database: nothing else is needed but --key." type:"existingfile" placeholder:"FILE"`
	LogDir          string   `help:"Where the log's public keys lie, and its newest checkpoint is remembered. Default: log, below --data-dir." env:"AIFI_AUDIT_LOG_DIR" type:"path" placeholder:"DIR"`
	Key             []string `help:"A public key of the log, as 'log init' printed it. Repeatable. Default: those in --log-dir. Best is one that was written down elsewhere." env:"AIFI_AUDIT_VERIFY_KEY" sep:"none" placeholder:"KEY"`
	Incremental     bool     `help:"Open only the leaves behind those of the last verification that found nothing, and those of all acts of staff; it is remembered in --log-dir." env:"AIFI_AUDIT_VERIFY_INCREMENTAL"`
	Anchor          []string `help:"A file with checkpoints from elsewhere, one after another, as --log-anchor-file writes them: the log must begin with each. Repeatable." type:"existingfile" sep:"none" aliases:"checkpoint" env:"AIFI_AUDIT_VERIFY_ANCHOR" placeholder:"FILE"`
	Witness         []string `help:"The public key of a witness, whose cosignatures are checked too. Repeatable." sep:"none" env:"AIFI_AUDIT_VERIFY_WITNESS" placeholder:"KEY"`
	Customer        string   `help:"Of a certificate of erasure: the customer whom it is to be about. Needs --subject-key." env:"AIFI_AUDIT_VERIFY_CUSTOMER"`
	identifierFlags `embed:"" envprefix:"AIFI_AUDIT_VERIFY_"`
	SubjectKey      string `help:"The key that was given out when he was erased." env:"AIFI_AUDIT_VERIFY_SUBJECT_KEY" placeholder:"HEX"`
	JSON            bool   `help:"Print JSON: a line for each finding, and one for the result." env:"AIFI_AUDIT_VERIFY_JSON"`
}

var errFindings = errors.New("the verification has findings")

// Run verifies. It fails unless nothing speaks against the database.
func (c verifyCommand) Run(env *environment) (err error) {
	dir, err := logFlags{LogDir: c.LogDir}.dir(c.databaseFlags)
	if err != nil {
		return err
	}
	verifier, err := c.verifier(dir)
	if err != nil {
		return err
	}
	witnesses, err := c.witnesses()
	if err != nil {
		return err
	}
	if c.Pack != "" {
		return c.file(env, verifier, witnesses)
	}
	url, end, err := c.open(env.ctx, env)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	s, err := store.Open(env.ctx, store.Config{DatabaseURL: url, Logger: env.log, Log: store.LogConfig{Verifier: verifier}})
	if err != nil {
		return err
	}
	defer s.Close()
	return c.verify(env, s, dir, verifier, witnesses)
}

func (c verifyCommand) witnesses() ([]translog.Witness, error) {
	all := make([]translog.Witness, len(c.Witness))
	for i, key := range c.Witness {
		var err error
		if all[i], err = translog.NewWitness(key); err != nil {
			return nil, fmt.Errorf("--witness: %w", err)
		}
	}
	return all, nil
}

func (c verifyCommand) verifier(dir logDir) (*translog.Verifier, error) {
	keys := strings.Join(c.Key, "\n")
	if keys == "" {
		var err error
		if keys, err = dir.public(); err != nil {
			return nil, err
		}
		if keys == "" {
			return nil, errors.New("give the log's public key with --key: its operator handed it out, and shows it with: aifi-audit log keys")
		}
	}
	return translog.NewVerifier(keys)
}

func (c verifyCommand) verify(env *environment, s *store.Store, dir logDir, verifier *translog.Verifier, witnesses []translog.Witness) error {
	started := time.Now()
	shown := newBar(env, -1, "verifying", "leaves")
	o := verify.Options{Witnesses: witnesses, Progress: shown.set, Found: func(f verify.Finding) { c.print(env.stdout, f) }}
	strange, err := c.anchors(env, dir, verifier, &o)
	if err != nil {
		return err
	}
	state := verifiedFile{dir.file("verified.json")}
	if c.Incremental {
		if err = state.load(&o); err != nil {
			return err
		}
	}
	result, err := s.Verify(env.ctx, o)
	shown.end()
	if errors.Is(err, store.ErrNoLog) {
		return err
	}
	if err != nil {
		return fmt.Errorf("verifying: %w", err)
	}
	if strange > 0 {
		result.Findings[verify.Tampered] += strange
	}
	if err := c.summary(env.stdout, result, time.Since(started)); err != nil {
		return err
	}
	if !result.Clean() {
		return errFindings
	}
	if c.LogDir == "" && c.DataDir == "" && len(c.Key) > 0 {
		return nil // somebody else's log: nothing is remembered of it here
	}
	return state.save(result, started)
}

// file verifies an evidence pack or a certificate of erasure.
func (c verifyCommand) file(env *environment, verifier *translog.Verifier, witnesses []translog.Witness) error {
	f, err := os.Open(c.Pack)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	head := make([]byte, 64)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if httpapi.IsCertificate(head[:n]) {
		return c.certificate(env, f, verifier)
	}
	return c.pack(env, f, verifier, witnesses)
}

// certificate verifies a certificate of erasure.
func (c verifyCommand) certificate(env *environment, f io.Reader, verifier *translog.Verifier) error {
	r, err := httpapi.VerifyCertificate(f, verifier)
	var failed *httpapi.Problem
	if errors.As(err, &failed) {
		return fmt.Errorf("%s is neither a pack nor a certificate, but the answer to a request that failed: %w", c.Pack, err)
	}
	if err != nil {
		return fmt.Errorf("the certificate is not good: %w", err)
	}
	about := ""
	if whom := c.of(c.Customer); !whom.Nobody() {
		key, err := hex.DecodeString(c.SubjectKey)
		if err != nil || !store.IsSubject(r.Statement["subject"], key, whom) {
			return errors.New("the certificate is good, but not about this customer; or it is another key")
		}
		about = "it is about this customer\n"
	}
	if c.JSON {
		return json.NewEncoder(env.stdout).Encode(r)
	}
	_, err = fmt.Fprintf(env.stdout, "%s\nthe statement is leaf %d of a log of %d leaves\n%sthe certificate is good\n", r.Text(), r.Leaf, r.Size, about)
	return err
}

// pack verifies an evidence pack.
func (c verifyCommand) pack(env *environment, f *os.File, verifier *translog.Verifier, witnesses []translog.Witness) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	result, err := httpapi.VerifyPack(f, info.Size(), verifier, witnesses, func(f verify.Finding) { c.print(env.stdout, f) })
	if err != nil {
		return err
	}
	if c.JSON {
		err = json.NewEncoder(env.stdout).Encode(struct {
			httpapi.PackResult
			Clean bool `json:"clean"`
		}{result, result.Clean()})
	} else {
		verdict := "everything in the pack is proven, but for its cover and manifest, which summarise it"
		if !result.Clean() {
			verdict = "THERE ARE FINDINGS"
		}
		for _, name := range slices.Sorted(maps.Keys(result.Cosigned)) {
			fmt.Fprintf(env.stdout, "%s has cosigned %d leaves\n", name, result.Cosigned[name])
		}
		_, err = fmt.Fprintf(env.stdout, "%d of %d deliveries proven by a log of %d leaves; %d events\nmanifest SHA-256 %s\nfindings: %s\n%s\n",
			result.Proven, result.Deliveries, result.Size, result.Events, result.Manifest, counted(result.Findings), verdict)
	}
	if err == nil && !result.Clean() {
		err = errFindings
	}
	return err
}

// anchors reads the checkpoints that are known from outside of the database, and counts
// those that are strange.
func (c verifyCommand) anchors(env *environment, dir logDir, verifier *translog.Verifier, o *verify.Options) (strange int, err error) {
	remembered := dir.file("checkpoint")
	for _, name := range append([]string{remembered}, c.Anchor...) {
		text, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) && name == remembered {
			continue
		}
		if err != nil {
			return 0, err
		}
		anchors, found, broken := verify.ReadAnchors(name, text, verifier)
		for _, line := range broken {
			env.log.Warn("a checkpoint that was broken off is passed over", "file", name, "line", line)
		}
		for _, f := range found {
			c.print(env.stdout, f)
		}
		if len(anchors)+len(found) == 0 {
			return 0, fmt.Errorf("%s has no checkpoint", name)
		}
		o.Anchors = append(o.Anchors, anchors...)
		strange += len(found)
	}
	return strange, nil
}

func (c verifyCommand) print(out io.Writer, f verify.Finding) {
	if !c.JSON {
		fmt.Fprintln(out, f)
		return
	}
	line, _ := json.Marshal(f) // text and numbers cannot fail
	fmt.Fprintf(out, "%s\n", line)
}

func (c verifyCommand) summary(out io.Writer, v verify.Result, took time.Duration) error {
	if c.JSON {
		return json.NewEncoder(out).Encode(struct {
			verify.Result
			Clean   bool    `json:"clean"`
			Seconds float64 `json:"seconds"`
		}{v, v.Clean(), took.Seconds()})
	}
	verdict := "nothing speaks against the database"
	if !v.Clean() {
		verdict = "THERE ARE FINDINGS"
	}
	fmt.Fprintf(out, "log of %d leaves, root %s; %d opened in %s; held against %d checkpoints; %d wait in the queue\n",
		v.Size, v.RootHash, v.Leaves, took.Round(time.Millisecond), v.Anchors, v.Waiting)
	for _, name := range slices.Sorted(maps.Keys(v.Cosigned)) {
		fmt.Fprintf(out, "%s has cosigned %d leaves\n", name, v.Cosigned[name])
	}
	for _, a := range v.Adopted {
		fmt.Fprintf(out, "%d acts of staff had no leaf until %s, when they were adopted: the log says nothing of the time before\n", a.Acts, a.At.Format(time.RFC3339))
	}
	for _, what := range v.Unchecked {
		fmt.Fprintf(out, "NOT CHECKED: %s\n", what)
	}
	_, err := fmt.Fprintf(out, "findings: %s\n%s\n", counted(v.Findings), verdict)
	return err
}

// counted tells how many findings there are of each class.
func counted(findings map[verify.Class]int) string {
	var parts []string
	for _, class := range slices.Sorted(maps.Keys(findings)) {
		parts = append(parts, fmt.Sprintf("%s %d", class, findings[class]))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// verifiedFile remembers the tree that was verified last, and when.
type verifiedFile struct{ path string }

type verified struct {
	Size     int64     `json:"size"`
	RootHash tlog.Hash `json:"rootHash"`
	Acts     tlog.Hash `json:"acts"` // zero: by a build that did not tell
	At       time.Time `json:"at"`
}

// overlap is how far before the last verification the next looks for rows that the
// log does not know: a delivery may be written some time after it was received.
const overlap = 48 * time.Hour

// load has a verification begin where the last one ended. Without one, or with one that
// remembered less than is needed, it verifies all.
func (f verifiedFile) load(o *verify.Options) error {
	text, err := os.ReadFile(f.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var v verified
	if err := json.Unmarshal(text, &v); err != nil || v.Size < 0 {
		return fmt.Errorf("%s: %w", f.path, errors.Join(errors.New("it is not what the last verification wrote"), err))
	}
	if v.Acts != (tlog.Hash{}) {
		o.From, o.FromActs, o.Since = tlog.Tree{N: v.Size, Hash: v.RootHash}, v.Acts, v.At.Add(-overlap)
	}
	return nil
}

func (f verifiedFile) save(v verify.Result, at time.Time) error {
	text, err := json.Marshal(verified{v.Size, v.RootHash, v.Acts, at})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return err
	}
	return store.WriteDurably(f.path, append(text, '\n'), 0o600)
}
