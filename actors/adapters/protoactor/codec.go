package protoactor

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Codec turns events and snapshots into bytes and back. It is used by many actors at once.
type Codec interface {
	// Encode returns the bytes of a message, and the name by which Decode knows its type: of characters that a header
	// can hold.
	Encode(message proto.Message) (name string, payload []byte, err error)
	// Decode returns the message. It must not keep payload.
	Decode(name string, payload []byte) (proto.Message, error)
}

// Proto is the codec of a Provider unless it is given another one: the binary form of protocol buffers, and the full name
// of the type, which is looked up among the types that are linked into the program.
var Proto Codec = protoCodec{}

type protoCodec struct{}

func (protoCodec) Encode(message proto.Message) (string, []byte, error) {
	if message == nil || !message.ProtoReflect().IsValid() {
		return "", nil, fmt.Errorf("%w: it is nil", ErrCodec)
	}
	payload, err := proto.Marshal(message)
	if err != nil {
		return "", nil, fmt.Errorf("%w: %w", ErrCodec, err)
	}
	return string(message.ProtoReflect().Descriptor().FullName()), payload, nil
}

func (protoCodec) Decode(name string, payload []byte) (proto.Message, error) {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(name))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCodec, err)
	}
	message := kind.New().Interface()
	if err := proto.Unmarshal(payload, message); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCodec, err)
	}
	return message, nil
}
