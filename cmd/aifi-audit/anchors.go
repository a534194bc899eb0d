package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aifi-audit/httpapi/anchor"
	"aifi-audit/store/translog"
)

// anchorFlags say where checkpoints of the log go, out of the reach of who runs it.
type anchorFlags struct {
	LogAnchorFile      string        `help:"Append checkpoints to this file: best on a disk of somebody else's. It may be renamed at any time." env:"AIFI_AUDIT_LOG_ANCHOR_FILE" type:"path" placeholder:"FILE"`
	LogAnchorURL       string        `help:"Post checkpoints to this https address." env:"AIFI_AUDIT_LOG_ANCHOR_URL" placeholder:"URL"`
	LogAnchorToken     string        `help:"Bearer token for --log-anchor-url. Better as environment variable: others on this machine can read flags." env:"AIFI_AUDIT_LOG_ANCHOR_TOKEN" placeholder:"TOKEN"`
	LogAnchorTokenFile string        `help:"A file with that token, read anew each time." env:"AIFI_AUDIT_LOG_ANCHOR_TOKEN_FILE" type:"path" placeholder:"FILE"`
	LogAnchorEvery     time.Duration `help:"How often checkpoints are anchored and cosigned, at most." default:"1m" env:"AIFI_AUDIT_LOG_ANCHOR_EVERY"`
	LogWitness         []string      `help:"Have a witness (c2sp.org/tlog-witness) cosign checkpoints: its public key, a blank, and its URL. Repeatable; in the environment, one a line." sep:"none" env:"AIFI_AUDIT_LOG_WITNESS" placeholder:"KEY URL"`
}

// anchorConfig reads the flags.
func (f anchorFlags) anchorConfig() (anchor.Config, error) {
	c := anchor.Config{File: f.LogAnchorFile, Every: f.LogAnchorEvery}
	if f.LogAnchorEvery < 0 {
		return c, errors.New("--log-anchor-every must be positive")
	}
	if f.LogAnchorToken != "" && f.LogAnchorTokenFile != "" {
		return c, errors.New("give --log-anchor-token or --log-anchor-token-file, not both")
	}
	if (f.LogAnchorToken != "" || f.LogAnchorTokenFile != "") && f.LogAnchorURL == "" {
		return c, errors.New("a token needs --log-anchor-url")
	}
	if f.LogAnchorURL != "" {
		var err error
		if c.URL, err = url.Parse(f.LogAnchorURL); err != nil {
			return c, fmt.Errorf("--log-anchor-url: %w", err)
		}
		c.Token = f.token
	}
	for line := range strings.Lines(strings.Join(f.LogWitness, "\n")) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		key, address, _ := strings.Cut(line, " ")
		w := anchor.Witness{}
		var err error
		if w.Key, err = translog.NewWitness(key); err != nil {
			return c, fmt.Errorf("--log-witness: %w", err)
		}
		if w.URL, err = url.Parse(strings.TrimSpace(address)); err != nil {
			return c, fmt.Errorf("--log-witness: %w", err)
		}
		c.Witnesses = append(c.Witnesses, w)
	}
	_, err := anchor.New(c)
	return c, err
}

func (f anchorFlags) token() (string, error) {
	if f.LogAnchorTokenFile == "" {
		return f.LogAnchorToken, nil
	}
	text, err := os.ReadFile(f.LogAnchorTokenFile)
	return strings.TrimSpace(string(text)), err
}

// anchors are those of a server. signs says whether it has a key.
func (f anchorFlags) anchors(env *environment, r prometheus.Registerer, signs bool) (*anchor.Anchors, error) {
	c, err := f.anchorConfig()
	if err != nil {
		return nil, err
	}
	if !signs && cmp.Or(f.LogAnchorFile, f.LogAnchorURL) != "" || !signs && len(c.Witnesses) > 0 {
		env.log.Warn("nothing is anchored: there is no key of the log to sign checkpoints with")
	}
	c.Logger, c.Registry = env.log, r
	return anchor.New(c)
}
