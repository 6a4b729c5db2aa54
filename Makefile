# Everything a person or CI does here; `make` alone lists it.
# PROFILE=release makes `up` and `demo` run release builds. RUN_DIR= lets several of them run side by side; `down` needs the same.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := help

PROFILE ?= dev
CARGO_TARGET_DIR ?= target
BIN := $(CARGO_TARGET_DIR)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))
export RUN_DIR ?= .run

# A proxy of this machine does not concern the servers that are started on it.
comma := ,
export NO_PROXY := 127.0.0.1,localhost$(addprefix $(comma),$(NO_PROXY))
export no_proxy := $(NO_PROXY)

CARGO_DENY_VERSION := 0.20.2
CARGO_DENY := target/tools/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: binaries control-plane ## Play the whole story on this machine, without a Meta account (KEEP=1 leaves it running)
	@scripts/need curl
	@BIN=$(BIN) scripts/demo.sh

.PHONY: up
up: binaries control-plane ## Start control plane, simulator and operator in the background; then: source .run/env
	@$(BIN)/control-plane up

.PHONY: down
down: $(BIN)/control-plane ## Stop what `make up`, or the demo with KEEP=1, left running (in the same RUN_DIR)
	@$(BIN)/control-plane down

# End-to-end tests wait more than they work.
test: export RUST_TEST_THREADS ?= $(shell echo $$((2 * $$(nproc 2>/dev/null || sysctl -n hw.ncpu))))

.PHONY: test
test: toolchain control-plane ## Every test
	cargo test --workspace

.PHONY: lint
lint: binaries $(CARGO_DENY) ## Format, clippy, dependencies, generated CRDs and schemas, shell syntax
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	$(CARGO_DENY) --log-level error --workspace check bans licenses sources
	rm -rf target/generated && mkdir -p target/generated/crds target/generated/schemas
	$(BIN)/waba-operator crds --dir target/generated/crds
	$(BIN)/waba-operator schemas --dir target/generated/schemas
	for folder in crds schemas; do \
	  diff -ru $$folder target/generated/$$folder || { echo "$$folder/ is out of date: run make crds" >&2; exit 1; }; \
	done
	for script in .ci/run scripts/need scripts/*.sh tests/control-plane/build.sh; do bash -n "$$script"; done

.PHONY: advisories
advisories: $(CARGO_DENY) ## Known vulnerabilities in dependencies (fetches the advisory database)
	$(CARGO_DENY) --workspace check advisories

.PHONY: bench
bench: toolchain control-plane ## Calls, writes, time and memory with large estates, as a table
	cargo bench

.PHONY: crds
crds: binaries ## Write crds/ and schemas/ anew from the Rust types
	rm -rf crds schemas && mkdir crds schemas
	$(BIN)/waba-operator crds --dir crds && $(BIN)/waba-operator schemas --dir schemas

.PHONY: clean
clean: down ## Stop what `make up` started and remove everything that was built
	cargo clean

.PHONY: toolchain
toolchain:
	@scripts/need cargo cc

.PHONY: binaries
binaries: toolchain
	cargo build --workspace --bins --profile $(PROFILE)

# Only when it is missing: what runs must be stoppable also while the code does not compile.
$(BIN)/control-plane:
	cargo build --package control-plane --bins --profile $(PROFILE)

# etcd, kube-apiserver, kube-controller-manager, kubectl and helm: given, or built from the modules pinned in go.sum.
.PHONY: control-plane
ifdef KUBEBUILDER_ASSETS
control-plane:
	@cd '$(KUBEBUILDER_ASSETS)' && for tool in etcd kube-apiserver kube-controller-manager kubectl helm; do \
	  [ -x $$tool ] || { echo "KUBEBUILDER_ASSETS=$(KUBEBUILDER_ASSETS) lacks $$tool; unset it to have everything built" >&2; exit 1; }; \
	done
else
control-plane: target/control-plane/.built ## Build etcd, kube-apiserver, kube-controller-manager, kubectl and helm
endif

target/control-plane/.built: tests/control-plane/go.mod tests/control-plane/go.sum tests/control-plane/build.sh
	@scripts/need go
	@tests/control-plane/build.sh target/control-plane
	@touch $@

# A debug build is fast enough for what it does, and built in a tenth of the time.
$(CARGO_DENY):
	@scripts/need cargo cc
	cargo install --locked --debug --root target/tools/cargo-deny-$(CARGO_DENY_VERSION) cargo-deny@$(CARGO_DENY_VERSION)
