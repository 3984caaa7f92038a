package node

import (
	"fmt"

	"github.com/tapestry-dolr/tapestry/internal/env"
	"github.com/tapestry-dolr/tapestry/internal/idspace"
	"github.com/tapestry-dolr/tapestry/internal/wire"
)

// dispatch hands a peer's message to the machine that serves it.
func (n *Node) dispatch(e env.Env, from idspace.ID, m wire.Message) {
	switch m := m.(type) {
	case *wire.Hello:
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
	case *wire.Strangers:
		n.membership.OnStrangers(e, from, m)
	case *wire.Routed:
		n.router.OnRouted(e, from, m)
	case *wire.Ack:
		n.router.OnAck(e, from, m)
	case *wire.Multicast:
		n.multicast.OnMulticast(e, from, m)
	case *wire.MulticastAck:
		n.multicast.OnMulticastAck(e, from, m)
	case *wire.Inserted:
		n.membership.OnInserted(e, from, m)
	case *wire.Witness:
		n.witness.OnWitness(e, from, m)
	case *wire.WitnessReply:
		n.witness.OnWitnessReply(e, from, m)
	case *wire.IndirectProbe:
		n.heartbeat.OnIndirectProbe(e, from, m)
	case *wire.IndirectAck:
		n.heartbeat.OnIndirectAck(e, from, m)
	case *wire.Refresh:
		n.tree.OnRefresh(e, from, m)
	case *wire.RefreshReply:
		n.tree.OnRefreshReply(e, from, m)
	case *wire.Listing:
		n.tree.OnListing(e, from, m)
	case *wire.Wanted:
		n.tree.OnWanted(e, from, m)
	case *wire.Placed:
		n.tree.OnPlaced(e, from, m)
	case *wire.Deposit:
		n.tree.OnDeposit(e, from, m)
	}
}

// local hands a local message to the machines that it is for: word of the world, a request
// of the face, or what one machine tells another.
func (n *Node) local(e env.Env, l env.Local) {
	if !(n.fact(e, l) || n.request(e, l) || n.judgement(e, l) || n.passage(e, l)) {
		panic(fmt.Sprintf("node: nobody takes %T", l)) // TestEveryLocalMessageIsTaken
	}
}

// fact is what the world tells.
func (n *Node) fact(e env.Env, l env.Local) bool {
	switch l := l.(type) {
	case *env.Unreachable:
		n.heartbeat.OnUnreachable(e, l)
	case *env.LinkOpened:
		n.heartbeat.OnLinkOpened(e, l)
		n.membership.OnLinkOpened(e, l)
	case *env.LinkClosed:
		n.heartbeat.OnLinkClosed(e, l)
	case *env.SelfChanged:
		n.membership.OnSelf(e, l)
		n.tree.OnSelf(e, l)
		n.publish.OnSelf(l)
	case *env.Seeds:
		n.membership.OnSeeds(e, l)
	case *env.HandlerReply:
		n.handled(e, l)
	default:
		return false
	}
	return true
}

// request is what the face asks for.
func (n *Node) request(e env.Env, l env.Local) bool {
	switch l := l.(type) {
	case *env.JoinRequest:
		n.heartbeat.Open()
		n.membership.OnJoin(e, l)
	case *env.LeaveRequest:
		n.membership.OnLeave(e, l)
	case *env.Cancel:
		n.cancel(e, l.Call)
	case *env.PublishBatchRequest:
		n.publish.OnPublishBatch(e, l)
	case *env.PublishRequest:
		n.publish.OnPublish(e, l)
	case *env.UnpublishRequest:
		n.publish.OnUnpublish(e, l)
	case *env.LocateRequest:
		n.locate.OnLocate(e, l)
	case *env.SendRequest:
		n.messages.OnSend(e, l)
	case *env.MulticastRequest:
		n.multicast.OnRequest(e, l)
	default:
		return false
	}
	return true
}

