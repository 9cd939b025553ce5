# Millrace. `make` prints the targets. Needs Go, make and git; `race` needs a C compiler too.
# The development tools (staticcheck, benchstat) are pinned in the tool block of go.mod.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO ?= go
# Every nested module, as a folder: its tests run too, but an embedder never downloads it.
MODULES := $(sort $(patsubst %/go.mod,%,$(shell find . -mindepth 2 -name go.mod -not -path '*/testdata/*' -not -path './.git/*')))

ARGS ?=
DATA ?= ./data
CRASH_POINTS ?= 100000
CRASH_RUN ?= Crash
MODEL_SCRIPTS ?= 3000
MODELS_RUN ?= Model|Whole|SurviveACrash|SurvivesCrash|LimitsThatChange
CRASH_FLAGS ?= -crash.points=$(CRASH_POINTS)
DAMAGE_FLAGS ?=
INTEROP_SCRIPTS ?= 2000
INTEROP_SEED ?= 1
# In examples/jetstream: go.mod has the nats-server whose files these are, newest.mod the newest one.
INTEROP_MOD ?= go.mod
FUZZTIME ?= 30s
BENCH ?= .
BENCHTIME ?= 1s
BENCHCOUNT ?= 1
COVER_OUT ?= cover.out
MUTATE_FLAGS ?=
QUEUE_FLAGS ?=
VERSION ?=
COMPARE_OUT ?= docs/benchmarks.md
COMPARE_FLAGS ?=
# Set by .ci/run: a machine without a C compiler then skips `race` and says so.
RACE_OPTIONAL ?=

.PHONY: help
help: ## print the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: run
run: ## the main job: take in a week of earthquakes durably, stop, reopen, read it all back
	@echo "building the broker, which takes minutes the first time" >&2
	@$(GO) run ./examples/broker run -dir $(DATA) $(ARGS)

.PHONY: serve
serve: ## the broker as an HTTP server on a loopback port, with a live page and /metrics
	@echo "building the broker, which takes minutes the first time" >&2
	@$(GO) run ./examples/broker serve -dir $(DATA) $(ARGS)

.PHONY: test
test: ## every test of the root module and of the nested modules
	@# Those of the nested modules wait for servers, disks and clocks most of the time, so they run beside the root's.
	@nested=$$(mktemp); $(MAKE) --no-print-directory test-nested >"$$nested" 2>&1 & beside=$$!; \
	trap 'kill $$beside 2>/dev/null || true; rm -f "$$nested"' EXIT; \
	failed=0; \
	CGO_ENABLED=0 $(GO) test -timeout 20m ./... || failed=1; \
	wait $$beside || failed=1; \
	cat "$$nested"; exit $$failed

.PHONY: test-nested
test-nested:
	@for module in $(MODULES); do \
		echo "== $$module"; \
		( cd "$$module" && CGO_ENABLED=0 $(GO) vet ./... && CGO_ENABLED=0 $(GO) test -timeout 20m ./... ); \
	done
	@echo "== ./examples/jetstream, the newest nats-server"
	@cd examples/jetstream && CGO_ENABLED=0 $(GO) test . -modfile=newest.mod -trips 60 \
		-run 'TestRoundTrips$$|TestAStreamWithSources|TestARealServer|TestImagesOfWhoWrites$$|TestMillraceRestoresASnapshot'

.PHONY: race
race: ## the root module's tests under the race detector (needs a C compiler)
	@compiler=$$($(GO) env CC); compiler=$${compiler%% *}; \
	if ! command -v "$$compiler" >/dev/null 2>&1; then \
		message="the race detector needs a C compiler, and $$compiler is not on this machine"; \
		if [ -n "$(RACE_OPTIONAL)" ]; then echo "race: skipped: $$message"; exit 0; fi; \
		echo "race: $$message" >&2; exit 1; \
	fi; \
	CGO_ENABLED=1 $(GO) test -race -short -timeout 20m ./... # on a loaded machine one package takes more than ten

.PHONY: lint
lint: ## gofmt, go vet (linux, darwin, windows), staticcheck, no sleeps in tests
	@echo "== gofmt"
	@unformatted=$$(find . -name '*.go' -not -path './.git/*' -print0 | xargs -0 "$$($(GO) env GOROOT)/bin/gofmt" -l); \
	if [ -n "$$unformatted" ]; then echo "not formatted by gofmt:" >&2; echo "$$unformatted" >&2; exit 1; fi
	@for system in linux darwin windows; do \
		echo "== go vet for $$system"; \
		CGO_ENABLED=0 GOOS=$$system $(GO) vet ./...; \
	done
	@echo "== staticcheck"
	@staticcheck=$$($(GO) tool -n staticcheck); \
	for module in . $(MODULES); do \
		if [ "$$module" != . ]; then echo "== $$module: go vet, staticcheck"; fi; \
		( cd "$$module" && $(GO) vet ./... && "$$staticcheck" ./... ); \
	done
	@echo "== no sleeps in tests"
	@if grep -rn --include='*_test.go' 'time\.Sleep(' .; then \
		echo "wait for the event instead (testing/synctest, channels)" >&2; exit 1; \
	fi

