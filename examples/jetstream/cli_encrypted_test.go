package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/examples/jetstream/internal/oracle"
)

func TestTheProgramTakesEncryptedStreams(t *testing.T) {
	t.Parallel()
	store, to := servedStorage(t, oracle.WithKey("a key", true)), t.TempDir()
	exit, out, _ := cliRun(t, "list", "-store", store)
	require.Equal(t, exitDone, exit)
	require.Contains(t, out, "encrypted")
	exit, _, errOut := cliRun(t, "check", "-store", store, "ORDERS")
	require.Equal(t, exitFailed, exit)
	require.Contains(t, errOut, "-key-file")

	keyFile := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(keyFile, []byte("another key\n"), 0o600))
	exit, _, errOut = cliRun(t, "check", "-store", store, "-key-file", keyFile, "ORDERS")
	require.Equal(t, exitFailed, exit, errOut)
	require.NoError(t, os.WriteFile(keyFile, []byte("a key\n"), 0o600))
	exit, out, errOut = cliRun(t, "check", "-store", store, "-key-file", keyFile, "ORDERS")
	require.Equal(t, exitDone, exit, errOut)
	require.Contains(t, out, "99 messages")
	exit, out, errOut = cliRun(t, "copy", "-store", store, "-key-file", keyFile, "-to", to, "ORDERS")
	require.Equal(t, exitDone, exit, errOut)
	require.Contains(t, out, "copied ORDERS: 99 messages")
	require.NotContains(t, out, "a key")
	exit, _, errOut = cliRun(t, "adopt", "-store", store, "-key-file", keyFile, "EVENTS")
	require.Equal(t, exitDone, exit, errOut)
}
