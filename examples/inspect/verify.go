package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/seed-d8b58eba/millrace/actors"
	"github.com/seed-d8b58eba/millrace/blockio"
)

// damage is a damaged stretch, as JSON.
type damage struct {
	Path   string `json:"path"`
	Block  uint32 `json:"block,omitempty"`
	Offset int64  `json:"offset"`
	First  uint64 `json:"first,omitempty"` // sequences that are lost with it
	Last   uint64 `json:"last,omitempty"`
	Reason string `json:"reason"`
}

// verdict is what verify says in the end, as JSON.
type verdict struct {
	Stream   string `json:"stream"`
	Sound    bool   `json:"sound"`
	Blocks   int    `json:"blocks"`
	Bytes    int64  `json:"bytes"`
	Messages uint64 `json:"messages"`
	Lost     uint64 `json:"lost"`
	Damage   int    `json:"damage"`
}

func (a *app) verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify STREAM...",
		Short: "read all of a stream and verify every checksum there is",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, arguments []string) error {
			var failures []error
			for _, dir := range arguments {
				err := a.read(c.Context(), dir, func(s *actors.Store) error {
					_, err := a.verify(c.Context(), s, dir)
					return err
				})
				if err != nil && !errors.Is(err, errDamaged) {
					err = fmt.Errorf("%s: %w", dir, err)
				}
				failures = append(failures, err)
			}
			return errors.Join(failures...)
		},
	}
}

// verify tells of all that is damaged, and then how much that is. The error is errDamaged if there is any.
func (a *app) verify(ctx context.Context, s *actors.Store, dir string) (actors.VerifyReport, error) {
	usage, err := s.DiskUsage(ctx)
	if err != nil {
		return actors.VerifyReport{}, err
	}
	told := a.progress("verify " + shown(dir))
	var failed error
	report, err := s.Verify(ctx, actors.VerifyOptions{
		Damage:   func(d *blockio.CorruptionError) { failed = errors.Join(failed, a.damaged(d)) },
		Progress: func(p actors.VerifyProgress) { told.at(p.Bytes, max(int64(usage.Blocks), p.Bytes), size) },
	})
	if err = errors.Join(err, failed); err != nil {
		return report, err
	}
	if a.asJSON {
		err = a.json(verdict{dir, report.Damage == 0, report.Blocks, report.Bytes, report.Messages, report.Lost, report.Damage})
	} else {
		what := a.paint(green, "sound")
		if report.Damage > 0 {
			what = a.paint(red, fmt.Sprintf("DAMAGED in %d places, %d messages lost", report.Damage, report.Lost))
		}
		err = a.printf("%s: %s; %d messages in %d blocks, %s\n", shown(dir), what, report.Messages, report.Blocks, size(report.Bytes))
	}
	if err == nil && report.Damage > 0 {
		err = errDamaged
	}
	return report, err
}

func (a *app) damaged(d *blockio.CorruptionError) error {
	if a.asJSON {
		return a.json(damage{d.Path, d.Block, d.Offset, d.Sequence, max(d.Sequence, d.Last), d.Reason})
	}
	place := shown(d.Path)
	if d.Offset > 0 {
		place += fmt.Sprintf(" at byte %d", d.Offset)
	}
	lost := ""
	if d.Sequence > 0 && d.Last > d.Sequence {
		lost = fmt.Sprintf(", messages %d to %d", d.Sequence, d.Last)
	} else if d.Sequence > 0 {
		lost = fmt.Sprintf(", message %d", d.Sequence)
	}
	return a.printf("%s %s%s: %s\n", a.paint(red, "damaged:"), place, lost, shown(d.Reason))
}
