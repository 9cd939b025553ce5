package engine_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d8b58eba/millrace/engine"
)

// constantsOf lists the constants of a type of package engine, in order, as its source
// has them.
func constantsOf(t *testing.T, typeName string) (names []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range file.Decls {
			group, ok := d.(*ast.GenDecl)
			if !ok || group.Tok != token.CONST {
				continue
			}
			current := "" // a line of a group without a type has that of the line before
			for _, spec := range group.Specs {
				value := spec.(*ast.ValueSpec)
				if id, ok := value.Type.(*ast.Ident); ok {
					current = id.Name
				} else if len(value.Values) > 0 {
					current = ""
				}
				for _, id := range value.Names {
					if current == typeName {
						names = append(names, id.Name)
					}
				}
			}
		}
	}
	return names
}

// TestEveryKindHasItsWord: a value that has none is printed as a number.
func TestEveryKindHasItsWord(t *testing.T) {
	for _, row := range []struct {
		typeName string
		first    uint8 // value
		word     func(uint8) string
		want     []string
	}{
		{"SyncLevel", 0, func(v uint8) string { return engine.SyncLevel(v).String() }, []string{"always", "interval", "never"}},
		{"OpKind", 1, func(v uint8) string { return engine.OpKind(v).String() },
			[]string{"remove derived", "create", "write", "sync", "seal"}},
		{"WorkKind", 1, func(v uint8) string { return engine.WorkKind(v).String() },
			[]string{"load", "sync", "seal", "remove", "find", "subjects", "tombstones", "erase", "truncate", "compact", "ids", "fetch", "schedules", "zone", "lives", "index", "tell"}},
	} {
		t.Run(row.typeName, func(t *testing.T) {
			require.Len(t, row.want, len(constantsOf(t, row.typeName)))
			for i, want := range row.want {
				require.Equal(t, want, row.word(row.first+uint8(i)))
			}
			number := row.first + uint8(len(row.want))
			require.Equal(t, fmt.Sprintf("%s(%d)", row.typeName, number), row.word(number))
			require.Equal(t, row.typeName+"(255)", row.word(255))
			if row.first > 0 {
				require.Equal(t, row.typeName+"(0)", row.word(0))
			}
		})
	}
	require.Len(t, constantsOf(t, "DiscardPolicy"), 2)
	require.Equal(t, "old", engine.DiscardOld.String())
	require.Equal(t, "new", engine.DiscardNew.String())
}

// TestWorkIsPrintedInOneLine, each kind of it.
func TestWorkIsPrintedInOneLine(t *testing.T) {
	data := [][]byte{{1}, {2, 3}}
	for _, row := range []struct{ got, want string }{
		{engine.Op{Kind: engine.OpRemoveDerived}.String(), "remove derived"},
		{engine.Op{Kind: engine.OpCreate, Block: 3}.String(), "create 3"},
		{engine.Op{Kind: engine.OpWrite, Block: 3, Offset: 5, Data: data}.String(), "write 3 [5..8)"},
		{engine.Op{Kind: engine.OpWrite, Block: 3, Offset: 5, Data: data, Sync: true}.String(), "write 3 [5..8) sync"},
		{engine.Op{Kind: engine.OpSync, Block: 3}.String(), "sync 3"},
		{engine.Op{Kind: engine.OpSeal, Block: 3, Offset: 5}.String(), "seal 3 at 5"},
		{engine.Op{Kind: 99}.String(), "OpKind(99) 0"},
		{engine.Work{Kind: engine.WorkLoad, Block: 3}.String(), "load 3"},
		{engine.Work{Kind: engine.WorkSync, Block: 3}.String(), "sync 3"},
		{engine.Work{Kind: engine.WorkSeal, Block: 3}.String(), "seal 3"},
		{engine.Work{Kind: engine.WorkRemove, Block: 3}.String(), "remove 3"},
		{engine.Work{Kind: engine.WorkIndex, Block: 3}.String(), "index 3"},
	} {
		require.Equal(t, row.want, row.got)
	}
}

// TestRefusalsSayWhatWasWrong, in numbers.
func TestRefusalsSayWhatWasWrong(t *testing.T) {
	for _, row := range []struct {
		name   string
		limits engine.Limits
		before int
		refuse sent
		want   string
	}{
		{"messages", engine.Limits{MaxMsgs: 2, Discard: engine.DiscardNew}, 2, store("a", 0),
			"the stream has as many messages as it may have: messages 3, at most 2"},
		{"bytes", engine.Limits{MaxBytes: 40, Discard: engine.DiscardNew}, 1, store("a", 0),
			"the stream has as many bytes as it may have: bytes 62, at most 40"},
		{"message size", engine.Limits{MaxMsgSize: 4}, 0, store("a", 5),
			"too large: bytes of header and payload 5, at most 4"},
		{"next sequence", engine.Limits{}, 4, raw(3, start), "the sequence does not fit: next sequence 3, and the stream has 5"},
		{"expected last sequence", engine.Limits{}, 4,
			sent{"store", &engine.Store{Precondition: engine.Precondition{ExpectLast: 3, HasExpectLast: true}}},
			"the sequence does not fit: expected last sequence 3, and the stream has 4"},
		{"empty batch", engine.Limits{}, 0, batchOf(0, 0), "the batch has no message"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := open(limits(row.limits))
			s.must(t, repeat(store("a", 0), row.before)...)
			replies := s.do(row.refuse)
			require.Len(t, replies, 1)
			require.EqualError(t, replies[0].Err, row.want)
		})
	}
}
