package engine_test

import (
	"os"
	"testing"

	"github.com/seed-d8b58eba/millrace/internal/rapidseed"
)

// TestMain has the scripts of the models be the same in every run.
func TestMain(m *testing.M) {
	rapidseed.Fix()
	os.Exit(m.Run())
}
