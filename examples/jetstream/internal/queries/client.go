package queries

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// clientWait bounds how long an answer of the server may take.
const clientWait = 20 * time.Second

// Client asks a nats-server what its clients can: the kinds of ClientPlan, and nothing else.
type Client struct {
	Answerer // nil: what is not overridden cannot be asked
	js       nats.JetStreamContext
	conn     *nats.Conn
	stream   string
}

// NewClient asks about a stream that allows direct gets.
func NewClient(conn *nats.Conn, js nats.JetStreamContext, stream string) *Client {
	return &Client{js: js, conn: conn, stream: stream}
}

// ClientPlan makes the questions that a client can ask.
func ClientPlan(n *Naive) (questions []Question) {
	p := planner{naive: n}
	p.subjects = slices.Sorted(maps.Keys(n.spans(nil)))
	p.patterns = Patterns(Spread(p.subjects, 6))
	last := n.live[len(n.live)-1].Sequence
	for _, pattern := range p.patterns {
		if pattern == "" {
			continue
		}
		f := Filters{Patterns: []string{pattern}, Multi: true}
		p.add(Question{Kind: AskLast, Filters: f})
		p.add(Question{Kind: AskCounts, Filters: f})
		for _, m := range Spread(n.live, 12) {
			p.add(Question{Kind: AskNext, Sequence: m.Sequence, Filters: f})
			p.add(Question{Kind: AskMultiLast, Sequence: m.Sequence, Filters: f})
		}
		p.add(Question{Kind: AskNext, Sequence: last + 1, Filters: f})
		for _, start := range Starts(n, 4) {
			p.add(Question{Kind: AskConsumer, Filters: f, Start: start})
		}
	}
	for i := range len(p.subjects) - 1 {
		f := Filters{Patterns: p.subjects[i : i+2], Multi: true}
		for _, start := range Starts(n, 4) {
			p.add(Question{Kind: AskConsumer, Filters: f, Start: start})
		}
		p.add(Question{Kind: AskMultiLast, Filters: f})
	}
	return p.questions
}

// Counts implements Answerer: STREAM.INFO with a subjects filter.
func (c *Client) Counts(filter string) map[string]uint64 {
	info := must(c.js.StreamInfo(c.stream, &nats.StreamInfoRequest{SubjectsFilter: filter}, nats.MaxWait(clientWait)))
	return info.State.Subjects
}

// Next implements Answerer: a direct get with next_by_subj.
func (c *Client) Next(from uint64, filters Filters) Found {
	list := c.direct(map[string]any{"seq": from, "next_by_subj": filters.one()}, false)
	if len(list) == 0 {
		info := must(c.js.StreamInfo(c.stream, nats.MaxWait(clientWait)))
		return Found{Sequence: info.State.LastSeq, Error: endOfStream}
	}
	return list[0]
}

// Last implements Answerer: a direct get with last_by_subj.
func (c *Client) Last(filters Filters) Found {
	list := c.direct(map[string]any{"last_by_subj": filters.one()}, false)
	if len(list) == 0 {
		return Found{Error: notFound}
	}
	return list[0]
}

// MultiLast implements Answerer: a direct get of the last messages of several subjects.
func (c *Client) MultiLast(patterns []string, most uint64, _ int) (s Sequences) {
	for _, m := range c.direct(map[string]any{"multi_last": patterns, "up_to_seq": most}, true) {
		s.List = append(s.List, m.Sequence)
	}
	return s
}

// direct asks for messages. Several are ended by an answer without one.
func (c *Client) direct(request map[string]any, several bool) (list []Found) {
	inbox := c.conn.NewInbox()
	answers := must(c.conn.SubscribeSync(inbox))
	defer func() { _ = answers.Unsubscribe() }() // the connection is the test's
	if err := c.conn.PublishRequest("$JS.API.DIRECT.GET."+c.stream, inbox, must(json.Marshal(request))); err != nil {
		panic(err)
	}
	for {
		m := must(answers.NextMsg(clientWait))
		switch m.Header.Get("Status") {
		case "":
			list = append(list, direct(m))
		case "204", "404":
			return list
		default:
			panic(fmt.Sprintf("%s %s", m.Header.Get("Status"), m.Header.Get("Description")))
		}
		if !several {
			return list
		}
	}
}

// direct reads the headers that the server put on a message. They are in one block with the message's
// own, so those are written anew.
func direct(m *nats.Msg) Found {
	f := Found{Subject: m.Header.Get(nats.JSSubject), Payload: string(m.Data),
		Sequence: must(strconv.ParseUint(m.Header.Get(nats.JSSequence), 10, 64)),
		Nanos:    must(time.Parse(time.RFC3339Nano, m.Header.Get(nats.JSTimeStamp))).UnixNano()}
	own := ""
	for name, values := range m.Header {
		switch name {
		case nats.JSStream, nats.JSSubject, nats.JSSequence, nats.JSTimeStamp, nats.JSLastSequence, "Nats-Num-Pending":
			continue
		}
		for _, value := range values {
			own += name + ": " + value + "\r\n"
		}
	}
	if own != "" {
		f.Header = "NATS/1.0\r\n" + own + "\r\n"
	}
	return f
}

// Consumer implements Answerer: what a new consumer is told.
func (c *Client) Consumer(start Start, filters Filters) uint64 {
	config := &nats.ConsumerConfig{AckPolicy: nats.AckExplicitPolicy, FilterSubjects: filters.Patterns,
		InactiveThreshold: time.Minute, MemoryStorage: true}
	switch start.Policy {
	case DeliverFrom:
		config.DeliverPolicy, config.OptStartSeq = nats.DeliverByStartSequencePolicy, start.Sequence
	case DeliverFromTime:
		config.DeliverPolicy, config.OptStartTime = nats.DeliverByStartTimePolicy, &start.Time
	case DeliverLastPerSubject:
		config.DeliverPolicy = nats.DeliverLastPerSubjectPolicy
	}
	info := must(c.js.AddConsumer(c.stream, config, nats.MaxWait(clientWait)))
	err := c.js.DeleteConsumer(c.stream, info.Name, nats.MaxWait(clientWait))
	if err != nil && !errors.Is(err, nats.ErrConsumerNotFound) {
		panic(err)
	}
	return info.NumPending
}
