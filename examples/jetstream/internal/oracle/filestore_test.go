package oracle

import (
	"reflect"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
)

// TestStoredMessageHasTheFieldsOfTheServers is what reading them through a pointer rests on.
func TestStoredMessageHasTheFieldsOfTheServers(t *testing.T) {
	ours, theirs := reflect.TypeFor[storedMessage](), reflect.TypeFor[server.StoreMsg]()
	require.Equal(t, theirs.Size(), ours.Size())
	require.Equal(t, theirs.NumField(), ours.NumField())
	names := map[string]string{"subject": "subj", "header": "hdr", "payload": "msg", "_": "buf", "sequence": "seq", "nanos": "ts"}
	for i := range ours.NumField() {
		require.Equal(t, names[ours.Field(i).Name], theirs.Field(i).Name)
		require.Equal(t, theirs.Field(i).Type, ours.Field(i).Type)
		require.Equal(t, theirs.Field(i).Offset, ours.Field(i).Offset)
	}
}