.PHONY: bench
bench: ## the benchmarks of the root module (BENCH, BENCHTIME, BENCHCOUNT)
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -count $(BENCHCOUNT) -benchmem ./...

.PHONY: compare
compare: ## the peers beside us in one run; writes docs/benchmarks.md. With ROW=<pattern> or QUICK=1 it prints some rows and writes nothing
	cd examples/compare && $(GO) run . $(if $(ROW)$(QUICK),,-out $(abspath $(COMPARE_OUT))) \
		$(if $(ROW),-row '$(ROW)') $(if $(QUICK),-quick) $(COMPARE_FLAGS)

.PHONY: crash
crash: ## the crash sweep over at least CRASH_POINTS crash points
	$(GO) test ./actors -run '$(CRASH_RUN)' -count=1 -timeout 120m -v $(CRASH_FLAGS)

.PHONY: models
models: ## the models of the engine and of the queries under MODEL_SCRIPTS new random scripts each
	CGO_ENABLED=0 $(GO) test ./engine -run '$(MODELS_RUN)' -count=1 -timeout 120m -rapid.checks=$(MODEL_SCRIPTS)
	CGO_ENABLED=0 $(GO) test ./actors -run 'TestQueryModel$$' -count=1 -timeout 120m -rapid.checks=$(MODEL_SCRIPTS)

.PHONY: interop
interop: ## random scripts on a real nats-server and on us (INTEROP_SCRIPTS, INTEROP_SEED, INTEROP_MOD)
	cd examples/jetstream && CGO_ENABLED=0 $(GO) test . -modfile=$(INTEROP_MOD) -run 'TestRoundTrips$$|TestScriptsOfRemovals$$|TestImagesOfWhoWrites$$' \
		-count=1 -timeout 4h -trips $(INTEROP_SCRIPTS) -trip.seed $(INTEROP_SEED) \
		-scripts $(INTEROP_SCRIPTS) -script.seed $(INTEROP_SEED) -images 100

.PHONY: damage
damage: ## the damage sweep: small stores damaged in every way (DAMAGE_FLAGS)
	@scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; \
	CGO_ENABLED=0 $(GO) test ./actors -run 'TestDamageSweep$$' -count=1 -timeout 10h -v -damage.all \
		-damage.journal "$$scratch/case" $(DAMAGE_FLAGS) \
	|| { echo "the last cases that ran:"; cat "$$scratch"/case*; exit 1; }

.PHONY: queue
queue: ## 20 GB through the queue of a collector, on the disk, and how much its files have meanwhile (QUEUE_FLAGS)
	cd actors/adapters/otelcol && CGO_ENABLED=0 $(GO) test . -run 'TestAQueueTakesTwiceItsLength$$' -count=1 -timeout 2h -v -queue.mb=20480 $(QUEUE_FLAGS)

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME each, nested modules included
	@found=0; \
	for module in . $(MODULES); do \
		cd "$(CURDIR)/$$module"; \
		for package in $$($(GO) list ./...); do \
			listed=$$($(GO) test -list '^Fuzz' "$$package"); \
			for target in $$(grep '^Fuzz' <<<"$$listed" || true); do \
				found=$$((found + 1)); \
				echo "== $$package $$target"; \
				$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$package"; \
			done; \
		done; \
	done; \
	echo "$$found fuzz targets"

.PHONY: fuzz-seeds
fuzz-seeds: ## the seeds of the fuzz targets, into testdata/fuzz of their packages
	$(GO) run ./internal/fuzzseeds

.PHONY: drawing
drawing: ## docs/architecture.svg from docs/architecture.txt
	$(GO) run ./internal/drawing docs/architecture.txt docs/architecture.svg

.PHONY: mutate
mutate: ## changes to the code that a test has to notice (MUTATE_FLAGS: -run, -shard i/n, -list)
	$(GO) run ./internal/mutate $(MUTATE_FLAGS)

.PHONY: cover
cover: ## statement coverage of the root module
	$(GO) test -coverpkg=./... -coverprofile=$(COVER_OUT) ./...
	@$(GO) tool cover -func=$(COVER_OUT) | tail -n 1

.PHONY: api
api: ## CHANGELOG.md names all that the exported Go interface has more or less than the last release
	CGO_ENABLED=0 $(GO) run ./internal/apicheck

.PHONY: release
release: ## the tree made that of VERSION=v1.2.3: versions, CHANGELOG.md, docs/api (docs/releasing.md)
	@test -n "$(VERSION)" || { echo "make release VERSION=v1.2.3" >&2; exit 1; }
	CGO_ENABLED=0 $(GO) run ./internal/apicheck -release $(VERSION)

.PHONY: tidy-check
tidy-check: ## go.mod and go.sum of every module say what the code needs
	@for module in . $(MODULES); do \
		echo "== $$module: go mod tidy -diff"; \
		( cd "$$module" && $(GO) mod tidy -diff ); \
	done
	@cd examples/jetstream && $(GO) mod tidy -diff -modfile=newest.mod
