package peers

import (
	"context"
	"errors"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"

	millracestorage "github.com/seed-d8b58eba/millrace/actors/adapters/otelcol"
)

// Collector is a storage extension of an OpenTelemetry Collector.
type Collector struct {
	Name string
	Open func(dir string) (*OpenCollector, error)
}

// Collectors are the extensions, with a sync before each reply.
func Collectors() []Collector {
	return []Collector{
		{Name: "filestorage (bbolt)", Open: func(dir string) (*OpenCollector, error) {
			return openCollector(filestorage.NewFactory(), func(config component.Config) {
				c := config.(*filestorage.Config)
				c.Directory, c.FSync = dir, true
				c.Compaction.Directory = dir
			})
		}},
		{Name: "Millrace", Open: func(dir string) (*OpenCollector, error) {
			return openCollector(millracestorage.NewFactory(), func(config component.Config) {
				config.(*millracestorage.Config).Directory = dir
			})
		}},
	}
}

// OpenCollector is a client of an extension, and the extension.
type OpenCollector struct {
	storage.Client
	extension extension.Extension
}

func openCollector(factory extension.Factory, configure func(component.Config)) (*OpenCollector, error) {
	ctx, config := context.Background(), factory.CreateDefaultConfig()
	configure(config)
	settings := extension.Settings{ID: component.NewID(factory.Type()), TelemetrySettings: component.TelemetrySettings{Logger: zap.NewNop()}}
	e, err := factory.Create(ctx, settings, config)
	if err != nil {
		return nil, err
	}
	if err := e.Start(ctx, nil); err != nil {
		return nil, err
	}
	client, err := e.(storage.Extension).GetClient(ctx, component.KindExporter, component.MustNewIDWithName("otlp", "backend"), "traces")
	if err != nil {
		return nil, errors.Join(err, e.Shutdown(ctx))
	}
	return &OpenCollector{Client: client, extension: e}, nil
}

// Close closes both.
func (o *OpenCollector) Close() error {
	ctx := context.Background()
	return errors.Join(o.Client.Close(ctx), o.extension.Shutdown(ctx))
}

// QueuePut is the batch with which an exporter's queue takes in an item, and QueueTake the one with which it gives one out.
func QueuePut(key, end string, item []byte) []*storage.Operation {
	return []*storage.Operation{storage.SetOperation(key, item), storage.SetOperation("wi", []byte(end))}
}

// QueueTake is the batch that gives an item out, and the operation that gets it.
func QueueTake(key, start string) (ops []*storage.Operation, item *storage.Operation) {
	item = storage.GetOperation(key)
	return []*storage.Operation{item, storage.DeleteOperation(key), storage.SetOperation("ri", []byte(start))}, item
}
