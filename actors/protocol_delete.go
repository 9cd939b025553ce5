package actors

type (
	// DeleteRequest stops the store and deletes the stream, as Store.Delete does. What the same sender has asked for before
	// is carried out, what it asks for after it is refused with ErrStopped. Reply: *DeleteReply.
	DeleteRequest struct {
		// Background is DeleteOptions.Background.
		Background bool
		Tag        any
	}
	// DeleteReply answers DeleteRequest.
	DeleteReply struct {
		Err error
		Tag any
	}
)
