package engine_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain keeps rapid from leaving files in the tree: the seed that a failure
// prints is enough to see it again.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("rapid.nofailfile", "true"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
