# The tools are those on the PATH or, when .ci/run installed them, in .bin.
export PATH := $(CURDIR)/.bin:$(PATH)
FUZZTIME ?= 60s
BENCH ?= .
PKG ?= ./...

.DEFAULT_GOAL := help
.PHONY: help check test race lint fuzz bench demo shot ci

help: ## list what make can do
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

check: ## before every commit: vet, lint and the tests that need no other program
	go vet $(PKG)
	golangci-lint run $(PKG)
	go test -short $(PKG)

test: ## all tests; names the tools whose tests were skipped
	go test -timeout 30m $(PKG)
	@go test -v ./internal/sqltest ./his/soap | grep -o 'needs .*' | sort -u | sed 's/^/skipped: /' || true

race: ## all tests with the race detector, in random order
	go test -race -shuffle=on $(PKG)

lint: ## static analysis as in .golangci.yml
	golangci-lint run $(PKG)

fuzz: ## every fuzz target for FUZZTIME (60s) each
	FUZZTIME=$(FUZZTIME) .ci/run fuzz

bench: ## benchmarks; BENCH=Merged PKG=./internal/sqldb picks some
	go test -run '^$$' -bench '$(BENCH)' -benchmem $(PKG)

demo: ## the hospital with everything around it simulated
	go run ./examples/hospital

shot: ## the picture of the readmes anew; needs Chromium
	HOSPITAL_README_SHOT=$(CURDIR)/docs/sim.webp go test -count 1 -run TestTheTestBedLooksAsInTheReadme ./examples/hospital

ci: ## everything that must hold before a merge, tools installed as needed
	.ci/run
