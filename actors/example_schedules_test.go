package actors_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/seed-d8b58eba/millrace/actors"
)

// A message can be a schedule: another one is produced when it is due. This one is due at once, as its time is past.
func ExampleConfig_schedules() {
	store, stop := openExample()
	defer stop()
	ctx := context.Background()
	if err := store.UpdateConfig(ctx, actors.Config{Name: "ORDERS", AllowMsgSchedules: actors.On}); err != nil {
		log.Fatal(err)
	}
	_, err := store.StoreMsg(ctx, "reminders.4711", actors.Header{
		"Nats-Schedule":        {"@at " + time.Now().UTC().Format(time.RFC3339)},
		"Nats-Schedule-Target": {"orders.remind"},
	}, []byte("is order 4711 paid?"))
	if err != nil {
		log.Fatal(err)
	}
	for m, err := range store.Messages(ctx, actors.Filter("orders.remind"), actors.Follow()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %s\n", m.Subject, m.Payload)
		break
	}
	_, err = store.LoadLastMsg(ctx, actors.Filter("reminders.4711"))
	fmt.Println("the schedule:", err)
	// Output:
	// orders.remind: is order 4711 paid?
	// the schedule: there is no such message: no subject matches
}
