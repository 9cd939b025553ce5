package archive_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain sees to it that reading and writing leave no goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
