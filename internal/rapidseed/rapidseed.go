// Package rapidseed has the random tests of a package draw the same scripts in every run, so that a
// change is taken or refused for what it does, and not by luck. The long form of these tests, `make
// models`, draws others each time.
package rapidseed

import "flag"

// seed is what the scripts are drawn from unless the command line says otherwise.
const seed = "20261126"

// Fix sets the seed of rapid, unless the command line has one, or says how many scripts there are: who asks
// for more wants new ones. It also keeps rapid from leaving files in the tree: the seed that a failure prints
// is enough to see it again. Call it in TestMain.
func Fix() {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) {
		asked = asked || f.Name == "rapid.seed" || f.Name == "rapid.checks"
	})
	if !asked {
		set("rapid.seed", seed)
	}
	set("rapid.nofailfile", "true")
}

func set(name, value string) {
	if err := flag.Set(name, value); err != nil {
		panic(err)
	}
}
