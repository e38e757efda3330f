# One entry for people and for CI. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Node.js of the lock file, so that every machine runs the version the packages ship; the system's
# Node only bootstraps npm.
BIN := node_modules/.bin
NODE := $(BIN)/node
# The binary itself: its wrapper names optional packages that not every mirror of the registry has.
BIOME := node_modules/@biomejs/cli-linux-x64/biome
SOURCES := $(shell find src kmodule -type f)

.PHONY: help package run test test-unit test-system test-stress test-guest-host test-faults test-mutation build lint format bench clean docs gallery test-dependencies

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

node_modules/.package-lock.json: package.json package-lock.json
	@echo "installing npm packages (Node.js $$(node --version) bootstraps, the lock file brings its own)"
	npm ci --engine-strict=false --ignore-scripts --no-progress --loglevel=error
	@touch $@

bin/ktc: node_modules/.package-lock.json scripts/build.ts scripts/bundle.ts scripts/report-page.ts $(SOURCES)
	@scripts/check-node.sh $(NODE)
	@$(NODE) --no-warnings scripts/build.ts

build: bin/ktc ## Bundle the agent into bin/ktc

package: node_modules/.package-lock.json ## Build the tarball, the RPM and the Debian package into dist/
	@packaging/install-build-dependencies.sh
	@$(NODE) --no-warnings packaging/package.ts

run: bin/ktc ## Trace this host's TCP: live table here, NDJSON in ktc-events.ndjson
	@bin/ktc run --local

test-dependencies: node_modules/.package-lock.json
	@scripts/install-test-dependencies.sh

lint: node_modules/.package-lock.json ## Type check, biome, shellcheck, ansible-lint
	$(BIN)/tsc
	$(BIN)/tsc --project src/report/page
	$(BIOME) check --error-on-warnings
	@if command -v shellcheck >/dev/null; then git grep -lE "^#!.*(bash|/sh)" | xargs --no-run-if-empty shellcheck --external-sources; fi
	@scripts/lint-ansible.sh

format: node_modules/.package-lock.json ## Let biome write the format
	$(BIOME) check --write

test: test-dependencies build lint ## Everything this machine can prove in half an hour
	$(NODE) $(BIN)/vitest run

test-unit: build ## No root, no network
	$(NODE) $(BIN)/vitest run test/unit

test-system: test-dependencies build ## Real Kafka, real kernel events
	$(NODE) $(BIN)/vitest run test/sink test/system test/guest

test-stress: test-dependencies build ## The kernel module under stress, some 5 minutes
	KTC_STRESS=1 $(NODE) $(BIN)/vitest run test/guest

test-guest-host: test-dependencies build ## The role on a host with a kernel of its own, which is changed; an hour
	scripts/make-guest-root.sh
	KTC_STRESS=1 $(NODE) $(BIN)/vitest run test/fleet

test-faults: test-dependencies build ## The whole fault matrix, up to 90 minutes; writes docs/reliability.md
	rm -f .cache/faults/rows.ndjson
	KTC_FAULTS=1 $(NODE) $(BIN)/vitest run test/system/faults test/system/host-status.test.ts
	$(NODE) --no-warnings scripts/write-reliability.ts

test-mutation: build ## Plant faults in the parts where a silent error costs most, up to an hour; PARTS="clock ledger" for some
	$(NODE) --no-warnings scripts/test-mutation.ts $(PARTS)

bench: test-dependencies build ## Measure side by side with others, write docs/performance.md
	$(NODE) --no-warnings bench/run.ts

docs: build ## Write the generated pages
	bin/ktc config reference > docs/configuration.md
	$(NODE) --no-warnings scripts/make-doc-tables.ts
	$(NODE) --no-warnings scripts/make-schema.ts
	$(BIOME) format --write src/event/tcp-event.schema.json
	$(NODE) --no-warnings scripts/make-man-pages.ts
	$(NODE) --no-warnings scripts/make-tool-examples.ts
	$(NODE) --no-warnings scripts/make-query-files.ts

gallery: test-dependencies build ## Take the screenshots of docs/querying.md, in headless Chromium
	$(NODE) --no-warnings scripts/make-gallery.ts

clean: ## Remove what was built
	rm -rf bin dist .cache
