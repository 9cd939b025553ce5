package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed-d8b58eba/millrace/actors"
)

// block is a line of blocks, as JSON.
type block struct {
	Block      uint32 `json:"block"`
	Messages   uint64 `json:"messages"`
	First      uint64 `json:"first"`
	Last       uint64 `json:"last"`
	Live       int64  `json:"live"`
	Size       int64  `json:"size"`
	Disk       int64  `json:"disk"`
	Index      int64  `json:"index"`
	Compressed bool   `json:"compressed"`
	Full       bool   `json:"full"`
	Damage     int    `json:"damage"`
}

func (a *app) blocksCommand() *cobra.Command {
	var picture string
	var force bool
	c := &cobra.Command{
		Use:   "blocks STREAM",
		Short: "a map of the blocks: what is live, dead, compressed, damaged",
		Args:  exactly("STREAM"),
		RunE: func(c *cobra.Command, arguments []string) error {
			var list []actors.BlockInfo
			err := a.read(c.Context(), arguments[0], func(s *actors.Store) error {
				told, of := a.progress("blocks "+shown(arguments[0])), int64(s.Stats().Blocks)
				for b, err := range s.Blocks(c.Context()) {
					if err != nil {
						return err
					}
					list = append(list, b)
					told.at(int64(len(list)), of, count)
				}
				return nil
			})
			if err != nil {
				return err
			}
			switch {
			case picture != "":
				err = writePicture(picture, force, arguments[0], list)
			case a.asJSON:
				for _, b := range list {
					err = errors.Join(err, a.json(block{b.ID, b.Messages, b.First, b.Last, b.Live, b.Size, b.Disk, b.Index, b.Compressed, b.Full, b.Damage}))
				}
			default:
				err = a.mapOf(list)
			}
			for _, b := range list {
				if b.Damage > 0 && err == nil {
					err = errDamaged
				}
			}
			return err
		},
	}
	c.Flags().StringVar(&picture, "svg", "", "write the map as an SVG into a file")
	c.Flags().BoolVar(&force, "force", false, "replace a file of that name")
	return c
}

// barWidth is how many characters the bar of a block has.
const barWidth = 24

// mapOf writes the blocks as text: a bar for each.
func (a *app) mapOf(list []actors.BlockInfo) error {
	rows := make([][]string, len(list))
	var live, all, disk int64
	var messages uint64
	for i, b := range list {
		live, all, disk, messages = live+b.Live, all+b.Size, disk+b.Disk, messages+b.Messages
		rows[i] = []string{
			fmt.Sprint(b.ID), fmt.Sprint(b.Messages), fmt.Sprint(b.First), fmt.Sprint(b.Last),
			size(b.Size), size(b.Disk), fmt.Sprintf("%d %%", percent(b.Live, b.Size)), a.bar(b) + marks(a, b),
		}
	}
	if err := a.columns([]string{"block", "messages", "first", "last", "size", "on disk", "live", "# live, . dead"}, rows); err != nil {
		return err
	}
	return a.printf("%d blocks, %d messages, %s, of which %s are live (%d %%); %s on disk\n",
		len(list), messages, size(all), size(live), percent(live, all), size(disk))
}

func percent(part, of int64) int64 {
	if of == 0 {
		return 0
	}
	return part * 100 / of
}

func (a *app) bar(b actors.BlockInfo) string {
	filled := int(percent(b.Live*barWidth, b.Size*100))
	if b.Size > 0 {
		filled = int(b.Live * barWidth / b.Size)
	}
	if b.Live > 0 {
		filled = max(filled, 1)
	}
	return a.paint(green, strings.Repeat("#", filled)) + a.paint(grey, strings.Repeat(".", barWidth-filled))
}

// marks says what else is to be said of a block.
func marks(a *app, b actors.BlockInfo) string {
	text := ""
	if b.Compressed {
		text += " S2"
	}
	if !b.Full {
		text += " takes records"
	} else if b.Index == 0 {
		text += " no index"
	}
	if b.Damage > 0 {
		text += " " + a.paint(red, fmt.Sprintf("DAMAGED in %d places", b.Damage))
	}
	return text
}
