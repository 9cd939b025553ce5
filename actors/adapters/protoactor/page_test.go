package protoactor

import (
	"testing"

	"github.com/seed-d8b58eba/millrace/internal/pageprogram"
)

// TestTheProgramOfThePage prints what the page says.
func TestTheProgramOfThePage(t *testing.T) { pageprogram.Test(t, "README.md") }
