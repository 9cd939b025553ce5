package cursor

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/seed-d8b58eba/millrace/internal/rapidseed"
)

func TestMain(m *testing.M) {
	rapidseed.Fix()
	goleak.VerifyTestMain(m)
}
