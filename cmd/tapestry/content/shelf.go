package content

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tapestry-dolr/tapestry"
)

// App is the application that files are published for.
const App tapestry.AppID = "content"

// Item is one file that is served.
type Item struct {
	GUID    tapestry.GUID
	Name    string // its path, as it is opened
	Size    int64
	changed time.Time // its time of change when it was hashed
	from    fs.FS
}

// errChanged is what a server says of a file that is no longer what was published.
var errChanged = errors.New("the file has changed since it was published")

// Hash reads the file name in from and makes an Item of it.
func Hash(from fs.FS, name string) (Item, error) {
	f, err := from.Open(name)
	if err != nil {
		return Item{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Item{}, err
	}
	if !info.Mode().IsRegular() {
		return Item{}, fmt.Errorf("%s: not a regular file", name)
	}
	g, err := tapestry.GUIDFromReader(f)
	return Item{GUID: g, Name: name, Size: info.Size(), changed: info.ModTime(), from: from}, err
}

// Restored is an Item that was hashed before, from what was kept of it: its GUID, Name and
// Size, and what Changed said.
func Restored(from fs.FS, item Item, changed time.Time) Item {
	item.from, item.changed = from, changed
	return item
}

// Changed is the file's time of change when it was hashed.
func (i Item) Changed() time.Time { return i.changed }

// Check says why the file cannot be served as it is now, if it cannot.
func (i Item) Check() error {
	f, err := i.Open()
	if err != nil {
		return err
	}
	return f.Close()
}

// HashAll makes an Item of every regular file in from, in the order of their names;
// files of the same bytes are one object and one Item.
func HashAll(from fs.FS) ([]Item, error) {
	var items []Item
	seen := map[tapestry.GUID]bool{}
	err := fs.WalkDir(from, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		item, err := Hash(from, name)
		if err == nil && !seen[item.GUID] {
			seen[item.GUID] = true
			items = append(items, item)
		}
		return err
	})
	return items, err
}

// Open opens the file for reading, if it still is what was hashed by its size and
// time; the fetching side checks the hash itself.
func (i Item) Open() (io.ReadCloser, error) {
	f, err := i.from.Open(i.Name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && (info.Size() != i.Size || !info.ModTime().Equal(i.changed)) {
		err = errChanged
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// CopyTo writes the file to sink and checks its hash.
func (i Item) CopyTo(sink Sink) (size int64, err error) {
	f, err := i.Open()
	if err != nil {
		return 0, err
	}
	defer f.Close()
	b := newBody(sink)
	if _, err := io.Copy(b, f); err != nil {
		return b.size, err
	}
	if b.guid() != i.GUID {
		return b.size, errChanged
	}
	return b.size, nil
}

// Shelf holds what one node serves. Its methods may be called at the same time.
type Shelf struct {
	mu    sync.RWMutex
	items map[tapestry.GUID]Item
}

// Put has the shelf serve item; of two files of the same bytes the later counts.
func (s *Shelf) Put(item Item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.items == nil {
		s.items = map[tapestry.GUID]Item{}
	}
	s.items[item.GUID] = item
}

// Drop takes g from the shelf.
func (s *Shelf) Drop(g tapestry.GUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.items, g)
}

// Item finds g.
func (s *Shelf) Item(g tapestry.GUID) (Item, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	item, ok := s.items[g]
	return item, ok
}

// Items lists what the shelf holds, by name.
func (s *Shelf) Items() []Item {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []Item
	for _, item := range s.items {
		all = append(all, item)
	}
	slices.SortFunc(all, func(a, b Item) int { return strings.Compare(a.Name, b.Name) })
	return all
}
