package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/tapestry-dolr/tapestry"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/content"
	"github.com/tapestry-dolr/tapestry/cmd/tapestry/control"
)

// api does for the command what the command asks.
type api struct{ d *Daemon }

var _ control.API = (*api)(nil)

// Publish hashes the files, writes them down, puts them on the shelf and tells the
// overlay. What is not published after all comes off the shelf again.
func (a *api) Publish(ctx context.Context, q control.PublishRequest) (control.PublishReply, error) {
	items, err := collect(q.Paths)
	if err != nil {
		return control.PublishReply{}, &control.Error{Code: control.BadRequest, Message: err.Error()}
	}
	if err := a.d.files.write(ctx, items); err != nil {
		return control.PublishReply{}, err
	}
	var guids []tapestry.GUID
	for _, item := range items {
		a.d.shelf.Put(item)
		guids = append(guids, item.GUID)
	}
	report, err := a.d.node.PublishObjects(ctx, content.App, slices.Values(guids))
	failed := map[tapestry.GUID]string{}
	if err != nil {
		failed = a.takeDown(guids, err)
	}
	for _, f := range report.Failed {
		failed[f.GUID] = f.Reason
	}
	if err != nil && report.Placed == 0 && len(items) > 0 {
		return control.PublishReply{}, err
	}
	return published(items, failed), nil
}

// takeDown takes from the shelf what is not published because of err, and returns that.
func (a *api) takeDown(guids []tapestry.GUID, err error) map[tapestry.GUID]string {
	gone := a.notServed(guids)
	a.d.drop(gone)
	failed := map[tapestry.GUID]string{}
	for _, g := range gone {
		failed[g] = err.Error()
	}
	return failed
}

