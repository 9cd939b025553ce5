package actors

// Err returns nil while the store takes writes. While it refuses them after a failure of the storage, it returns what
// they are refused with: an ErrFailed that wraps the cause, so that errors.Is finds fs.ErrPermission, ErrNoSpace, or
// an error of the system in it. From the call of Stop on it is ErrStopped. An actor finds the failure in
// StateReply.Failed; Notices tells of it when it happens.
func (s *Store) Err() error {
	if s.stopped.Load() {
		return ErrStopped
	}
	return s.failedWith()
}

// failedWith returns what writes are refused with since a failure, or nil.
func (s *stream) failedWith() error {
	if err := s.cause.Load(); err != nil {
		return *err
	}
	return nil
}

// tellFailure has everybody know that the engine has failed, before the replies to those whose operations were on
// their way.
func (a *storeActor) tellFailure() {
	err := a.engine.Failed()
	a.cause.Store(&err)
	a.tellTakers()
	a.pass(a.failureNotice())
}

// failureNotice returns the notice of a failure, if there is one.
func (s *stream) failureNotice() []Notice {
	if err := s.failedWith(); err != nil {
		return []Notice{{Reason: NoticeFailed, Err: err}}
	}
	return nil
}
