# `make check` is the one gate, for a person and for CI.
GO    ?= go
LINT   = $(GO) tool -modfile=tools/go.mod golangci-lint

.PHONY: check format vet lint build race test fuzz soak bench

check: format vet build lint race test

format: ## nothing that gofmt would change
	@files=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$files" || { echo "gofmt would change:"; echo "$$files"; exit 1; }

vet:
	$(GO) vet ./...

# One static binary without a C compiler; and it compiles where it does not run steps.
build:
	CGO_ENABLED=0 $(GO) build ./...
	CGO_ENABLED=0 GOOS=darwin GOARCH=arm64 $(GO) build ./...
	CGO_ENABLED=0 GOOS=windows GOARCH=amd64 $(GO) build ./...

lint:
	$(LINT) run ./...

# The packages that run things at the same time.
race:
	$(GO) test -race -short ./engine/cache ./engine/fetch ./engine/local ./engine/source ./engine/progress ./planner/...

test:
	$(GO) test ./...

# What people write, in HCL, YAML and Dockerfiles, a target after the other for
# a minute in all; the corpora are in testdata/fuzz.
FUZZTIME ?= 12s
FUZZ = $(GO) test -run '^$$' -fuzztime $(FUZZTIME) -fuzzminimizetime 1x
fuzz:
	$(FUZZ) -fuzz '^FuzzParse$$' ./spec/syntax
	$(FUZZ) -fuzz '^FuzzYAML$$' ./spec/syntax
	$(FUZZ) -fuzz '^FuzzLoad$$' ./spec
	$(FUZZ) -fuzz '^FuzzLoadYAML$$' ./spec
	$(FUZZ) -fuzz '^FuzzImport$$' ./spec/dockerfile

# Long fuzzing, also of what machines write, and repetition; not part of the gate.
soak: FUZZTIME = 5m
soak: fuzz
	$(FUZZ) -fuzz '^FuzzFormat$$' ./spec/format
	$(FUZZ) -fuzz '^FuzzExpand$$' ./spec/dockerfile
	$(FUZZ) -fuzz '^FuzzBake$$' ./spec/bake
	$(FUZZ) -fuzz '^FuzzParseLock$$' ./planner/pin
	$(FUZZ) -fuzz '^FuzzScan$$' ./planner/secretscan
	$(FUZZ) -fuzz '^FuzzDecodeTOC$$' ./engine/layer
	$(FUZZ) -fuzz '^FuzzReadTOC$$' ./engine/layer
	$(GO) test -count 5 -run 'Kill|Escape|Race' ./engine/... ./cmd/...

bench:
	$(GO) run ./cmd/specbuild-bench
	$(GO) test -run '^$$' -bench . -benchtime 1s ./...
