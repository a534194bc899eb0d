// Command aifi-audit keeps AiFi's push webhooks for ever and finds them again.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"aifi-audit/cmd/aifi-audit/bench"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// cli is the command line. Every flag has an environment twin.
type cli struct {
	LogFormat string `help:"Log as text or json." enum:"text,json" default:"text" env:"AIFI_AUDIT_LOG_FORMAT"`

	Demo          demoCommand          `cmd:"" help:"Run everything at once: a private PostgreSQL, the server, and simulated shops."`
	Serve         serveCommand         `cmd:"" help:"Receive webhooks and serve the API."`
	Migrate       migrateCommand       `cmd:"" help:"Bring the database schema up to date, or show its state."`
	Token         tokenCommand         `cmd:"" help:"Create, list and revoke the tokens of AiFi, staff and analysts."`
	Store         storeCommand         `cmd:"" help:"List the stores, or set their time zones."`
	Export        exportCommand        `cmd:"" help:"Write a list as CSV, straight from the database."`
	Verify        verifyCommand        `cmd:"" help:"Check that nothing was changed or removed: recompute the log from what the database holds, or check an evidence pack offline."`
	Erase         eraseCommand         `cmd:"" help:"Ask for the erasure of a customer, and carry it out once another administrator approved it. A dry run until --confirm."`
	Hold          holdCommand          `cmd:"" help:"Place, list and lift legal holds."`
	SubjectAccess subjectAccessCommand `cmd:"" help:"Write everything that is kept about a customer, for that customer, as a zip."`
	Retention     retentionCommand     `cmd:"" help:"Say for how long deliveries are kept, and remove what is older."`
	Log           logCommand           `cmd:"" help:"Keys of the transparency log, and going on after an old backup was restored."`
	Spool         spoolCommand         `cmd:"" help:"Look into the spool of webhooks that wait for the database, verify, drain or export it."`
	Simulate      simulateCommand      `cmd:"" help:"Send the webhooks of simulated shops to a server."`
	Bench         benchCommand         `cmd:"" help:"Measure how fast this program is, beside what the machine can do at most."`
	BenchPeer     benchPeerCommand     `cmd:"" hidden:""`
	Monitoring    monitoringCommand    `cmd:"" help:"Print alerting rules for Prometheus, or a dashboard for Grafana."`
	Version       versionCommand       `cmd:"" help:"Print the version."`
}

// environment is what every command gets.
type environment struct {
	ctx    context.Context
	stdout io.Writer
	stderr io.Writer
	log    *slog.Logger

	handler func(io.Writer) slog.Handler // writes the log in the format that was asked for
}

// run is the program, but for the process: tests call it too.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c cli
	exit := -1
	parser, err := kong.New(&c,
		kong.Name("aifi-audit"),
		kong.Description("Keeps AiFi's push webhooks, verbatim and searchable. Start with: aifi-audit demo"),
		kong.Vars{"benchmarks": strings.Join(bench.Names, ","), "refusedMost": strconv.Itoa(refusedMost)},
		kong.UsageOnError(),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exit = code }),
	)
	if err != nil {
		fmt.Fprintln(stderr, "aifi-audit:", err)
		return 1
	}
	command, err := parser.Parse(args)
	if exit >= 0 { // --help
		return exit
	}
	if err != nil {
		fmt.Fprintf(stderr, "aifi-audit: %v\nTry aifi-audit --help.\n", err)
		return 2
	}
	env := &environment{ctx: ctx, stdout: stdout, stderr: stderr}
	env.handler = func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) }
	if c.LogFormat == "json" {
		env.handler = func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) }
	}
	env.log = slog.New(env.handler(stderr))
	switch err := command.Run(env); {
	case err == nil:
		return 0
	case ctx.Err() == nil || !errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "aifi-audit:", err)
		return 1
	case command.Command() == "serve", command.Command() == "demo":
		return 0 // a signal is how they end
	}
	fmt.Fprintln(stderr, "aifi-audit: interrupted, so it is not done:", err)
	return interrupted
}

// interrupted is the exit code of a command that a signal ended: that of shells for Ctrl-C.
const interrupted = 130

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(env *environment) error {
	_, err := fmt.Fprintln(env.stdout, version())
	return err
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(unknown)"
	}
	return info.Main.Version
}
