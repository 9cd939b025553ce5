package subjects

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-d8b58eba/millrace/internal/subject"
)

// model is the plain way: all live sequences by subject.
type model struct {
	live map[string][]uint64
	size map[string]uint32
}

func (m *model) copy() *model {
	c := &model{map[string][]uint64{}, map[string]uint32{}}
	for name, list := range m.live {
		c.live[name], c.size[name] = slices.Clone(list), m.size[name]
	}
	return c
}

// operation is one that a group has staged.
type operation struct {
	id      uint32
	subject string
}

// machine drives an index as the engine does: a group is staged while the one before
// it may not be applied yet.
type machine struct {
	x        *Index
	m        *model
	staged   [2][]operation
	parity   int // of the group that takes in
	waiting  bool
	sequence uint64
	ids      map[string]uint32
	frozen   []frozen
	names    *rapid.Generator[string]
}

type frozen struct {
	tree *Tree
	m    *model
}

func (mc *machine) stage(t *rapid.T) {
	name := mc.names.Draw(t, "subject")
	id := mc.x.Stage(name, mc.parity)
	if name == "" {
		require.Equal(t, NoID, id)
		return
	}
	found, ok := mc.x.Lookup(name)
	require.True(t, ok)
	require.Equal(t, id, found)
	require.Equal(t, name, string(mc.x.AppendName(nil, id)))
	if known, ok := mc.ids[name]; ok {
		require.Equal(t, known, id, "the id of %q changed", name)
	}
	mc.ids[name] = id
	mc.staged[mc.parity] = append(mc.staged[mc.parity], operation{id, name})
}

func (mc *machine) stageMany(t *rapid.T) {
	known := sortedNames(mc.m)
	mc.x.Fetch(len(known), func(i int) string { return known[i] }) // changes nothing
	mc.x.Fetch(len(known), func(i int) string { return known[i] + "." + known[i] })
	mc.x.Fetch(2, func(i int) string { return [...]string{"", "0"}[i] })
	ids := []uint32{NoID}
	for id := range uint32(40) {
		ids = append(ids, id) // in use or not
	}
	mc.x.FetchKnown(ids)
	for range rapid.IntRange(1, 300).Draw(t, "how many") {
		mc.stage(t)
	}
}

// commit closes the group that takes in; the one before must be applied.
func (mc *machine) commit(t *rapid.T) {
	if mc.waiting {
		mc.apply(t)
	}
	mc.waiting, mc.parity = true, 1-mc.parity
}

// apply applies the group that waits.
func (mc *machine) apply(t *rapid.T) {
	if !mc.waiting {
		return
	}
	parity := 1 - mc.parity
	for i, op := range mc.staged[parity] {
		if op.subject == "" { // the engine failed: it never comes
			continue
		}
		mc.sequence++
		size := uint32(mc.sequence * 7)
		mc.x.Stored(op.id, mc.sequence, size)
		mc.m.live[op.subject] = append(mc.m.live[op.subject], mc.sequence)
		mc.m.size[op.subject] = size
		if i%5 == 4 {
			mc.remove(t)
		}
	}
	mc.x.Published(parity)
	mc.staged[parity], mc.waiting = nil, false
	mc.forgetIDs()
}

// forgetIDs forgets the ids that the index may give to other subjects.
func (mc *machine) forgetIDs() {
	for name := range mc.ids {
		if len(mc.m.live[name]) == 0 && !mc.isStaged(name) {
			delete(mc.ids, name)
		}
	}
}

func (mc *machine) isStaged(name string) bool {
	for _, list := range mc.staged {
		if slices.ContainsFunc(list, func(op operation) bool { return op.subject == name }) {
			return true
		}
	}
	return false
}

func (mc *machine) pick(t *rapid.T) (string, bool) {
	if len(mc.m.live) == 0 {
		return "", false
	}
	names := make([]string, 0, len(mc.m.live))
	for name := range mc.m.live {
		names = append(names, name)
	}
	sort.Strings(names)
	return rapid.SampledFrom(names).Draw(t, "live subject"), true
}

