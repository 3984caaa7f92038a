// Package docs carries the project's documents inside the program, so that the demo
// has files to publish wherever it runs.
//
// Imports nothing of the project; cmd/tapestry imports it.
package docs

import "embed"

// Files are the documents.
//
//go:embed *.md adr/*.md
var Files embed.FS
