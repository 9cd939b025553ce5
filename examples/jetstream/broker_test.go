package main

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestServerReadsWhatTheBrokerLeft runs the broker example's main job for a single round, and compares
// what it leaves behind.
func TestServerReadsWhatTheBrokerLeft(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 55*time.Second)
	defer cancel()
	streams := filepath.Join(t.TempDir(), "data")
	broker := exec.CommandContext(ctx, "go", "run", "./examples/broker", "run", "-dir", streams, "-repeat", "1")
	broker.Dir = filepath.Join("..", "..")
	output, err := broker.CombinedOutput()
	require.NoError(t, err, "%s", output)

	var out bytes.Buffer
	exit := run(ctx, []string{"verify", "-streams", streams}, &out, &out)
	require.Equal(t, exitDone, exit, "%s", &out)
	require.Contains(t, out.String(), "quakes: nats-server")
}
