//go:build !millrace

package interop

import (
	"context"
	"errors"
)

// OpenMillrace needs Millrace's API, which is being written.
func OpenMillrace(context.Context, string, string, func(Reading) error) error {
	return errors.New("interop: built without Millrace")
}
