package disk

import "github.com/seed-d8b58eba/millrace/blockio"

// mend notes damage, cuts off a torn tail, and opens the block that takes the next
// records.
func (r *Recovery) mend(id uint32, tail, last bool, s scanned) error {
	if s.found.DamageCount > 0 {
		r.damaged = append(r.damaged, damagedBlock{id, s.found})
	}
	if n := s.found.Unreadable; n > 0 {
		r.Log.Error("a block has sectors that cannot be read; what they hold is damaged until they can", "path", r.Blocks.Path(id), "bytes", n)
	}
	if s.found.CutTo > s.found.CutFrom {
		if err := r.mending(id); err != nil {
			return err
		}
		r.Log.Info("cutting off a torn tail", "path", r.Blocks.Path(id),
			"offset", s.found.CutFrom, "bytes", s.found.CutTo-s.found.CutFrom)
		r.setAside(id, s.found.CutFrom, s.found.CutTo)
		if err := r.Blocks.Truncate(id, s.found.End); err != nil {
			return err
		}
	}
	if err := r.mendSealed(id, tail || last, s); err != nil {
		return err
	}
	switch {
	case tail && s.found.End > 0:
		r.exposed = 0
	case s.found.End > 0:
		r.exposed = id
		if last && s.found.DamageCount == 0 && r.evidence.server.cut {
			return r.endCut(id, &s.found)
		}
		if last && s.found.DamageCount > 0 {
			torn, err := r.looksTorn(id)
			if err != nil {
				return err
			}
			s.found.Settle = torn
		}
	case last && r.exposed != 0:
		torn, err := r.looksTorn(r.exposed)
		if err != nil {
			return err
		}
		if torn {
			s.found.Settle = true
			s.scan.Finish(0, false, nil, 0)
		}
	}
	if s.found.Settle {
		return r.settle(id, s.found.End, s.found.MarkCRC)
	}
	// A block that is full takes no more records: for the engine it is sealed, and its messages may be erased.
	// So is one that is compressed, and could not be made plain: see expand.
	if last && r.After == nil && !s.compressed && r.appendable(&s.found) && s.found.End < r.Config.BlockSize {
		return r.Blocks.OpenTail(id, s.found.End)
	}
	return nil
}

// mendSealed is mend of what encrypted blocks alone have.
func (r *Recovery) mendSealed(id uint32, last bool, s scanned) error {
	cut := s.found.CutTo > s.found.CutFrom
	// A block that takes no more records, with zeros behind them, or what reads as such.
	ends := r.sealTail && last && !cut && s.size > s.found.End && s.found.Unreadable == 0
	if !ends && !s.lacksZeros {
		return nil
	}
	if err := r.mending(id); err != nil {
		return err
	}
	var err error
	if ends {
		err = r.Blocks.Truncate(id, s.found.End)
	}
	if err == nil && s.lacksZeros {
		err = r.Blocks.WriteLostZeros(id)
	}
	return err
}

// mostMends bounds how often a block is mended in one recovery.
const mostMends = 4

// mendUntilSettled mends a block, and returns its scan as every later recovery will find it. What was cut off has shown where
// damage before it ends, so that what is left may be read otherwise now, where payloads hold records: then that counts.
func (r *Recovery) mendUntilSettled(id uint32, tail, last bool, s scanned) scanned {
	for range mostMends {
		damaged := len(r.damaged)
		if err := r.mend(id, tail, last, s); err != nil {
			return scanned{err: err}
		}
		if last && !tail && r.evidence.server.cut && r.hasMended(id) {
			_, s = r.scanRecords(id, false, false, nil) // with the mark behind what a server has cut
			return s
		}
		if s.found.DamageCount == 0 || !r.hasMended(id) {
			break
		}
		next, torn := r.asLeft(id, tail, s)
		if next.err != nil || !torn {
			if next.found.DamageCount > 0 && next.err == nil {
				r.damaged[damaged].found = next.found
			}
			return next
		}
		s, r.damaged = next, r.damaged[:damaged]
	}
	return s
}

// asLeft returns the scan of a block with damage as mend has left it, and whether it looks torn again.
func (r *Recovery) asLeft(id uint32, tail bool, s scanned) (left scanned, torn bool) {
	data, unreadable, compressed, err := r.readBlock(id, nil)
	if err != nil {
		return scanned{err: err}, false
	}
	scan, found := r.scanAround(id, data, unreadable, tail && !compressed, false)
	if compressed {
		scan.Compressed()
	}
	if !found.Torn && found.DamageCount == s.found.DamageCount && found.LostBytes == s.found.LostBytes && scan.Messages() == s.scan.Messages() {
		return s, false
	}
	s.scan, s.found, s.size, s.lacksZeros = scan, found, int64(len(data)), false
	return s, found.Torn
}

// looksTorn reports whether a block would be cut if it were the last one with anything in it. For the
// next recovery it will be: nothing is left of the blocks after it.
func (r *Recovery) looksTorn(id uint32) (bool, error) {
	data, unreadable, compressed, err := r.readBlock(id, nil)
	if err != nil || compressed { // nobody appends to it
		return false, err
	}
	_, found := r.scanAround(id, data, unreadable, true, false)
	return found.Torn, nil
}

// settle writes a mark of no records at the end of a block whose torn tail was cut. Without the
// mark, the damage before it would look like a torn tail to the next recovery.
func (r *Recovery) settle(id uint32, end int64, crc uint32) error {
	if err := r.mending(id); err != nil {
		return err
	}
	mark := make([]byte, blockio.EmptyRecordSize)
	r.Blocks.Codec(id).PutFrameMark(mark, 0, crc)
	if err := r.Blocks.OpenTail(id, end); err != nil {
		return err
	}
	if err := r.Blocks.Append(id, end, [][]byte{mark}, true); err != nil {
		return err
	}
	return r.Blocks.Seal(id, end+int64(len(mark)))
}
