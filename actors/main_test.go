package actors_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/seed-d8b58eba/millrace/actors/internal/disk"
	"github.com/seed-d8b58eba/millrace/internal/rapidseed"
)

// TestMain has the scripts of the models be the same in every run, and sees to it that no test leaves a
// goroutine behind. Stops write down sums of last blocks as short as those that most tests have.
func TestMain(m *testing.M) {
	rapidseed.Fix()
	disk.LeastSummed = 512
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}