func (mc *machine) remove(t *rapid.T) {
	name, ok := mc.pick(t)
	if !ok {
		return
	}
	list := mc.m.live[name]
	i := rapid.SampledFrom([]int{0, 0, 0, len(list) / 2, len(list) - 1}).Draw(t, "which")
	mc.x.Removed(mc.ids[name], list[i])
	mc.keep(name, slices.Delete(slices.Clone(list), i, i+1))
}

func (mc *machine) keep(name string, list []uint64) {
	if mc.m.live[name] = list; len(list) == 0 {
		delete(mc.m.live, name)
		delete(mc.m.size, name)
	}
}

func (mc *machine) removeOne(t *rapid.T) {
	mc.remove(t)
	mc.forgetIDs()
}

func (mc *machine) removeMany(t *rapid.T) {
	defer mc.forgetIDs()
	for range rapid.IntRange(1, 60).Draw(t, "subjects") {
		name, ok := mc.pick(t)
		if !ok {
			return
		}
		list := mc.m.live[name]
		n := rapid.IntRange(1, len(list)).Draw(t, "n")
		mc.x.RemovedMany(mc.ids[name], uint64(n), list[n-1])
		mc.keep(name, slices.Clone(list[n:]))
	}
}

func (mc *machine) purge(t *rapid.T) {
	names := make([]string, 0, len(mc.m.live))
	for name := range mc.m.live {
		names = append(names, name)
	}
	sort.Strings(names)
	step := rapid.IntRange(1, 3).Draw(t, "each")
	for i := 0; i < len(names); i += step {
		list := mc.m.live[names[i]]
		mc.x.RemovedMany(mc.ids[names[i]], uint64(len(list)), mc.sequence)
		mc.keep(names[i], nil)
	}
	mc.forgetIDs()
}

func (mc *machine) add(t *rapid.T) {
	name := mc.names.Draw(t, "subject")
	n := rapid.IntRange(0, 3).Draw(t, "count")
	var list []uint64
	for range n {
		mc.sequence++
		list = append(list, mc.sequence)
	}
	if n == 0 || name == "" {
		require.Equal(t, NoID, mc.x.Add(name, uint64(n), 1, 2, true, 3))
		return
	}
	exact := rapid.Bool().Draw(t, "exact")
	first := list[0]
	if !exact {
		first--
	}
	id := mc.x.Add(name, uint64(n), first, list[n-1], exact, 99)
	if known, ok := mc.ids[name]; ok {
		require.Equal(t, known, id)
	}
	mc.ids[name] = id
	mc.m.live[name], mc.m.size[name] = append(mc.m.live[name], list...), 99
}

func (mc *machine) setEnds(t *rapid.T) {
	name, ok := mc.pick(t)
	if !ok {
		return
	}
	list := mc.m.live[name]
	mc.x.SetLast(mc.ids[name], list[len(list)-1], 5)
	mc.x.SetFirst(mc.ids[name], list[0])
	mc.m.size[name] = 5
	info, ok := mc.x.Info(mc.ids[name])
	require.True(t, ok)
	require.True(t, info.LastExact)
	require.Equal(t, list[len(list)-1]-list[0] < farApart, info.FirstExact, "%v", list)
}

func (mc *machine) jump(*rapid.T) { mc.sequence += 3 << 30 } // spans do not fit any more

func (mc *machine) freeze(*rapid.T) {
	mc.x.Freeze()
	mc.frozen = append(mc.frozen, frozen{mc.x.Tree(), mc.m.copy()})
	if len(mc.frozen) > 4 {
		mc.frozen = mc.frozen[1:]
	}
}

