package archive

import (
	"archive/tar"
	"slices"
	"strings"

	"github.com/seed-d8b58eba/millrace/blockio"
)

// consumer is the consumer whose files are being read.
type consumer struct {
	name string
	meta []byte
	next int // of consumerFiles
}

// ended returns an error unless what a consumer needs was there.
func (c *consumer) ended() error {
	if c.name != "" && c.next < 2 {
		return bad("consumer %q has no meta.sum", clip(c.name))
	}
	return nil
}

// consumerFile reads a file of a consumer.
func (r *reader) consumerFile(h *tar.Header) error {
	name, file, _ := strings.Cut(strings.TrimPrefix(h.Name, consumersName), "/")
	if name != r.consumer.name {
		if err := r.beginConsumer(name); err != nil {
			return err
		}
	}
	c := &r.consumer
	place := slices.Index(consumerFiles[:], file)
	if place < 0 || place != c.next {
		return bad("%q is out of place", clip(h.Name))
	}
	c.next++
	data, err := r.all(h, MaxConsumerFile)
	if err != nil {
		return err
	}
	switch file {
	case ConsumerMeta:
		c.meta = data
	case sumName:
		if string(data) != blockio.MetaSum(r.contents.Stream+"/"+name, c.meta) {
			return bad("meta.inf of consumer %q differs from its meta.sum", clip(name))
		}
		c.meta = nil
	}
	return r.put(h.Name, data)
}

// beginConsumer begins with the files of the next consumer.
func (r *reader) beginConsumer(name string) error {
	if err := r.consumer.ended(); err != nil {
		return err
	}
	if !ValidConsumer(name) || r.consumers[name] {
		return bad("consumer %q", clip(name))
	}
	if len(r.consumers) == mostConsumers {
		return bad("more than %d consumers", mostConsumers)
	}
	if r.consumers == nil {
		r.consumers = make(map[string]bool)
	}
	r.consumers[name] = true
	r.contents.Consumers++
	r.consumer = consumer{name: name}
	return nil
}

// ValidConsumer reports whether a consumer can have that name, which is one of a directory.
func ValidConsumer(name string) bool {
	return name != "" && len(name) <= 255 && strings.IndexFunc(name, func(c rune) bool {
		return c <= ' ' || c == 0x7f || strings.ContainsRune(`.*>/\:`, c)
	}) < 0
}
