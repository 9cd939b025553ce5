// Command inspect looks into the directories of streams, Millrace's or a nats-server's: what is in them, whether it is
// sound, and how the files are filled. It opens them for reading only, beside a running owner too, unless a command is
// asked to change something.
//
//	go run . --help
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
