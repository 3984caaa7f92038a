package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/namespace"
	"github.com/ipfs/go-datastore/query"
	"github.com/tapestry-dolr/tapestry"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/content"
)

// files is what the datastore remembers of the files on the shelf: where they are. That
// they are published the node remembers itself; a file is written down before that, and
// forgotten after it.
type files struct{ store datastore.Batching }

// file is what is written down of one.
type file struct {
	Path    string    `json:"path"`
	Size    int64     `json:"size"`
	Changed time.Time `json:"changed"` // the file's own time
}

func newFiles(store datastore.Batching, network string) *files {
	return &files{namespace.Wrap(store, datastore.NewKey("/daemon/"+network+"/files"))}
}

func fileKey(g tapestry.GUID) datastore.Key { return datastore.NewKey(g.String()) }

// write writes items down.
func (f *files) write(ctx context.Context, items []content.Item) error {
	return f.commit(ctx, func(b datastore.Batch) error {
		for _, i := range items {
			value, err := json.Marshal(file{i.Name, i.Size, i.Changed()})
			if err == nil {
				err = b.Put(ctx, fileKey(i.GUID), value)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// forget removes what is written of guids.
func (f *files) forget(ctx context.Context, guids []tapestry.GUID) error {
	if len(guids) == 0 {
		return nil
	}
	return f.commit(ctx, func(b datastore.Batch) error {
		for _, g := range guids {
			if err := b.Delete(ctx, fileKey(g)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (f *files) commit(ctx context.Context, fill func(datastore.Batch) error) error {
	b, err := f.store.Batch(ctx)
	if err == nil {
		err = fill(b)
	}
	if err == nil {
		err = b.Commit(ctx)
	}
	if err == nil {
		err = f.store.Sync(ctx, datastore.NewKey("/"))
	}
	if err != nil {
		return fmt.Errorf("%w: files: %w", tapestry.ErrDatastore, err)
	}
	return nil
}

// read returns all that is written.
func (f *files) read(ctx context.Context) (map[tapestry.GUID]content.Item, error) {
	all := map[tapestry.GUID]content.Item{}
	for entry, err := range datastore.QueryIter(ctx, f.store, query.Query{}) {
		if err != nil {
			return nil, fmt.Errorf("%w: files: %w", tapestry.ErrDatastore, err)
		}
		g, err := tapestry.ParseID(datastore.NewKey(entry.Key).BaseNamespace())
		var is file
		if err == nil {
			err = json.Unmarshal(entry.Value, &is)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: file %s is damaged: %w", tapestry.ErrDatastore, entry.Key, err)
		}
		all[g] = content.Restored(wholeDisk{}, content.Item{GUID: g, Name: is.Path, Size: is.Size}, is.Changed)
	}
	return all, nil
}

// fillShelf puts on the shelf what the node has published and will publish again, and
// forgets what it had no time to publish.
func (d *Daemon) fillShelf(ctx context.Context) error {
	known, err := d.files.read(ctx)
	if err != nil {
		return err
	}
	for g, app := range d.node.Published() {
		if app != content.App {
			continue
		}
		item, ok := known[g]
		if !ok {
			return fmt.Errorf("%w: which file %s is has been lost", tapestry.ErrDatastore, g)
		}
		delete(known, g)
		d.shelf.Put(item)
		if err := item.Check(); err != nil {
			d.log.Warn("published, but cannot be served now", "guid", g.String(), "file", item.Name, "error", err)
		}
	}
	var never []tapestry.GUID
	for g := range known {
		never = append(never, g)
	}
	return d.files.forget(ctx, never)
}

// drop takes files from the shelf that are published no longer. What is not forgotten now
// is at the next start.
func (d *Daemon) drop(guids []tapestry.GUID) {
	for _, g := range guids {
		d.shelf.Drop(g)
	}
	ctx, cancel := context.WithTimeout(context.Background(), tapestry.DefaultTimeout)
	defer cancel()
	if err := d.files.forget(ctx, guids); err != nil && !errors.Is(err, context.Canceled) {
		d.log.Warn("files are not forgotten", "error", err)
	}
}
