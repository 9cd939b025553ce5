package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// A build says which program this is.
type build struct {
	version, revision, goVersion string
}

// String is the line for --version.
func (b build) String() string {
	return fmt.Sprintf("Millrace broker %s (revision %s, %s %s/%s)", b.version, b.revision, b.goVersion, runtime.GOOS, runtime.GOARCH)
}

// buildOf reads what the Go command has written into the program.
func buildOf() build {
	b := build{version: "(devel)", revision: "unknown", goVersion: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.version = info.Main.Version
	}
	modified := false
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			b.revision = setting.Value
		case "vcs.modified":
			modified = setting.Value == "true"
		}
	}
	if modified {
		b.revision += " with changes"
	}
	return b
}
