package daemon

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipfs/go-datastore"
	"github.com/tapestry-dolr/tapestry"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/content"
)

func hashed(t *testing.T, name string) content.Item {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
		t.Fatal(err)
	}
	item, err := content.Hash(wholeDisk{}, path)
	if err != nil {
		t.Fatal(err)
	}
	return item
}

func TestFilesAreReadAsTheyWereWritten(t *testing.T) {
	store, a, b := datastore.NewMapDatastore(), hashed(t, "a"), hashed(t, "b")
	f := newFiles(store, "main")
	if err := errors.Join(f.write(t.Context(), []content.Item{a, b}), f.forget(t.Context(), []tapestry.GUID{b.GUID})); err != nil {
		t.Fatal(err)
	}
	all, err := newFiles(store, "main").read(t.Context())
	if got := all[a.GUID]; err != nil || len(all) != 1 || got.Name != a.Name || got.Size != 1 || got.Check() != nil {
		t.Errorf("%+v, %v, %v", all, got.Check(), err)
	}
	if err := os.WriteFile(a.Name, []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := all[a.GUID].Check(); err == nil {
		t.Error("the file has changed, and would be served")
	}
	if all, err := newFiles(store, "other").read(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("another network's: %v, %v", all, err)
	}
}

func TestADamagedFileRecordIsNamed(t *testing.T) {
	a := hashed(t, "a")
	for _, value := range []string{"", `{"path":"/x","si`, "[]"} {
		store := datastore.NewMapDatastore()
		key := datastore.NewKey("/daemon/main/files/" + a.GUID.String())
		if err := store.Put(t.Context(), key, []byte(value)); err != nil {
			t.Fatal(err)
		}
		_, err := newFiles(store, "main").read(t.Context())
		if !errors.Is(err, tapestry.ErrDatastore) || !strings.Contains(err.Error(), a.GUID.String()+" is damaged") {
			t.Errorf("%q: %v", value, err)
		}
	}
}

// full is a datastore in which nothing can be written.
type full struct{ *datastore.MapDatastore }

var errFull = errors.New("no space left on device")

func (full) Batch(context.Context) (datastore.Batch, error) { return nil, errFull }

func TestAFileThatCannotBeWrittenDownIsAnError(t *testing.T) {
	err := newFiles(full{datastore.NewMapDatastore()}, "main").write(t.Context(), []content.Item{hashed(t, "a")})
	if !errors.Is(err, tapestry.ErrDatastore) || !errors.Is(err, errFull) {
		t.Errorf("%v", err)
	}
}
