package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// information is what info tells of a stream.
type information struct {
	Stream   string    `json:"stream"`
	Subjects []string  `json:"listens_to,omitempty"`
	Created  time.Time `json:"created,omitzero"`
	Limits   limits    `json:"limits"`

	Messages  uint64 `json:"messages"`
	Bytes     uint64 `json:"bytes"`
	First     uint64 `json:"first"`
	FirstTime string `json:"first_time,omitempty"`
	Last      uint64 `json:"last"`
	LastTime  string `json:"last_time,omitempty"`
	Deleted   uint64 `json:"deleted"`
	Distinct  uint64 `json:"subjects"`
	Lost      uint64 `json:"lost"`
	LostBytes uint64 `json:"lost_bytes"`

	Blocks     uint64   `json:"blocks"`
	OnDisk     uint64   `json:"on_disk"`
	InBlocks   uint64   `json:"in_blocks"`
	InIndexes  uint64   `json:"in_indexes"`
	Consumers  []string `json:"consumers,omitempty"`
	Compressed bool     `json:"compressed"`
	Encrypted  bool     `json:"encrypted"`
}

// limits are those of the stream; 0 stands for none.
type limits struct {
	Messages   int64  `json:"messages,omitempty"`
	Bytes      int64  `json:"bytes,omitempty"`
	PerSubject int64  `json:"per_subject,omitempty"`
	Age        string `json:"age,omitempty"`
	Discard    string `json:"discard,omitempty"`
}

func (a *app) infoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "info STREAM",
		Short: "what a stream is, what is in it, and what it takes",
		Args:  exactly("STREAM"),
		RunE: func(c *cobra.Command, arguments []string) error {
			var i information
			err := a.read(c.Context(), arguments[0], func(s *actors.Store) error {
				return i.fill(c, s)
			})
			if err == nil && a.asJSON {
				err = a.json(i)
			} else if err == nil {
				err = i.print(a)
			}
			if err == nil && i.Lost > 0 {
				err = errDamaged
			}
			return err
		},
	}
}

func (i *information) fill(c *cobra.Command, s *actors.Store) error {
	ctx := c.Context()
	state, err := s.FastState(ctx)
	if err != nil {
		return err
	}
	usage, err := s.DiskUsage(ctx)
	if err != nil {
		return err
	}
	consumers, err := s.Consumers(ctx)
	if err != nil {
		return err
	}
	*i = information{
		Stream: s.Name(), Messages: state.Messages, Bytes: state.Bytes,
		First: state.FirstSequence, FirstTime: instant(state.FirstTime), Last: state.LastSequence, LastTime: instant(state.LastTime),
		Deleted: state.Deleted, Distinct: state.Subjects, Lost: state.LostMessages, LostBytes: state.LostBytes,
		Blocks: s.Stats().Blocks, OnDisk: usage.Total(), InBlocks: usage.Blocks, InIndexes: usage.Indexes, Consumers: consumers,
	}
	config, err := s.StreamConfig()
	if err != nil {
		return err
	}
	meta, err := blockio.ParseMeta(config)
	if err != nil {
		return err
	}
	i.Subjects, i.Created, i.Compressed = meta.Subjects, meta.Created, meta.Compression == "s2"
	i.Limits = limits{Messages: max(0, meta.MaxMsgs), Bytes: max(0, meta.MaxBytes), PerSubject: max(0, meta.MaxMsgsPerSubject), Discard: meta.Discard}
	if meta.MaxAge > 0 {
		i.Limits.Age = meta.MaxAge.String()
	}
	return nil
}

func (i *information) print(a *app) error {
	var b strings.Builder
	line := func(name, format string, arguments ...any) {
		fmt.Fprintf(&b, "%-12s%s\n", name, fmt.Sprintf(format, arguments...))
	}
	line("stream", "%s", shown(i.Stream))
	if len(i.Subjects) > 0 {
		line("listens to", "%s", shown(strings.Join(i.Subjects, " ")))
	}
	if !i.Created.IsZero() {
		line("created", "%s", instant(i.Created))
	}
	line("messages", "%d of %d subjects, %s", i.Messages, i.Distinct, size(int64(i.Bytes)))
	line("sequences", "%d to %d, %d deleted between them", i.First, i.Last, i.Deleted)
	if i.FirstTime != "" {
		line("times", "%s to %s", i.FirstTime, i.LastTime)
	}
	if i.Lost > 0 {
		line("LOST", "%s", a.paint(red, fmt.Sprintf("%d messages through damage, %s", i.Lost, size(int64(i.LostBytes)))))
	}
	line("limits", "%s", i.Limits)
	compressed := ""
	if i.Compressed {
		compressed = ", full ones compressed with S2"
	}
	line("blocks", "%d%s", i.Blocks, compressed)
	line("on disk", "%s: blocks %s, indexes %s", size(int64(i.OnDisk)), size(int64(i.InBlocks)), size(int64(i.InIndexes)))
	if len(i.Consumers) > 0 {
		line("consumers", "%s", shown(strings.Join(i.Consumers, " ")))
	}
	return a.printf("%s", b.String())
}

// String returns the limits for people.
func (l limits) String() string {
	var parts []string
	if l.Messages > 0 {
		parts = append(parts, fmt.Sprintf("%d messages", l.Messages))
	}
	if l.Bytes > 0 {
		parts = append(parts, size(l.Bytes))
	}
	if l.PerSubject > 0 {
		parts = append(parts, fmt.Sprintf("%d messages of a subject", l.PerSubject))
	}
	if l.Age != "" {
		parts = append(parts, "age "+l.Age)
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ") + "; discards " + l.Discard
}
