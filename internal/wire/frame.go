package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// ErrUnknownKind is what Decode returns for a well-formed frame of a kind that
// this version does not know: skip it, keep the link.
var ErrUnknownKind = errors.New("unknown kind of frame")

// ErrTooLarge is returned for a frame that announces more than MaxFrame bytes.
var ErrTooLarge = errors.New("frame larger than the limit")

// AppendFrame appends m's frame, length prefix included, to dst. It gives dst back
// as it was if m is too large or has a string that is not UTF-8.
func AppendFrame(dst []byte, m Message) ([]byte, error) {
	body := proto.Size(m)
	tag := protowire.Number(m.Kind())
	size := protowire.SizeTag(tag) + protowire.SizeBytes(body)
	if size > MaxFrame {
		return dst, fmt.Errorf("%v of %d bytes: %w", m.Kind(), size, ErrTooLarge)
	}
	out := binary.AppendUvarint(dst, uint64(size))
	out = protowire.AppendTag(out, tag, protowire.BytesType)
	out = protowire.AppendVarint(out, uint64(body))
	out, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(out, m)
	if err != nil {
		return dst, fmt.Errorf("%v: %w", m.Kind(), err)
	}
	return out, nil
}

// ReadFrame reads one frame's bytes from r, without its length prefix, reusing
// buf if it is large enough. A stream that ends between frames gives io.EOF.
func ReadFrame(r *bufio.Reader, buf []byte) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	if n > MaxFrame {
		return nil, fmt.Errorf("%d bytes: %w", n, ErrTooLarge)
	}
	if uint64(cap(buf)) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if _, err := io.ReadFull(r, buf); err != nil {
		return nil, fmt.Errorf("frame of %d bytes cut off: %w", n, io.ErrUnexpectedEOF)
	}
	return buf, nil
}

// Decode reads and checks the message in a frame without length prefix. The
// message does not refer to frame.
func Decode(frame []byte) (Message, error) {
	number, typ, n := protowire.ConsumeTag(frame)
	if n < 0 || typ != protowire.BytesType {
		return nil, errors.New("frame does not begin with a message")
	}
	body, m := protowire.ConsumeBytes(frame[n:])
	if m < 0 || n+m != len(frame) {
		return nil, errors.New("frame is not exactly one message")
	}
	if number >= protowire.Number(kindEnd) {
		return nil, fmt.Errorf("%w: %d", ErrUnknownKind, number)
	}
	msg := New(Kind(number))
	if err := unmarshal(body, msg); err != nil {
		return nil, fmt.Errorf("%v: %w", msg.Kind(), err)
	}
	if err := msg.check(); err != nil {
		return nil, fmt.Errorf("%v: %w", msg.Kind(), err)
	}
	return msg, nil
}

// unmarshal is proto.Unmarshal for bytes that a peer sent.
func unmarshal(packed []byte, into proto.Message) error {
	if err := checkCounts(packed, into); err != nil {
		return err
	}
	if err := proto.Unmarshal(packed, into); err != nil {
		return fmt.Errorf("malformed: %w", err)
	}
	return nil
}
