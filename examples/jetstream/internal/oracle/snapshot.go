package oracle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// chunkSize is how much of a snapshot goes into one message, in bytes.
const chunkSize = 64 << 10

// Snapshot writes the server's snapshot of a stream, consumers included.
func (s *Server) Snapshot(ctx context.Context, stream string, to io.Writer) error {
	inbox := nats.NewInbox()
	sub, err := s.conn.SubscribeSync(inbox)
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	var response server.JSApiStreamSnapshotResponse
	err = s.ask(ctx, fmt.Sprintf(server.JSApiStreamSnapshotT, stream),
		server.JSApiStreamSnapshotRequest{DeliverSubject: inbox, ChunkSize: chunkSize, CheckMsgs: true}, &response)
	if err == nil && response.Error != nil {
		err = response.Error
	}
	if err != nil {
		return fmt.Errorf("oracle: snapshot of %s: %w", stream, err)
	}
	for {
		chunk, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return fmt.Errorf("oracle: snapshot of %s: %w", stream, err)
		}
		if len(chunk.Data) == 0 {
			if status := chunk.Header.Get("Status"); status != "" && status != "204" {
				return fmt.Errorf("oracle: snapshot of %s ended with %s", stream, status)
			}
			return nil
		}
		if _, err := to.Write(chunk.Data); err != nil {
			return err
		}
		if chunk.Reply != "" {
			if err := chunk.Respond(nil); err != nil {
				return err
			}
		}
	}
}

// Restore makes the server restore a stream from a snapshot. config is what the stream is to have: the server keeps
// to it where the snapshot says something else.
func (s *Server) Restore(ctx context.Context, config server.StreamConfig, from io.Reader) error {
	var response server.JSApiStreamRestoreResponse
	err := s.ask(ctx, fmt.Sprintf(server.JSApiStreamRestoreT, config.Name), server.JSApiStreamRestoreRequest{Config: config}, &response)
	if err == nil && response.Error != nil {
		err = response.Error
	}
	if err != nil {
		return fmt.Errorf("oracle: restore %s: %w", config.Name, err)
	}
	chunk := make([]byte, chunkSize)
	for {
		n, err := io.ReadFull(from, chunk)
		if err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		answer, askErr := s.conn.RequestWithContext(ctx, response.DeliverSubject, chunk[:n])
		if askErr != nil {
			return fmt.Errorf("oracle: restore %s: %w", config.Name, askErr)
		}
		if n > 0 && len(answer.Data) == 0 {
			continue
		}
		var created server.JSApiStreamCreateResponse
		if err := json.Unmarshal(answer.Data, &created); err != nil {
			return fmt.Errorf("oracle: restore %s: %w", config.Name, err)
		}
		if created.Error != nil {
			return fmt.Errorf("oracle: restore %s: %w", config.Name, created.Error)
		}
		return nil
	}
}

// ask sends a request of the server's API.
func (s *Server) ask(ctx context.Context, subject string, request, response any) error {
	data, err := json.Marshal(request)
	if err != nil {
		return err
	}
	answer, err := s.conn.RequestWithContext(ctx, subject, data)
	if err != nil {
		return err
	}
	return json.Unmarshal(answer.Data, response)
}
