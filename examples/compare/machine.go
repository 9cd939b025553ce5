package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
)

// machine says what the numbers were measured on. Fields that the system does not tell are empty.
type machine struct {
	processor  string
	cores      int
	kernel     string
	filesystem string
	goVersion  string
	peers      []string // modules with versions
}

// peerModules are the stores whose versions belong in the report.
var peerModules = map[string]bool{
	"github.com/nats-io/nats-server/v2": true,
	"github.com/cockroachdb/pebble/v2":  true,
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage": true,
	"github.com/hashicorp/raft-boltdb/v2":                                                     true,
	"github.com/hashicorp/raft-wal":                                                           true,
	"github.com/tidwall/wal":                                                                  true,
}

// describe looks at this machine and at the filesystem of dir.
func describe(dir string) machine {
	m := machine{
		processor:  field("/proc/cpuinfo", "model name"),
		cores:      runtime.NumCPU(),
		filesystem: filesystemOf(dir),
		goVersion:  runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH,
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.kernel = strings.TrimSpace(string(release))
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if peerModules[module.Path] {
				m.peers = append(m.peers, module.Path+" "+module.Version)
			}
		}
	}
	return m
}

func (m machine) markdown() string {
	var b strings.Builder
	b.WriteString("| machine | |\n|---|---|\n")
	for _, entry := range [][2]string{
		{"processor", m.processor},
		{"cores", fmt.Sprint(m.cores)},
		{"kernel", m.kernel},
		{"filesystem", m.filesystem},
		{"go", m.goVersion},
		{"peers", strings.Join(m.peers, ", ")},
	} {
		if entry[1] != "" {
			fmt.Fprintf(&b, "| %s | %s |\n", entry[0], entry[1])
		}
	}
	return b.String()
}

// field returns the value of the first line "name : value" of a file.
func field(path, name string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }() // it was only read
	for lines := bufio.NewScanner(file); lines.Scan(); {
		key, value, found := strings.Cut(lines.Text(), ":")
		if found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// filesystemOf returns the type of the filesystem that holds dir.
func filesystemOf(dir string) string {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return ""
	}
	longest, kind := -1, ""
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		point := fields[1]
		inside := point == "/" || absolute == point || strings.HasPrefix(absolute, point+"/")
		if inside && len(point) >= longest {
			longest, kind = len(point), fields[2]
		}
	}
	return kind
}
