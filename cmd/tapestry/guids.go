package main

import (
	"fmt"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
	"github.com/tapestry-dolr/tapestry"
)

// parseGUID reads what names an object: a GUID, or a CID or multihash of its content.
func parseGUID(text string) (tapestry.GUID, error) {
	if g, err := tapestry.ParseID(text); err == nil {
		return g, nil
	}
	if c, err := cid.Decode(text); err == nil {
		return tapestry.GUIDFromMultihash(c.Hash()), nil
	}
	if m, err := multihash.FromHexString(text); err == nil {
		return tapestry.GUIDFromMultihash(m), nil
	}
	if m, err := multihash.FromB58String(text); err == nil {
		return tapestry.GUIDFromMultihash(m), nil
	}
	return tapestry.GUID{}, fmt.Errorf("%q is neither a GUID of 40 hex digits nor a CID nor a multihash", text)
}

// parseGUIDs reads arguments that name objects.
func parseGUIDs(args []string) ([]tapestry.GUID, error) {
	var all []tapestry.GUID
	for _, a := range args {
		g, err := parseGUID(a)
		if err != nil {
			return nil, usageError{err}
		}
		all = append(all, g)
	}
	return all, nil
}
