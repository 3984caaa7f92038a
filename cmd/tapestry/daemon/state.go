package daemon

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
	"github.com/libp2p/go-libp2p/core/crypto"
)

// Names in the state directory.
const (
	keyFile  = "key"
	lockFile = "lock"
	storeDir = "datastore"
	tempDir  = "tmp" // files that are being fetched; emptied at start
)

// ErrLocked: another daemon uses the state directory.
var ErrLocked = errors.New("in use by another daemon")

// ErrNoKey: no daemon has used the state directory yet.
var ErrNoKey = errors.New("no key there yet: a daemon makes one when it starts")

// openState makes dir fit for one daemon and locks it. unlock lets it go.
func openState(dir string) (unlock func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	lock := flock.New(filepath.Join(dir, lockFile))
	switch locked, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("state directory: %w", err)
	case !locked:
		return nil, fmt.Errorf("state directory %s: %w", dir, ErrLocked)
	}
	if err := emptyTemp(dir); err != nil {
		return nil, errors.Join(fmt.Errorf("state directory: %w", err), lock.Unlock())
	}
	return lock.Unlock, nil
}

func emptyTemp(dir string) error {
	temp := filepath.Join(dir, tempDir)
	if err := os.RemoveAll(temp); err != nil {
		return err
	}
	return os.Mkdir(temp, 0o700)
}

// ReadKey reads the identity of the daemon whose state is in dir.
func ReadKey(dir string) (crypto.PrivKey, error) {
	path := filepath.Join(dir, keyFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", path, ErrNoKey)
	}
	if err != nil {
		return nil, err
	}
	key, err := crypto.UnmarshalPrivateKey(b)
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	return key, nil
}

// openKey reads the key in dir, or makes one that nobody else may read.
func openKey(dir string) (crypto.PrivKey, error) {
	key, err := ReadKey(dir)
	if !errors.Is(err, ErrNoKey) {
		return key, err
	}
	key, _, err = crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, err
	}
	b, err := crypto.MarshalPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writeWhole(filepath.Join(dir, keyFile), b)
}

// writeWhole leaves either the whole file or none, whatever happens in between.
func writeWhole(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
