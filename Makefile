# `make check` is the one gate, for a person and for CI.
GO    ?= go
LINT   = $(GO) tool -modfile=tools/go.mod golangci-lint

.PHONY: check format vet lint build race test soak bench

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

# Long fuzzing and repetition, not part of the gate.
soak: FUZZ = $(GO) test -run '^$$' -fuzztime 5m -fuzzminimizetime 1x
soak:
	$(FUZZ) -fuzz '^FuzzParse$$' ./spec/syntax
	$(FUZZ) -fuzz '^FuzzYAML$$' ./spec/syntax
	$(FUZZ) -fuzz '^FuzzLoad$$' ./spec
	$(FUZZ) -fuzz '^FuzzLoadYAML$$' ./spec
	$(FUZZ) -fuzz '^FuzzDecodeTOC$$' ./engine/layer
	$(FUZZ) -fuzz '^FuzzReadTOC$$' ./engine/layer
	$(GO) test -count 5 -run 'Kill|Escape|Race' ./engine/... ./cmd/...

bench:
	$(GO) run ./cmd/specbuild-bench
	$(GO) test -run '^$$' -bench . -benchtime 1s ./...
