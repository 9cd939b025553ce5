package metrics

import (
	"runtime"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
)

// module is where this module is, as the Go command knows it.
const module = "github.com/seed-d8b58eba/millrace"

// NewBuildInfo returns millrace_build_info: 1, with labels that say which Millrace is in the program (version), of which
// commit the program was built (revision; with " with changes" if there were any) and with which Go (go_version).
func NewBuildInfo() prometheus.Collector {
	info, _ := debug.ReadBuildInfo()
	labels := buildLabels(info)
	labels["go_version"] = runtime.Version()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "millrace_build_info", Help: "1; the labels say which program this is.", ConstLabels: labels,
	})
	build.Set(1)
	return build
}

// buildLabels reads what the Go command has written into the program; info is nil where it has written nothing.
func buildLabels(info *debug.BuildInfo) prometheus.Labels {
	version, revision := "unknown", "unknown"
	if info == nil {
		return prometheus.Labels{"version": version, "revision": revision}
	}
	for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
		if m.Path == module && m.Version != "" {
			version = m.Version
		}
	}
	changed := false
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			revision = setting.Value
		case "vcs.modified":
			changed = setting.Value == "true"
		}
	}
	if changed {
		revision += " with changes"
	}
	return prometheus.Labels{"version": version, "revision": revision}
}
