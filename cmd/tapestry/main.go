// Command tapestry runs a node of an overlay and speaks to it: it publishes files,
// finds and fetches the nearest copy, and sends messages to objects and nodes.
//
// Every subcommand takes --json and ends with one of the exit codes 0 (done),
// 1 (error), 2 (usage), 3 (not found), 4 (timeout, or the overlay could not tell)
// and 5 (no daemon). Results go to standard output, everything else to standard
// error. Each subcommand has a file of its own; what they do lives in the folders
// below: config, control, content, daemon and demo.
package main

import "os"

func main() { os.Exit(run(os.Args[1:])) }
