package metrics

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBuildLabels(t *testing.T) {
	none := buildLabels(nil)
	require.Equal(t, "unknown", none["version"])
	require.Equal(t, "unknown", none["revision"])
	embedded := buildLabels(&debug.BuildInfo{
		Main:     debug.Module{Path: "example.com/shop", Version: "v9"},
		Deps:     []*debug.Module{{Path: "example.com/other", Version: "v8"}, {Path: module, Version: "v1.2.3"}},
		Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "false"}},
	})
	require.Equal(t, "v1.2.3", embedded["version"])
	require.Equal(t, "abc", embedded["revision"])
	own := buildLabels(&debug.BuildInfo{
		Main:     debug.Module{Path: module, Version: "(devel)"},
		Settings: []debug.BuildSetting{{Key: "vcs.modified", Value: "true"}, {Key: "vcs.revision", Value: "abc"}},
	})
	require.Equal(t, "(devel)", own["version"])
	require.Equal(t, "abc with changes", own["revision"])
}
