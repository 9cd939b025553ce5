package millracestorage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// componentType is what the extension is called by in the configuration of a collector.
var componentType = component.MustNewType("millrace")

// Config is the configuration of the extension.
type Config struct {
	// Directory has a folder for each client.
	Directory string `mapstructure:"directory"`
	// CreateDirectory has the directory made at the start if there is none. Default true.
	CreateDirectory bool `mapstructure:"create_directory"`
	// FSync has what is stored be on the disk before the client is told so. Default true. Without it a crash of the
	// collector costs nothing, and a loss of power up to a second.
	FSync bool `mapstructure:"fsync"`
	// Compression has full blocks compressed in the background.
	Compression bool `mapstructure:"compression"`
	// MaxSize bounds what the keys of a client hold, in bytes; what would make it more is storage.ErrStorageFull. Batches that
	// are on their way together may go beyond it. Default 0: no bound.
	MaxSize int64 `mapstructure:"max_size"`
	// Timeout is how long an operation waits for a disk that has failed to work again. Default 1 s.
	Timeout time.Duration `mapstructure:"timeout"`

	fs        blockio.FS // for tests; nil: that of the operating system
	blockSize int64      // for tests; 0: the default
}

// Validate returns what is wrong with the configuration.
func (c *Config) Validate() error {
	if c.Directory == "" {
		return errors.New("directory must be set")
	}
	if c.Timeout < 0 {
		return errors.New("timeout must not be below zero")
	}
	if c.MaxSize < 0 {
		return errors.New("max_size must not be below zero")
	}
	if c.fs != nil {
		return nil
	}
	info, err := os.Stat(c.Directory)
	switch {
	case c.CreateDirectory && errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("directory must exist: %w", err)
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", c.Directory)
	}
	return nil
}

// NewFactory returns the factory of the extension, for the collector's list of components.
func NewFactory() extension.Factory {
	return extension.NewFactory(componentType,
		func() component.Config {
			return &Config{Directory: defaultDirectory, CreateDirectory: true, FSync: true, Timeout: time.Second}
		},
		func(_ context.Context, settings extension.Settings, config component.Config) (extension.Extension, error) {
			return newExtension(settings.Logger, config.(*Config)), nil
		},
		component.StabilityLevelDevelopment)
}

// defaultDirectory is where a collector keeps such files on Linux.
const defaultDirectory = "/var/lib/otelcol/millrace"