func (mc *machine) query(t *rapid.T) {
	queries(t, mc.x.Tree(), mc.m, mc.sequence)
	for _, old := range mc.frozen {
		queries(t, old.tree, old.m, mc.sequence)
	}
}

func (mc *machine) check(t *rapid.T) {
	if err := mc.x.check(); err != nil {
		t.Fatal(err)
	}
	require.Equal(t, len(mc.m.live), mc.x.Tree().Len())
}

// queries compares all answers of a tree.
func queries(t *rapid.T, tree *Tree, m *model, sequence uint64) {
	compareAll(t, tree, m)
	var list []subject.Pattern
	for _, text := range rapid.SliceOfN(patterns(), 0, 4).Draw(t, "patterns") {
		list = append(list, subject.Compile(text))
	}
	if name := rapid.SampledFrom(append(sortedNames(m), "none")).Draw(t, "literal"); rapid.Bool().Draw(t, "with it") {
		list = append(list, subject.Literal(name))
	}
	set := subject.NewSet(list...)
	from := uint64(rapid.IntRange(0, int(sequence)+1).Draw(t, "from"))
	compareSet(t, tree, m, &set, from)
}

func sortedNames(m *model) []string {
	names := make([]string, 0, len(m.live))
	for name := range m.live {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func compareAll(t *rapid.T, tree *Tree, m *model) {
	everything := subject.Everything()
	names := sortedNames(m)
	var got []string
	tree.Walk(&everything, func(name []byte, info Info) bool {
		got = append(got, string(name))
		compareInfo(t, m, string(name), info)
		return true
	})
	require.Equal(t, len(names), len(got))
	require.True(t, slices.Equal(names, got))
	for _, name := range names {
		info, ok := tree.Get(name)
		require.True(t, ok, "%q", name)
		compareInfo(t, m, name, info)
		guess, ok := tree.Guess(name)
		require.True(t, ok, "%q", name)
		if guess.ID != info.ID { // then a subject in the same leaf has the same hint
			found := slices.ContainsFunc(names, func(other string) bool {
				of, _ := tree.Get(other)
				return of.ID == guess.ID && hintOf(tree.hash(other)) == hintOf(tree.hash(name))
			})
			require.True(t, found, "%q", name)
			continue
		}
		require.Equal(t, info, guess, "%q", name)
	}
}

func compareInfo(t *rapid.T, m *model, name string, info Info) {
	list := m.live[name]
	require.EqualValues(t, len(list), info.Count, "%q", name)
	first, last := list[0], list[len(list)-1]
	if info.FirstExact {
		require.Equal(t, first, info.First, "%q %v", name, list)
	}
	if info.LastExact {
		require.Equal(t, last, info.Last, "%q %v", name, list)
	}
	require.LessOrEqual(t, info.First, first, "%q", name)
	require.GreaterOrEqual(t, info.Last, last, "%q", name)
	if info.LastExact && info.Count == 1 {
		require.True(t, info.FirstExact, "%q", name)
	}
}

func compareSet(t *rapid.T, tree *Tree, m *model, set *subject.Set, from uint64) {
	var want []string
	var messages, pending, reach uint64
	partial := false
	for name, list := range m.live {
		if !set.Match([]byte(name)) {
			continue
		}
		want = append(want, name)
		messages += uint64(len(list))
		info, _ := tree.Get(name)
		switch {
		case info.Last < from:
			require.Less(t, list[len(list)-1], from)
			continue
		case info.First >= from:
			pending += info.Count
		default:
			partial = true
		}
		reach++
	}
	sort.Strings(want)
	text := fmt.Sprintf("%+v", set.Patterns())
	var got []string
	tree.Walk(set, func(name []byte, info Info) bool {
		got = append(got, string(name))
		compareInfo(t, m, string(name), info)
		return true
	})
	sort.Strings(got)
	require.True(t, slices.Equal(want, got), "%s: want %q, got %q", text, want, got)
	n, total := tree.Total(set)
	require.EqualValues(t, len(want), n, text)
	require.Equal(t, messages, total, text)
	gotPending, gotReach, gotPartial := tree.Pending(set, from)
	require.Equal(t, []any{pending, reach, partial}, []any{gotPending, gotReach, gotPartial}, text)
}

// short subjects meet often; of the others there are many, so that the tree is deep.
func shortNames() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		tokens := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "a-", "\x00", "\xff", "ab", "", "b!"}), 0, 4).Draw(t, "tokens")
		return strings.Join(tokens, ".")
	})
}