// notServed are those of guids that the node does not publish: of a publish that failed
// some roots may have taken the object, and it was perhaps published before.
func (a *api) notServed(guids []tapestry.GUID) []tapestry.GUID {
	served := map[tapestry.GUID]bool{}
	for g, app := range a.d.node.Published() {
		if app == content.App {
			served[g] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(guids), func(g tapestry.GUID) bool { return served[g] })
}

// published sorts the items into those that were placed and those that were not.
func published(items []content.Item, failed map[tapestry.GUID]string) control.PublishReply {
	reply := control.PublishReply{Placed: []control.Object{}, Failed: []control.Failure{}}
	for _, item := range items {
		if reason, bad := failed[item.GUID]; bad {
			reply.Failed = append(reply.Failed, control.Failure{GUID: item.GUID, Path: item.Name, Reason: reason})
		} else {
			reply.Placed = append(reply.Placed, objectOf(item))
		}
	}
	return reply
}

// collect hashes the files at paths, and every regular file below the folders.
func collect(paths []string) ([]content.Item, error) {
	var items []content.Item
	for _, path := range paths {
		if !filepath.IsAbs(path) {
			return nil, fmt.Errorf("%s: not an absolute path", path)
		}
		err := filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || (!entry.Type().IsRegular() && name != path) || entry.IsDir() {
				return err
			}
			item, err := content.Hash(wholeDisk{}, name)
			items = append(items, item)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return items, nil
}

// wholeDisk opens files by their absolute paths.
type wholeDisk struct{}

// Open opens name.
func (wholeDisk) Open(name string) (fs.File, error) { return os.Open(name) }

func objectOf(item content.Item) control.Object {
	return control.Object{GUID: item.GUID, Path: item.Name, Size: item.Size}
}

// Unpublish takes objects back and stops serving them.
func (a *api) Unpublish(ctx context.Context, q control.UnpublishRequest) (control.UnpublishReply, error) {
	reply := control.UnpublishReply{GUIDs: []tapestry.GUID{}}
	for _, g := range q.GUIDs {
		if _, ok := a.d.shelf.Item(g); !ok {
			return reply, &control.Error{Code: control.NotFound, Message: fmt.Sprintf("%s: not published here", g)}
		}
		if err := a.d.node.UnpublishObject(ctx, g, content.App); err != nil {
			return reply, err
		}
		a.d.drop([]tapestry.GUID{g})
		reply.GUIDs = append(reply.GUIDs, g)
	}
	return reply, nil
}

// PublishObjects tells the overlay of objects that are no files. Whoever reads this node's
// datastore next publishes them again.
func (a *api) PublishObjects(ctx context.Context, q control.ObjectsRequest) (control.ObjectsReply, error) {
	if err := checkObjects(q); err != nil {
		return control.ObjectsReply{}, err
	}
	r, err := a.d.node.PublishObjects(ctx, q.App, slices.Values(q.GUIDs))
	return objectsReply(r.Placed, r.Failed, r.More, err)
}

// UnpublishObjects takes them back.
func (a *api) UnpublishObjects(ctx context.Context, q control.ObjectsRequest) (control.ObjectsReply, error) {
	if err := checkObjects(q); err != nil {
		return control.ObjectsReply{}, err
	}
	r, err := a.d.node.UnpublishObjects(ctx, q.App, slices.Values(q.GUIDs))
	return objectsReply(r.Withdrawn, r.Failed, r.More, err)
}

// checkObjects refuses to speak for files without serving them.
func checkObjects(q control.ObjectsRequest) error {
	if q.App == content.App {
		return &control.Error{Code: control.BadRequest, Message: fmt.Sprintf("the application %s is of files", q.App)}
	}
	return nil
}

// objectsReply is a report as it is answered, or an error if nothing was done.
func objectsReply(done int, failed []tapestry.Failure, more int, err error) (control.ObjectsReply, error) {
	reply := control.ObjectsReply{Done: done, Failed: []control.ObjectsFailure{}, More: more}
	for _, f := range failed {
		reply.Failed = append(reply.Failed, control.ObjectsFailure{GUID: f.GUID, Reason: f.Reason})
	}
	if err != nil && done == 0 {
		return reply, err
	}
	return reply, nil
}

// Locate asks the overlay for servers.
func (a *api) Locate(ctx context.Context, q control.LocateRequest) (control.LocateReply, error) {
	var opts []tapestry.LocateOption
	if q.First {
		opts = append(opts, tapestry.First())
	}
	if q.Fresh {
		opts = append(opts, tapestry.Fresh())
	}
	switch {
	case q.Zone != "" && q.LocalOnly:
		opts = append(opts, tapestry.LocalOnly(q.Zone))
	case q.Zone != "":
		opts = append(opts, tapestry.Prefer(q.Zone))
	}
	if q.All {
		opts = append(opts, tapestry.All())
	} else if q.Limit != 0 {
		opts = append(opts, tapestry.Limit(q.Limit))
	}
	reply := control.LocateReply{GUID: q.GUID, Replicas: []control.Replica{}}
	for r, err := range a.d.node.LocateObject(ctx, q.GUID, q.App, opts...) {
		if err != nil {
			return reply, err
		}
		reply.Replicas = append(reply.Replicas, replicaOf(r))
	}
	return reply, nil
}

// Route carries a message.
func (a *api) Route(ctx context.Context, q control.RouteRequest) (control.RouteReply, error) {
	d, err := a.route(ctx, q)
	if err != nil {
		return control.RouteReply{}, err
	}
	return control.RouteReply{
		Replica: replicaOf(d.Replica), Hops: d.Hops, Path: d.Path, RTTMs: millis(d.RTT), Reply: string(d.Reply),
	}, nil
}

func (a *api) route(ctx context.Context, q control.RouteRequest) (tapestry.Delivery, error) {
	switch q.Target {
	case control.ToObject:
		var opts []tapestry.SendOption
		if q.Raced {
			opts = append(opts, tapestry.Raced())
		}
		return a.d.node.RouteToObject(ctx, q.To, q.App, []byte(q.Message), opts...)
	case control.ToNode:
		return a.d.node.RouteToNode(ctx, q.To, q.App, []byte(q.Message), tapestry.Exactly)
	case control.ToSurrogate:
		return a.d.node.RouteToNode(ctx, q.To, q.App, []byte(q.Message), tapestry.Surrogate)
	}
	return tapestry.Delivery{}, &control.Error{Code: control.BadRequest, Message: fmt.Sprintf("target %q unknown", q.Target)}
}

// Multicast carries a message to many.
func (a *api) Multicast(ctx context.Context, q control.MulticastRequest) (control.MulticastReply, error) {
	to, err := tapestry.ParsePrefix(q.Prefix)
	if err != nil {
		return control.MulticastReply{}, &control.Error{Code: control.BadRequest, Message: err.Error()}
	}
	r, err := a.d.node.Multicast(ctx, to, q.App, []byte(q.Message))
	return control.MulticastReply{Reached: r.Reached, Handled: r.Handled, Failed: r.Failed}, err
}

// Explain tells how a search goes.
func (a *api) Explain(ctx context.Context, q control.ExplainRequest) (control.ExplainReply, error) {
	x, err := a.d.node.Explain(ctx, q.GUID, q.App)
	if err != nil {
		return control.ExplainReply{}, err
	}
	reply := control.ExplainReply{
		GUID: q.GUID, Answer: x.Answer, Replicas: []control.Replica{}, Paths: pathsOf(x.Paths), Laid: pathsOf(x.Laid), Text: x.String(),
	}
	for _, r := range x.Replicas {
		reply.Replicas = append(reply.Replicas, replicaOf(r))
	}
	return reply, nil
}

func pathsOf(paths []tapestry.Path) []control.Path {
	all := []control.Path{}
	for _, p := range paths {
		all = append(all, pathOf(p))
	}
	return all
}

func pathOf(p tapestry.Path) control.Path {
	path := control.Path{Hops: []control.Hop{}}
	for _, h := range p.Hops {
		path.Hops = append(path.Hops, control.Hop{
			Node: h.Node, Rule: h.Rule, Level: h.Level, Digit: h.Digit, Pointers: h.Pointers,
			RTTMs: millis(h.RTT), HeldMs: millis(h.Held),
		})
	}
	return path
}

// Status tells how the daemon is.
func (a *api) Status(ctx context.Context, q control.StatusRequest) (control.StatusReply, error) {
	if q.Wait {
		if err := a.d.node.WaitReady(ctx); err != nil {
			return control.StatusReply{}, err
		}
	}
	reply := control.StatusReply{
		Version: a.d.version, Addrs: a.d.Addrs(), UptimeS: time.Since(a.d.started).Seconds(),
		Objects: []control.Object{}, Node: a.d.node.Status(),
	}
	for _, item := range a.d.shelf.Items() {
		reply.Objects = append(reply.Objects, objectOf(item))
	}
	return reply, nil
}

// Fetch gets a file into a temporary one, so that what a caller reads is right.
func (a *api) Fetch(ctx context.Context, g tapestry.GUID) (io.ReadCloser, control.Fetched, error) {
	f, err := os.CreateTemp(filepath.Join(a.d.cfg.State, tempDir), g.Short()+"-*")
	if err != nil {
		return nil, control.Fetched{}, err
	}
	// The open file lives on without its name, and cannot be left behind.
	if err := os.Remove(f.Name()); err != nil {
		return nil, control.Fetched{}, errors.Join(err, f.Close())
	}
	got, err := a.fetch(ctx, g, content.FileSink{File: f})
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, control.Fetched{}, errors.Join(err, f.Close())
	}
	return f, control.Fetched{
		GUID: g, Size: got.Size, Replica: replicaOf(got.From), Hops: got.Hops, RTTMs: millis(got.RTT),
		Attempts: got.Attempts, Streamed: got.Streamed,
	}, nil
}

// fetch writes the file to sink: from the own shelf if it stands there.
func (a *api) fetch(ctx context.Context, g tapestry.GUID, sink content.Sink) (content.Fetched, error) {
	if item, ok := a.d.shelf.Item(g); ok {
		if size, err := item.CopyTo(sink); err == nil {
			here := tapestry.Replica{ID: a.d.node.ID(), Peer: *host.InfoFromHost(a.d.host), Measured: true}
			return content.Fetched{From: here, Size: size, Attempts: 1}, nil
		}
		// The file has changed or gone; others may have it still.
		if err := sink.Reset(); err != nil {
			return content.Fetched{}, err
		}
	}
	return content.Fetch(ctx, a.d.node, g, sink)
}

func replicaOf(r tapestry.Replica) control.Replica {
	to := control.Replica{ID: r.ID, Peer: r.Peer.ID.String(), Addrs: []string{}, RTTMs: millis(r.RTT), Measured: r.Measured}
	for _, a := range r.Peer.Addrs {
		to.Addrs = append(to.Addrs, a.String())
	}
	return to
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
