package actors_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

// checkHistory has six clients carry out so many operations each, and wants an order in which the model has all of
// their outcomes. draw draws an operation: its input for the model, and what carries it out and returns the outcome.
// token is of no other operation.
func checkHistory(t *testing.T, model porcupine.Model, seed uint64, each int, draw func(random *rand.Rand, token string) (input any, run func() any)) {
	t.Helper()
	const clients = 6
	histories := make([][]porcupine.Operation, clients)
	var all sync.WaitGroup
	begin := time.Now()
	for c := range clients {
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(c)))
			for i := range each {
				input, run := draw(random, fmt.Sprintf("%d.%d", c, i))
				call := time.Since(begin)
				output := run()
				histories[c] = append(histories[c], porcupine.Operation{
					ClientId: c, Input: input, Output: output, Call: int64(call), Return: int64(time.Since(begin)),
				})
			}
		})
	}
	all.Wait()
	history := slices.Concat(histories...)
	result := porcupine.CheckOperationsTimeout(model, history, time.Minute)
	if result != porcupine.Ok {
		explainHistory(t, model, history)
	}
	require.Equal(t, porcupine.Ok, result)
}

// explainHistory logs the operations about the longest stretch that can be put in
// order.
func explainHistory(t *testing.T, model porcupine.Model, history []porcupine.Operation) {
	t.Helper()
	_, info := porcupine.CheckOperationsVerbose(model, history, time.Minute)
	var longest []int
	for _, partial := range info.PartialLinearizations() {
		for _, ids := range partial {
			if len(ids) > len(longest) {
				longest = ids
			}
		}
	}
	state := model.Init()
	missing := make(map[int]bool)
	for id := range history {
		missing[id] = true
	}
	for _, id := range longest {
		delete(missing, id)
		_, state = model.Step(state, history[id].Input, history[id].Output)
	}
	t.Logf("up to where there is an order, it leads to %+v", state)
	end := int64(math.MaxInt64)
	for id := range missing {
		end = min(end, history[id].Return)
	}
	for id := range missing {
		if o := history[id]; o.Call <= end {
			t.Logf("none of these can be next: %d..%d client %d: %s", o.Call, o.Return, o.ClientId, model.DescribeOperation(o.Input, o.Output))
		}
	}
	reached := int64(0)
	for _, id := range longest {
		if id < len(history) {
			reached = max(reached, history[id].Call)
		}
	}
	around := slices.DeleteFunc(slices.Clone(history), func(o porcupine.Operation) bool {
		return o.Return < reached-2e6 || o.Call > reached+1e6
	})
	slices.SortFunc(around, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	for _, o := range around {
		t.Logf("%d..%d client %d: %s", o.Call, o.Return, o.ClientId, model.DescribeOperation(o.Input, o.Output))
	}
}
