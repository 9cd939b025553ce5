package oracle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go"
)

// pageSize is how many sequences Messages asks for before it waits for answers.
const pageSize = 256

// notFound is the code of the server's answer to a sequence that has no message.
const notFound = 10037

// Message is a message as the server hands it to a client. Header holds the raw header block.
type Message struct {
	Subject  string    `json:"subject"`
	Sequence uint64    `json:"seq"`
	Header   []byte    `json:"hdrs"`
	Payload  []byte    `json:"data"`
	Time     time.Time `json:"time"`
}

type getResponse struct {
	Message *Message `json:"message"`
	Error   *struct {
		Code        int    `json:"err_code"`
		Description string `json:"description"`
	} `json:"error"`
}

// Messages yields every message of the stream whose sequence is in [first, last], as the server's
// message-get API returns it: that is the one client interface which gives header blocks as bytes.
func (s *Server) Messages(ctx context.Context, stream string, first, last uint64) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		inbox := s.conn.NewInbox()
		answers, err := s.conn.SubscribeSync(inbox + ".*")
		if err != nil {
			yield(Message{}, fmt.Errorf("oracle: %w", err))
			return
		}
		// The server drops the interest when the connection closes, if not here.
		defer func() { _ = answers.Unsubscribe() }()
		for page := first; page != 0 && page <= last; page += pageSize {
			count := min(pageSize, last-page+1)
			messages, err := s.page(ctx, stream, inbox, answers, page, int(count))
			if err != nil {
				yield(Message{}, err)
				return
			}
			for _, message := range messages {
				if message != nil && !yield(*message, nil) {
					return
				}
			}
		}
	}
}

// page returns the messages first .. first+count-1, nil where there is none.
func (s *Server) page(ctx context.Context, stream, inbox string, answers *nats.Subscription,
	first uint64, count int) ([]*Message, error) {
	for i := range count {
		request := fmt.Appendf(nil, `{"seq":%d}`, first+uint64(i))
		reply := fmt.Sprintf("%s.%d", inbox, i)
		if err := s.conn.PublishRequest("$JS.API.STREAM.MSG.GET."+stream, reply, request); err != nil {
			return nil, fmt.Errorf("oracle: %w", err)
		}
	}
	messages := make([]*Message, count)
	for range count {
		answer, err := answers.NextMsgWithContext(ctx)
		if err != nil {
			return nil, fmt.Errorf("oracle: messages of %s from %d: %w", stream, first, err)
		}
		var slot int
		if _, err := fmt.Sscanf(answer.Subject[len(inbox):], ".%d", &slot); err != nil || slot >= count {
			return nil, errors.New("oracle: an answer to no question")
		}
		if messages[slot], err = decode(answer.Data); err != nil {
			return nil, fmt.Errorf("oracle: message %d of %s: %w", first+uint64(slot), stream, err)
		}
	}
	return messages, nil
}

func decode(data []byte) (*Message, error) {
	var response getResponse
	if err := json.Unmarshal(data, &response); err != nil {
		return nil, err
	}
	switch {
	case response.Error != nil && response.Error.Code == notFound:
		return nil, nil
	case response.Error != nil:
		return nil, fmt.Errorf("%d %s", response.Error.Code, response.Error.Description)
	case response.Message == nil:
		return nil, errors.New("neither message nor error")
	}
	return response.Message, nil
}
