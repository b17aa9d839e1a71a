# The front door. Every target first installs what is missing (tools/bootstrap), then does its job.
BUILD  ?= build
PREFIX ?= /usr/local
export DESTDIR

CONFIGURE = cmake -S . -G Ninja -B

.PHONY: build help demo test check interop long nat bench fuzz install clean

build: ## compile everything into build/
	@tools/bootstrap build
	@$(CONFIGURE) $(BUILD) -DHAWSER_TESTS=OFF >/dev/null
	@ninja -C $(BUILD)

help: ## print this list
	@awk -F ': ## ' '/^[a-z]+: ## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

demo: ## a camera and an app find each other and talk: SOURCE=video to stream, KEEP=1 to keep it up
	@tools/bootstrap demo
	@$(CONFIGURE) $(BUILD) -DHAWSER_TESTS=OFF >/dev/null
	@ninja -C $(BUILD)
	@tools/demo

test: ## check, then every test; under 15 minutes on 2 cores
	@tools/bootstrap test
	@tools/run-tests

check: ## format, lint, warnings of gcc and clang, cppcheck, what the core may call
	@tools/bootstrap test
	@tools/check

interop: ## 100 MiB over eight channels, both ways, with browsers and other WebRTC stacks
	@tools/bootstrap test
	@tools/run-tests interop

long: ## hours: fuzzing, 100 000 simulated sessions, 100 MiB with foreign peers
	@tools/bootstrap test
	@tools/run-tests long

fuzz: ## search with every fuzz target: SECONDS_EACH=600
	@tools/bootstrap test
	@tools/run-tests fuzz

nat: ## first data over every pair of NATs beside libnice, and failures: build/nat.json, .svg, kill.json
	@tools/bootstrap nat
	@$(CONFIGURE) $(BUILD)/nat -DCMAKE_BUILD_TYPE=Release >/dev/null
	@ninja -C $(BUILD)/nat net
	@tests/net/nat $(BUILD)/nat --out $(BUILD); matrix=$$?; \
	    tests/net/kill $(BUILD)/nat --out $(BUILD) && exit $$matrix

bench: ## speed, delays, CPU, memory beside baselines: build/bench.json, .svg; ONLY=bulk,idle RUNS=5
	@tools/bootstrap bench
	@$(CONFIGURE) $(BUILD)/bench -DCMAKE_BUILD_TYPE=Release >/dev/null
	@ninja -C $(BUILD)/bench bench
	@tests/bench/run $(BUILD)/bench $(BUILD)/bench.json $(if $(ONLY),--only $(ONLY))

install: ## library, headers, hawser.pc and programs: PREFIX=/usr/local DESTDIR=
	@tools/bootstrap build
	@$(CONFIGURE) $(BUILD)/install -DHAWSER_TESTS=OFF -DCMAKE_BUILD_TYPE=Release \
	    -DCMAKE_INSTALL_PREFIX=$(PREFIX) >/dev/null
	@ninja -C $(BUILD)/install
	@cmake --install $(BUILD)/install

clean: ## remove build/ (keys and state under .hawser/ stay)
	@rm -rf $(BUILD)
