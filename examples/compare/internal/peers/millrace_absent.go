//go:build !millrace

package peers

// MillraceFileMode is the file mode of Millrace's active block, for choosing the bare log to compare with.
const MillraceFileMode = Grow

// Millrace is absent until its API exists.
func Millrace(Level) Peer { return Peer{} }