func numbered() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		n := rapid.IntRange(0, 20000).Draw(t, "number")
		return fmt.Sprintf("%s.%d.%d", []string{"a", "b", "kv.a"}[n%3], n/1000, n%1000)
	})
}

func longNames() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		n := rapid.IntRange(0, 60).Draw(t, "number")
		long := strings.Repeat([]string{"a", "b", "a.", "ab"}[n%4], []int{20, 3000, 20000, 32767}[n%3])
		if n%5 == 0 {
			return fmt.Sprintf("%d.%s", n, long)[:min(len(long), 65535)]
		}
		return fmt.Sprintf("%s.%d", long[:min(len(long), 65530)], n)
	})
}

func patterns() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		tokens := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "kv", "*", "*", "*", "7", "12"}), 0, 4).Draw(t, "tokens")
		if rapid.Bool().Draw(t, "more") {
			tokens = append(tokens, ">")
		}
		return strings.Join(tokens, ".")
	})
}

func run(t *testing.T, mask uint32, names *rapid.Generator[string]) {
	rapid.Check(t, func(t *rapid.T) {
		mc := &machine{x: New(rapid.Uint64().Draw(t, "seed")), m: (&model{}).copy(), ids: map[string]uint32{}, names: names}
		mc.x.mask = mask
		t.Repeat(map[string]func(*rapid.T){
			"stage": mc.stage, "stage many": mc.stageMany, "commit": mc.commit, "apply": mc.apply,
			"remove": mc.removeOne, "remove many": mc.removeMany, "purge": mc.purge, "add": mc.add,
			"set ends": mc.setEnds, "jump": mc.jump, "freeze": mc.freeze, "query": mc.query, "": mc.check,
		})
		mc.commit(t)
		mc.apply(t)
		mc.commit(t)
		mc.apply(t)
		mc.sequence++
		for _, name := range sortedNames(mc.m) {
			mc.x.RemovedMany(mc.ids[name], uint64(len(mc.m.live[name])), mc.sequence)
			mc.keep(name, nil)
		}
		mc.query(t)
		mc.check(t)
		requireEmpty(t, mc.x)
	})
}

// requireEmpty looks for memory that is left behind.
func requireEmpty(t require.TestingT, x *Index) {
	require.Zero(t, x.table.used)
	require.Zero(t, x.tree.root.len())
	require.Zero(t, x.tree.messages)
	require.Empty(t, x.tree.over)
	require.Zero(t, inUse(&x.leaves))
	require.Equal(t, 1, inUse(&x.nodes))
	require.LessOrEqual(t, x.ids.used, uint32(1<<pageBits))
	for i := range x.staged {
		require.Empty(t, x.staged[i].ids)
		require.Empty(t, x.staged[i].names)
		require.Empty(t, x.staged[i].ends)
	}
	slots := 0
	for _, s := range x.table.directory {
		slots += len(s.slots)
	}
	require.LessOrEqual(t, slots, 64*len(x.table.directory))
}

func TestShortSubjects(t *testing.T) { run(t, ^uint32(0), shortNames()) }
func TestManySubjects(t *testing.T)  { run(t, ^uint32(0), numbered()) }
func TestLongSubjects(t *testing.T)  { run(t, ^uint32(0), longNames()) }
func TestCollisions(t *testing.T)    { run(t, 0xc0000001, numbered()) }
