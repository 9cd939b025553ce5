package blockio

// A tally tells the records that a scan has visited from those of another one.
type tally struct{ records, offsets int64 }

// of returns a visitor that counts what visit is called for. It is nil if visit is: records of which one bit has flipped are
// not looked for then.
func (t *tally) of(visit func(offset int64, r Record)) func(offset int64, r Record) {
	if visit == nil {
		return nil
	}
	return func(offset int64, r Record) {
		t.records++
		t.offsets += offset
		visit(offset, r)
	}
}

// readsOtherwise reports whether the beginning of a block, which is left when the torn tail behind it is cut, is read by the
// next recovery in another way than s has read it with that tail: the damage in it looks torn then, or ends elsewhere, as
// nothing shows any more where the next record began.
func (o *scanOptions) readsOtherwise(left []byte, unreadable []SectorRange, s *blockScan, kept tally) bool {
	var again tally
	visit := again.of(func(int64, Record) {})
	if s.visit == nil {
		visit = nil
	}
	next := o.scan(left, unreadable, visit)
	return next.out.Torn || next.out.DamageCount != s.out.DamageCount || next.out.LostBytes != s.out.LostBytes || again != kept
}
