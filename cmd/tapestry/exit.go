package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tapestry-dolr/tapestry"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/control"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/daemon"
)

// code is how the command ends.
type code int

// The exit codes.
const (
	exitOK code = iota
	exitError
	exitUsage
	exitNotFound
	exitTimeout
	exitNoDaemon
)

// usageError is an error in how the command was called or set up.
type usageError struct{ error }

// Unwrap returns what is wrong.
func (e usageError) Unwrap() error { return e.error }

// exitCode says how a command that returned err ends.
func exitCode(err error) code {
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage), errors.Is(err, tapestry.ErrOption):
		return exitUsage
	}
	switch control.CodeOf(err) {
	case control.NotFound:
		return exitNotFound
	case control.Timeout, control.Unknown, control.Maybe:
		return exitTimeout
	case control.NoDaemon:
		return exitNoDaemon
	case control.BadRequest:
		return exitUsage
	}
	return exitError
}

// hint is what the user might do about err, or "".
func hint(err error) string {
	var usage usageError
	switch {
	case errors.As(err, &usage):
		return "see tapestry help"
	case errors.Is(err, daemon.ErrLocked):
		return "stop the other daemon, or give this one a --state directory of its own"
	case errors.Is(err, daemon.ErrNoKey):
		return "start a daemon with: tapestry daemon"
	case errors.Is(err, context.Canceled):
		return ""
	}
	switch control.CodeOf(err) {
	case control.NoDaemon:
		return "start a daemon with: tapestry daemon; or name its --state directory"
	case control.NotJoined:
		return "the daemon is no member of an overlay yet; see: tapestry status"
	case control.Unknown:
		return "the overlay could not tell; try again, or see: tapestry explain GUID"
	case control.Timeout:
		return "try again, or give it more time with --timeout"
	case control.Limit:
		return "the nodes that would have to know of it have no room for more; try again later"
	case control.Invalid:
		return "other nodes do not accept what this one signs: compare versions, and restart the daemon"
	case control.Datastore:
		return "mend the disk if it is full or read-only; if the datastore is damaged, restore it, or move it away and publish again"
	case control.NoHandler:
		return "nobody there handles that application; see --app"
	case control.Maybe:
		return "the message may have been handled; send it again if that does no harm"
	case control.TooLarge:
		return "messages hold up to 64 KiB; publish larger things as files"
	}
	return ""
}

// complain tells the user what went wrong and what to do about it.
func (c *cli) complain(err error) {
	if c.json {
		name := control.CodeOf(err)
		if exitCode(err) == exitUsage {
			name = "usage"
		}
		c.printJSONTo(c.err, map[string]any{"error": map[string]any{
			"code": name, "message": err.Error(), "hint": hint(err),
		}})
		return
	}
	fmt.Fprintf(c.err, "tapestry: %s\n", strings.TrimPrefix(err.Error(), "tapestry: "))
	if h := hint(err); h != "" {
		fmt.Fprintf(c.err, "hint: %s\n", h)
	}
}
