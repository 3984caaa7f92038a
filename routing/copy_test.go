package routing

import (
	"testing"

	"github.com/tapestry-dolr/tapestry/internal/wire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A field that a later version of this code adds must not be lost at the first hop.
func TestACopyOfAnEnvelopeHasEveryField(t *testing.T) {
	m := &wire.Routed{Notes: []*wire.HopNote{{Level: 1}}}
	fields := m.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		switch f := fields.Get(i); {
		case f.IsList():
		case f.Kind() == protoreflect.BytesKind:
			m.ProtoReflect().Set(f, protoreflect.ValueOfBytes([]byte{byte(i + 1)}))
		case f.Kind() == protoreflect.BoolKind:
			m.ProtoReflect().Set(f, protoreflect.ValueOfBool(true))
		case f.Kind() == protoreflect.EnumKind:
			m.ProtoReflect().Set(f, protoreflect.ValueOfEnum(1))
		case f.Kind() == protoreflect.Uint32Kind:
			m.ProtoReflect().Set(f, protoreflect.ValueOfUint32(uint32(i+1)))
		default:
			m.ProtoReflect().Set(f, protoreflect.ValueOfUint64(uint64(i+1)))
		}
	}
	if c := copyOf(m); !proto.Equal(c, m) {
		t.Errorf("a copy of\n%v\nis\n%v", m, c)
	}
}
