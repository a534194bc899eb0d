package main

import (
	"bufio"
	"errors"
	"io"
	"net/url"
	"os"

	"aifi-audit/httpapi"
	"aifi-audit/store"
)

type exportCommand struct {
	databaseFlags
	List   string `arg:"" help:"alcohol-interactions, fraud-alerts, registrations, sessions or notes." enum:"alcohol-interactions,fraud-alerts,registrations,sessions,notes"`
	Output string `help:"File to write. - is standard output." short:"o" default:"-" env:"AIFI_AUDIT_EXPORT_OUTPUT"`

	StoreID         []string `help:"Only of this AiFi store. Repeatable, as are the next." name:"store-id" env:"AIFI_AUDIT_EXPORT_STORE_ID"`
	StoreExternalID []string `help:"Only of the store with this id of the retailer's." name:"store-external-id" env:"AIFI_AUDIT_EXPORT_STORE_EXTERNAL_ID"`
	SessionID       []string `help:"Only of this session." name:"session-id" env:"AIFI_AUDIT_EXPORT_SESSION_ID"`
	CustomerID      []string `help:"Only of this customer." name:"customer-id" env:"AIFI_AUDIT_EXPORT_CUSTOMER_ID"`
	ProductID       []string `help:"Only with this product." name:"product-id" env:"AIFI_AUDIT_EXPORT_PRODUCT_ID"`
	GondolaID       []string `help:"Only at this gondola." name:"gondola-id" env:"AIFI_AUDIT_EXPORT_GONDOLA_ID"`
	Flag            []string `help:"Only with this flag." env:"AIFI_AUDIT_EXPORT_FLAG"`
	Disposition     []string `help:"Only with this disposition: confirmed, false_alarm, under_review or none." env:"AIFI_AUDIT_EXPORT_DISPOSITION"`
	From            string   `help:"Only from this date or RFC 3339 time on." env:"AIFI_AUDIT_EXPORT_FROM"`
	To              string   `help:"Only before this date or RFC 3339 time." env:"AIFI_AUDIT_EXPORT_TO"`
	Raw             bool     `help:"Leave cells alone that a spreadsheet would run as formulas." env:"AIFI_AUDIT_EXPORT_RAW"`
}

// query is the command's filters as the API takes them.
func (c exportCommand) query() url.Values {
	q := url.Values{}
	for name, values := range map[string][]string{
		"storeId": c.StoreID, "storeExternalId": c.StoreExternalID, "sessionId": c.SessionID, "customerId": c.CustomerID,
		"productId": c.ProductID, "gondolaId": c.GondolaID, "flag": c.Flag, "disposition": c.Disposition,
	} {
		if len(values) > 0 {
			q[name] = values
		}
	}
	for name, value := range map[string]string{"from": c.From, "to": c.To} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if c.Raw {
		q.Set("raw", "true")
	}
	return q
}

// Run exports.
func (c exportCommand) Run(env *environment) error {
	return c.withStore(env, func(s *store.Store) error {
		b := newBar(env, -1, "exporting "+c.List, "rows")
		defer b.end()
		return writeFile(env, c.Output, func(out io.Writer) error {
			return httpapi.Export(env.ctx, s, c.List, c.query(), out, func() { b.add(1) })
		})
	})
}

// writeFile has something written to a file, or to standard output if it is called
// "-". A file that could not be written whole does not stay. What is no file, as
// /dev/null, a pipe or a link, is written to, and not replaced.
func writeFile(env *environment, name string, write func(io.Writer) error) error {
	if name == "-" {
		return writeBuffered(env.stdout, write)
	}
	if info, err := os.Lstat(name); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0)
		if err != nil {
			return err
		}
		return errors.Join(writeBuffered(f, write), f.Close())
	}
	f, err := os.Create(name + ".part")
	if err != nil {
		return err
	}
	err = writeBuffered(f, write)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return os.Rename(f.Name(), name)
}

func writeBuffered(out io.Writer, write func(io.Writer) error) error {
	w := bufio.NewWriterSize(out, 1<<16)
	if err := write(w); err != nil {
		return err
	}
	return w.Flush()
}
