package pubsub

import (
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/stretchr/testify/require"
)

// constructors are what watermill's tests make publishers and subscribers with, of one group unless they name another.
func constructors(t *testing.T, group string) (tests.PubSubConstructor, tests.ConsumerGroupPubSubConstructor) {
	p := openTest(t, nil, t.TempDir(), nil)
	of := func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
		subscriber, err := p.Subscriber(group)
		require.NoError(t, err)
		return p.Publisher(), subscriber
	}
	return func(t *testing.T) (message.Publisher, message.Subscriber) { return of(t, group) }, of
}

// TestPubSub is watermill's universal suite, with members of a group.
func TestPubSub(t *testing.T) {
	one, ofGroup := constructors(t, "group")
	tests.TestPubSub(t, tests.Features{ConsumerGroups: true, GuaranteedOrder: true, Persistent: true}, one, ofGroup)
}

// TestPubSubWithoutGroup is the suite with subscribers of which each gets all messages.
func TestPubSubWithoutGroup(t *testing.T) {
	one, ofGroup := constructors(t, "")
	tests.TestPubSub(t, tests.Features{
		ConsumerGroups: true, GuaranteedOrder: true, Persistent: true, NewSubscriberReceivesOldMessages: true,
	}, one, ofGroup)
}

// TestPubSubStress is watermill's stress test: the suite several times at once.
func TestPubSubStress(t *testing.T) {
	one, ofGroup := constructors(t, "group")
	tests.TestPubSubStressTest(t, tests.Features{
		ConsumerGroups: true, GuaranteedOrder: true, Persistent: true, ForceShort: testing.Short(),
	}, one, ofGroup)
}
