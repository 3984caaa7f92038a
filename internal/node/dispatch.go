package node

import (
	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// dispatch hands a peer's message to the machine that serves it.
func (n *Node) dispatch(e env.Env, from idspace.ID, m wire.Message) {
	switch m := m.(type) {
	case *wire.Hello:
		n.heartbeat.OnHello(from)
		n.membership.OnHello(e, from, m)
	case *wire.Beacon:
		n.heartbeat.OnBeacon(e, from, m)
	case *wire.BeaconAck:
		n.heartbeat.OnBeaconAck(e, from, m)
	case *wire.Unlink:
		n.heartbeat.OnUnlink(e, from)
	case *wire.Leave:
		n.heartbeat.OnLeave(e, from, m)
	case *wire.LeafSet:
		n.membership.OnLeafSet(e, from, m)
	case *wire.Row:
		n.membership.OnRow(e, from, m)
	case *wire.RecordRequest:
		n.membership.OnRecordRequest(e, from, m)
	case *wire.Records:
		n.membership.OnRecords(e, from, m)
	case *wire.Routed:
		n.router.OnRouted(e, from, m)
	case *wire.Ack:
		n.router.OnAck(e, from, m)
	}
}

// local hands a local message to the machine that serves it.
func (n *Node) local(e env.Env, l env.Local) {
	switch l := l.(type) {
	case *env.Unreachable:
		n.heartbeat.OnUnreachable(e, l)
	case *env.LinkClosed:
		n.heartbeat.OnLinkClosed(e, l)
	case *env.SelfChanged:
		n.membership.OnSelf(e, l)
		n.publish.OnSelf(e, l)
	case *env.JoinRequest:
		n.heartbeat.Open()
		n.membership.OnJoin(e, l)
	case *env.LeaveRequest:
		n.membership.OnLeave(e, l)
	case *env.Cancel:
		n.cancel(e, l.Call)
	case *env.Heard:
		n.heartbeat.OnHeard(e, l)
	case *env.Missed:
		n.heartbeat.OnMissed(e, l)
	case *env.Probe:
		n.heartbeat.OnProbe(e, l)
	case *env.Use:
		n.heartbeat.OnUse(e, l)
	case *env.Verdict:
		n.verdict(e, l)
	case *env.Changed:
		n.router.OnChanged(e, l)
		n.publish.OnChanged(e, l)
	case *env.Activated:
		n.router.OnActivated()
		n.publish.OnActivated(e)
	default:
		n.localMember(e, l)
	}
}

// localMember is the part of local that serves membership, and the requests for objects.
func (n *Node) localMember(e env.Env, l env.Local) {
	switch l := l.(type) {
	case *env.Pointed:
		n.membership.OnPointed(e, l)
	case *env.Up:
		n.membership.OnUp(e, l)
	case *env.Suspect:
		n.membership.OnSuspect(e, l)
	case *env.Down:
		n.membership.OnDown(e, l)
	case *env.Departing:
		n.heartbeat.OnDeparting()
	case *env.Departed:
		n.router.OnDeparted()
	case *env.Withdraw:
		n.publish.OnWithdraw(e)
	case *env.Withdrawn:
		n.membership.OnWithdrawn(e)
	case *env.PublishRequest:
		n.publish.OnPublish(e, l)
	case *env.UnpublishRequest:
		n.publish.OnUnpublish(e, l)
	case *env.LocateRequest:
		n.locate.OnLocate(e, l)
	case *env.Located:
		n.messages.OnLocated(e, l)
	case *env.SendRequest:
		n.messages.OnSend(e, l)
	case *env.HandlerReply:
		n.messages.OnHandlerReply(e, l)
	}
}

// verdict goes to the machine that asked for it.
func (n *Node) verdict(e env.Env, v *env.Verdict) {
	if v.For == env.Locate {
		n.locate.OnVerdict(e, v)
		return
	}
	n.membership.OnVerdict(e, v)
}

// cancel tells every machine that may keep something for a call: only one does.
func (n *Node) cancel(e env.Env, call env.Call) {
	n.membership.OnCancel(e, call)
	n.publish.OnCancel(e, call)
	n.locate.OnCancel(e, call)
	n.messages.OnCancel(e, call)
}
