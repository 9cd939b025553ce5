package peers

import (
	"reflect"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
)

// TestNATSMessageHasTheServersLayout guards the cast that linkname makes.
func TestNATSMessageHasTheServersLayout(t *testing.T) {
	ours, theirs := reflect.TypeFor[natsMessage](), reflect.TypeFor[server.StoreMsg]()
	require.Equal(t, theirs.NumField(), ours.NumField())
	for i := range ours.NumField() {
		require.Equal(t, theirs.Field(i).Type, ours.Field(i).Type, theirs.Field(i).Name)
		require.Equal(t, theirs.Field(i).Offset, ours.Field(i).Offset, theirs.Field(i).Name)
	}
}
