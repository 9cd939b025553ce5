package millracestorage_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/extension/xextension/storage"

	millracestorage "github.com/seed-d8b58eba/millrace/actors/adapters/otelcol"
)

// What a collector does with the extension, and what an exporter's queue does with its client.
func ExampleNewFactory() {
	dir, err := os.MkdirTemp("", "otelcol")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx, factory := context.Background(), millracestorage.NewFactory()
	config := factory.CreateDefaultConfig().(*millracestorage.Config)
	config.Directory = dir
	extension, err := factory.Create(ctx, extensiontest.NewNopSettings(factory.Type()), config)
	if err != nil {
		log.Fatal(err)
	}
	if err := extension.Start(ctx, componenttest.NewNopHost()); err != nil {
		log.Fatal(err)
	}

	id := component.MustNewIDWithName("otlp", "backend")
	client, err := extension.(storage.Extension).GetClient(ctx, component.KindExporter, id, "traces")
	if err != nil {
		log.Fatal(err)
	}
	err = client.Batch(ctx, storage.SetOperation("0", []byte("spans")), storage.SetOperation("wi", []byte("1")))
	if err != nil {
		log.Fatal(err)
	}
	item := storage.GetOperation("0")
	if err := client.Batch(ctx, item, storage.DeleteOperation("0"), storage.SetOperation("ri", []byte("1"))); err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(item.Value))
	if err := client.Close(ctx); err != nil {
		log.Fatal(err)
	}
	if err := extension.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
	// Output: spans
}
