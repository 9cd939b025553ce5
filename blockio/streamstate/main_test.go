package streamstate_test

import (
	"os"
	"testing"

	"github.com/seed-d8b58eba/millrace/internal/rapidseed"
)

func TestMain(m *testing.M) {
	rapidseed.Fix()
	os.Exit(m.Run())
}