// judgement is what machines find out about other nodes, and want to know of them.
func (n *Node) judgement(e env.Env, l env.Local) bool {
	switch l := l.(type) {
	case *env.Heard:
		n.heartbeat.OnHeard(e, l)
	case *env.Missed:
		n.heartbeat.OnMissed(e, l)
	case *env.Probe:
		n.heartbeat.OnProbe(e, l)
	case *env.Use:
		n.heartbeat.OnUse(e, l)
	case *env.Hints:
		n.heartbeat.OnHints(e, l)
	case *env.Verdict:
		n.verdict(e, l)
	case *env.Pointed:
		n.membership.OnPointed(e, l)
	case *env.Up:
		n.membership.OnUp(e, l)
	case *env.Suspect:
		n.membership.OnSuspect(e, l)
	case *env.Down:
		n.membership.OnDown(e, l)
		n.locate.OnDown(e, l)
	case *env.Changed:
		n.witness.OnChanged(e, l)
		n.router.OnChanged(e, l)
		n.tree.OnChanged(e, l)
		n.multicast.OnChanged(e, l)
	case *env.Stalled:
		n.membership.OnStalled(e, l)
	case *env.Named:
		n.membership.OnNamed(e, l)
	case *env.Judged:
		n.witness.OnJudged(e, l)
	case *env.Witnessed:
		n.router.OnWitnessed(e)
	case *env.Strangers:
		n.locate.OnStrangers(l)
		n.witness.OnStrangers()
	case *env.Located:
		n.messages.OnLocated(e, l)
	case *env.Fetch:
		n.locate.OnFetch(e, l)
	default:
		return false
	}
	return true
}

// passage is how nodes come in, and this one leaves.
func (n *Node) passage(e env.Env, l env.Local) bool {
	switch l := l.(type) {
	case *env.Activated:
		n.router.OnActivated(e)
		n.tree.OnActivated(e)
		n.publish.OnActivated()
	case *env.Insert:
		n.multicast.OnInsert(e, l)
	case *env.Inserted:
		n.membership.OnSpread(e, l)
	case *env.Inserting:
		n.membership.OnInserting(e, l)
	case *env.InsertingDone:
		n.multicast.OnInsertingDone(e, l)
	case *env.Unpinned:
		n.membership.OnUnpinned(l)
	case *env.HandOver:
		n.tree.OnHandOver(e, l)
	case *env.HandedOver:
		n.membership.OnHandedOver(e, l)
	case *env.Settled:
		n.publish.OnSettled(e, l)
	case *env.Drained:
		n.membership.OnDrained(e)
	case *env.Released:
		n.membership.OnReleased(e, l)
	case *env.Departing:
		n.heartbeat.OnDeparting()
	case *env.Departed:
		n.router.OnDeparted()
	case *env.Withdraw:
		n.publish.OnWithdraw(e)
	case *env.Withdrawn:
		n.membership.OnWithdrawn(e)
	default:
		return false
	}
	return true
}

// handled goes to the machine that handed the message to the application.
func (n *Node) handled(e env.Env, r *env.HandlerReply) {
	if r.For == env.Multicast {
		n.multicast.OnHandlerReply(e, r)
		return
	}
	n.messages.OnHandlerReply(e, r)
}

// verdict goes to the machine that asked for it.
func (n *Node) verdict(e env.Env, v *env.Verdict) {
	switch v.For {
	case env.Tree:
		n.tree.OnVerdict(e, v)
	case env.Heartbeat:
		n.membership.OnMet(e, v)
	case env.Locate:
		n.locate.OnVerdict(e, v)
		n.membership.OnMet(e, v)
	default:
		n.membership.OnVerdict(e, v)
	}
}

// cancel tells every machine that may keep something for a call: only one does.
func (n *Node) cancel(e env.Env, call env.Call) {
	n.membership.OnCancel(e, call)
	n.publish.OnCancel(e, call)
	n.locate.OnCancel(e, call)
	n.messages.OnCancel(e, call)
	n.multicast.OnCancel(call)
}
