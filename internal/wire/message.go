package wire

import (
	"google.golang.org/protobuf/proto"
)

// Kind tells the messages of a link apart; it is the number of the field in Frame.
type Kind uint8

// The kinds, in the order of wire.proto.
const (
	KindHello Kind = iota + 1
	KindBeacon
	KindBeaconAck
	KindUnlink
	KindLeave
	KindLeafSet
	KindRow
	KindRecordRequest
	KindRecords
	KindRouted
	KindAck
	KindMulticast
	KindMulticastAck
	KindInserted
	KindStrangers
	KindWitness
	KindWitnessReply
	KindIndirectProbe
	KindIndirectAck
	KindRefresh
	KindRefreshReply
	KindListing
	KindWanted
	KindDeposit
	KindPlaced

	kindEnd
)

// Message is what a link carries, and what a machine's Step gets.
type Message interface {
	proto.Message
	Kind() Kind
	// check returns what is wrong with a message that parsed, nil if nothing.
	check() error
}

var _ = [...]Message{
	(*Hello)(nil), (*Beacon)(nil), (*BeaconAck)(nil), (*Unlink)(nil), (*Leave)(nil), (*LeafSet)(nil),
	(*Row)(nil), (*RecordRequest)(nil), (*Records)(nil), (*Routed)(nil), (*Ack)(nil),
	(*Multicast)(nil), (*MulticastAck)(nil), (*Inserted)(nil), (*Strangers)(nil), (*Witness)(nil), (*WitnessReply)(nil),
	(*IndirectProbe)(nil), (*IndirectAck)(nil),
	(*Refresh)(nil), (*RefreshReply)(nil), (*Listing)(nil), (*Wanted)(nil), (*Deposit)(nil), (*Placed)(nil),
}

func (*Hello) Kind() Kind         { return KindHello }
func (*Beacon) Kind() Kind        { return KindBeacon }
func (*BeaconAck) Kind() Kind     { return KindBeaconAck }
func (*Unlink) Kind() Kind        { return KindUnlink }
func (*Leave) Kind() Kind         { return KindLeave }
func (*LeafSet) Kind() Kind       { return KindLeafSet }
func (*Row) Kind() Kind           { return KindRow }
func (*RecordRequest) Kind() Kind { return KindRecordRequest }
func (*Records) Kind() Kind       { return KindRecords }
func (*Routed) Kind() Kind        { return KindRouted }
func (*Ack) Kind() Kind           { return KindAck }
func (*Multicast) Kind() Kind     { return KindMulticast }
func (*MulticastAck) Kind() Kind  { return KindMulticastAck }
func (*Inserted) Kind() Kind      { return KindInserted }
func (*Strangers) Kind() Kind     { return KindStrangers }
func (*Witness) Kind() Kind       { return KindWitness }
func (*WitnessReply) Kind() Kind  { return KindWitnessReply }
func (*IndirectProbe) Kind() Kind { return KindIndirectProbe }
func (*IndirectAck) Kind() Kind   { return KindIndirectAck }
func (*Refresh) Kind() Kind       { return KindRefresh }
func (*RefreshReply) Kind() Kind  { return KindRefreshReply }
func (*Listing) Kind() Kind       { return KindListing }
func (*Wanted) Kind() Kind        { return KindWanted }
func (*Deposit) Kind() Kind       { return KindDeposit }
func (*Placed) Kind() Kind        { return KindPlaced }

// New returns an empty message of kind k, or nil if there is no such kind.
func New(k Kind) Message {
	switch k {
	case KindHello:
		return new(Hello)
	case KindBeacon:
		return new(Beacon)
	case KindBeaconAck:
		return new(BeaconAck)
	case KindUnlink:
		return new(Unlink)
	case KindLeave:
		return new(Leave)
	case KindLeafSet:
		return new(LeafSet)
	case KindRow:
		return new(Row)
	case KindRecordRequest:
		return new(RecordRequest)
	case KindRecords:
		return new(Records)
	case KindRouted:
		return new(Routed)
	case KindAck:
		return new(Ack)
	case KindMulticast:
		return new(Multicast)
	case KindMulticastAck:
		return new(MulticastAck)
	case KindInserted:
		return new(Inserted)
	case KindStrangers:
		return new(Strangers)
	case KindWitness:
		return new(Witness)
	case KindWitnessReply:
		return new(WitnessReply)
	case KindIndirectProbe:
		return new(IndirectProbe)
	case KindIndirectAck:
		return new(IndirectAck)
	case KindRefresh:
		return new(Refresh)
	case KindRefreshReply:
		return new(RefreshReply)
	case KindListing:
		return new(Listing)
	case KindWanted:
		return new(Wanted)
	case KindDeposit:
		return new(Deposit)
	case KindPlaced:
		return new(Placed)
	}
	return nil
}

// Kinds lists every kind, in order.
func Kinds() []Kind {
	all := make([]Kind, 0, kindEnd-1)
	for k := KindHello; k < kindEnd; k++ {
		all = append(all, k)
	}
	return all
}

var kindNames = [...]string{
	KindHello: "hello", KindBeacon: "beacon", KindBeaconAck: "beacon-ack", KindUnlink: "unlink", KindLeave: "leave",
	KindLeafSet: "leaf-set", KindRow: "row", KindRecordRequest: "record-request", KindRecords: "records",
	KindRouted: "routed", KindAck: "ack",
	KindMulticast: "multicast", KindMulticastAck: "multicast-ack", KindInserted: "inserted",
	KindStrangers: "strangers", KindWitness: "witness", KindWitnessReply: "witness-reply",
	KindIndirectProbe: "indirect-probe", KindIndirectAck: "indirect-ack",
	KindRefresh: "refresh", KindRefreshReply: "refresh-reply", KindListing: "listing", KindWanted: "wanted",
	KindDeposit: "deposit", KindPlaced: "placed",
}

// String is the kind's name in traces and counters.
func (k Kind) String() string {
	if k < KindHello || k >= kindEnd {
		return "unknown"
	}
	return kindNames[k]
}

// Maintenance reports whether messages of this kind only keep tables healthy and
// so are the first that a full queue sheds (docs/protocol.md §3.3).
func (k Kind) Maintenance() bool { return k == KindLeafSet || k == KindRow || k == KindRecordRequest }
