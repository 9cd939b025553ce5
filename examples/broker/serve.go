package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// serveOptions are the flags of `broker serve`.
type serveOptions struct {
	dir        string
	listen     string
	maxBytes   int64
	maxMessage int
	maxStreams int
	drain      time.Duration
	followers  int
	create     bool
	recreate   bool
	verbose    bool
}

func (o *serveOptions) register(flags *flag.FlagSet) {
	flags.StringVar(&o.dir, "dir", "data", "the `folder` that holds the streams")
	flags.StringVar(&o.listen, "listen", "127.0.0.1:8080", "the `address` to listen on; there is no authentication, so that anything but loopback needs a proxy that has one")
	flags.Int64Var(&o.maxBytes, "max-bytes", defaultMaxBytes, "how large a stream may get; beyond it the oldest messages make room")
	flags.IntVar(&o.maxMessage, "max-message", defaultMaxMsgSize, "how large a message may be with its header, in bytes")
	flags.IntVar(&o.maxStreams, "max-streams", 64, "how many streams there may be")
	flags.IntVar(&o.followers, "max-followers", 64, "how many requests may follow a stream at a time")
	flags.BoolVar(&o.create, "create", false, "let a POST make the stream that it names; without, only PUT makes streams, and a misspelt name makes none")
	flags.DurationVar(&o.drain, "drain", 10*time.Second, "how long requests under way may take after a signal to stop")
	flags.BoolVar(&o.recreate, "recreate-meta", false, "open streams whose meta.inf is lost, with the limits that the flags say")
	flags.BoolVar(&o.verbose, "v", false, "log requests and what the store does")
}

func (o *serveOptions) validate() error {
	var wrong []error
	refuse := func(bad bool, format string, values ...any) {
		if bad {
			wrong = append(wrong, fmt.Errorf(format, values...))
		}
	}
	refuse(o.dir == "", "-dir is empty")
	_, _, err := net.SplitHostPort(o.listen)
	refuse(err != nil, "-listen: %w", err)
	refuse(o.maxMessage < 1 || o.maxMessage > 16<<20, "-max-message must be 1 byte to 16 MiB, not %d", o.maxMessage)
	least := max(1<<20, 2*int64(o.maxMessage)) // or a message would push itself out
	refuse(o.maxBytes < least, "-max-bytes must be at least 1 MiB and twice -max-message (%d), not %d", least, o.maxBytes)
	refuse(o.maxStreams < 1 || o.maxStreams > 1024, "-max-streams must be 1 to 1024, not %d", o.maxStreams)
	refuse(o.followers < 1 || o.followers > 100_000, "-max-followers must be 1 to 100000, not %d", o.followers)
	refuse(o.drain <= 0, "-drain must be more than 0, not %s", o.drain)
	return errors.Join(wrong...)
}

// Timeouts of the HTTP server. A stream that is followed has no end: its writes get a deadline each.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
)

// runServer serves until ctx ends, then lets the requests under way finish and stops the broker.
func runServer(ctx context.Context, options serveOptions, out io.Writer, logger *slog.Logger) (err error) {
	system := newSystem(logger)
	defer system.Shutdown()
	broker, err := StartBroker(ctx, system, BrokerConfig{
		Dir: options.dir, MaxBytes: options.maxBytes, MaxMsgSize: options.maxMessage, MaxStreams: options.maxStreams,
		MaxSessions: options.followers, CreateOnWrite: options.create, RecreateMeta: options.recreate, Logger: logger,
	})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
		defer cancel()
		err = errors.Join(err, broker.Stop(ctx))
	}()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", options.listen)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	fmt.Fprintf(out, "Millrace broker: http://%s (data in %s; stop with ctrl-C)\n", listener.Addr(), options.dir)
	handler, err := newHandler(broker, logger, listener.Addr())
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	return serveUntil(ctx, listener, handler, options.drain, logger)
}

// serveUntil serves until ctx ends. Those who follow a stream are sent home first, everybody else may
// finish within drain. Who does not is cut off, which is no failure of ours: what was acknowledged is stored.
func serveUntil(ctx context.Context, listener net.Listener, handler *handler, drain time.Duration, logger *slog.Logger) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	server.RegisterOnShutdown(handler.drain)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if err := server.Shutdown(draining); err != nil {
		logger.Warn("requests were still under way when the time for them was over; they are cut off", "after", drain)
		_ = server.Close() // of connections that are of no more use
	}
	return nil
}
