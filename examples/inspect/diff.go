package main

import (
	"bytes"
	"errors"
	"fmt"
	"iter"

	"github.com/spf13/cobra"

	"github.com/seed-d8b58eba/millrace/actors"
)

// difference is a line of diff.
type difference struct {
	Sequence uint64 `json:"seq"`
	What     string `json:"what"` // "only in the first", "only in the second", or in what they differ
	Subject  string `json:"subject"`
}

func (a *app) diffCommand() *cobra.Command {
	var most int
	c := &cobra.Command{
		Use:   "diff STREAM STREAM",
		Short: "compare two streams, message by message",
		Args:  exactly("STREAM", "STREAM"),
		RunE: func(c *cobra.Command, arguments []string) error {
			d := &differ{app: a, most: most}
			err := a.read(c.Context(), arguments[0], func(first *actors.Store) error {
				return a.read(c.Context(), arguments[1], func(second *actors.Store) error {
					return d.compare(c, first, second)
				})
			})
			if err != nil {
				return err
			}
			return d.end()
		},
	}
	c.Flags().IntVarP(&most, "limit", "n", 20, "tell of no more than so many; 0 is all")
	return c
}

type differ struct {
	app         *app
	most        int
	same, other int64
}

func (d *differ) compare(c *cobra.Command, first, second *actors.Store) error {
	left, stopLeft := iter.Pull2(first.Messages(c.Context(), actors.PassDamage()))
	defer stopLeft()
	right, stopRight := iter.Pull2(second.Messages(c.Context(), actors.PassDamage()))
	defer stopRight()
	told := d.app.progress("diff")
	all := int64(first.Stats().Messages)
	next := func(pull func() (actors.Message, error, bool)) (*actors.Message, error) {
		m, err, ok := pull()
		if err != nil || !ok {
			return nil, err
		}
		return &m, nil
	}
	a, err := next(left)
	b, errB := next(right)
	for err = errors.Join(err, errB); err == nil && (a != nil || b != nil); {
		told.at(d.same+d.other, all, count)
		switch {
		case b == nil || a != nil && a.Sequence < b.Sequence:
			err = d.tell(a, "only in the first")
			if err == nil {
				a, err = next(left)
			}
			continue
		case a == nil || b.Sequence < a.Sequence:
			err = d.tell(b, "only in the second")
			if err == nil {
				b, err = next(right)
			}
			continue
		}
		if what := differs(a, b); what != "" {
			err = d.tell(a, what)
		} else {
			d.same++
		}
		if err == nil {
			a, err = next(left)
		}
		if err == nil {
			b, err = next(right)
		}
	}
	return err
}

// differs says in what two messages of a sequence differ.
func differs(a, b *actors.Message) string {
	switch {
	case a.Subject != b.Subject:
		return fmt.Sprintf("subject, %s and %s", shown(a.Subject), shown(b.Subject))
	case !a.Time.Equal(b.Time):
		return fmt.Sprintf("time, %s and %s", instant(a.Time), instant(b.Time))
	case !bytes.Equal(a.HeaderBlock, b.HeaderBlock):
		return "headers"
	case !bytes.Equal(a.Payload, b.Payload):
		return fmt.Sprintf("payload, of %d and %d bytes", len(a.Payload), len(b.Payload))
	}
	return ""
}

func (d *differ) tell(m *actors.Message, what string) error {
	if d.other++; d.most > 0 && d.other > int64(d.most) {
		return nil
	}
	if d.app.asJSON {
		return d.app.json(difference{m.Sequence, what, m.Subject})
	}
	return d.app.printf("%s  %s  %s\n", d.app.paint(cyan, fmt.Sprint(m.Sequence)), shown(m.Subject), d.app.paint(yellow, what))
}

// end says how much was the same.
func (d *differ) end() error {
	var err error
	if d.app.asJSON {
		err = d.app.json(map[string]int64{"same": d.same, "different": d.other})
	} else {
		err = d.app.printf("%d messages are the same, %d differ\n", d.same, d.other)
	}
	if err == nil && d.other > 0 {
		err = errDiffers
	}
	return err
}
