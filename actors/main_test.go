package actors_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/seed-d8b58eba/millrace/internal/rapidseed"
)

// TestMain has the scripts of the models be the same in every run, and sees to it that no test leaves a
// goroutine behind.
func TestMain(m *testing.M) {
	rapidseed.Fix()
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}
