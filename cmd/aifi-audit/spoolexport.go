package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"aifi-audit/store"
)

type spoolExportCommand struct {
	spoolFlags
	Output string `help:"File to write. - is standard output." short:"o" default:"-" env:"AIFI_AUDIT_SPOOL_EXPORT_OUTPUT"`
}

// Help is shown by --help.
func (spoolExportCommand) Help() string {
	return `Each line is a JSON object: deliveryId, receivedAt, spooledAt, webhook, path, headers,
remoteAddr, tokenId, truncated, storeIds (the stores that the token is limited to; absent
if it is not), tokenFingerprint (instead of these two, if the token has still to be looked
up: the first 12 digits of its SHA-256), and the verbatim body. A body in UTF-8 is the string "body"; any other is
"bodyBase64". Bodies hold personal data: keep the file as safe as the database.`
}

// spooledLine is a line of an export.
type spooledLine struct {
	DeliveryID       string            `json:"deliveryId"`
	ReceivedAt       time.Time         `json:"receivedAt"`
	SpooledAt        time.Time         `json:"spooledAt"`
	Webhook          string            `json:"webhook"`
	Path             string            `json:"path"`
	Headers          map[string]string `json:"headers"`
	RemoteAddr       string            `json:"remoteAddr"`
	TokenID          int64             `json:"tokenId"`
	StoreIDs         []int64           `json:"storeIds,omitempty"`
	TokenFingerprint string            `json:"tokenFingerprint,omitempty"`
	Truncated        bool              `json:"truncated"`
	Body             *string           `json:"body,omitempty"`
	BodyBase64       []byte            `json:"bodyBase64,omitempty"`
}

func lineOf(d store.SpooledDelivery) spooledLine {
	line := spooledLine{
		DeliveryID: d.ID.String(), ReceivedAt: store.ReceivedAt(d.ID), SpooledAt: d.SpooledAt.UTC(), Webhook: string(d.Webhook),
		Path: d.Path, Headers: d.Headers, RemoteAddr: d.RemoteAddr, TokenID: d.TokenID, TokenFingerprint: d.TokenFingerprint, Truncated: d.Truncated,
	}
	line.StoreIDs = d.TokenScope.Stores()
	if utf8.Valid(d.Body) {
		body := string(d.Body)
		line.Body = &body
	} else {
		line.BodyBase64 = d.Body
	}
	return line
}

// Run exports the spool.
func (c spoolExportCommand) Run(env *environment) error {
	return writeFile(env, c.Output, func(out io.Writer) error {
		lines := json.NewEncoder(out)
		lines.SetEscapeHTML(false)
		_, report, err := c.inspect(env, "exporting the spool", func(d store.SpooledDelivery) error { return lines.Encode(lineOf(d)) })
		if err != nil {
			return err
		}
		if left := report.Damaged + report.NotDeliveries + int64(report.Unreadable); left > 0 {
			fmt.Fprintf(env.stderr, "aifi-audit: %d damaged records are left out; see aifi-audit spool verify\n", left)
		}
		return nil
	})
}
