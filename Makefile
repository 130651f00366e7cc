# The menu. Each target is one line over `cargo xtask`; `cargo xtask help` tells more.
XTASK := cargo run --quiet --package xtask --
# For what needs all programs anyway: cargo would build most dependencies once more for xtask alone.
WHOLE := cargo build --quiet --workspace --bins && $${CARGO_TARGET_DIR:-target}/debug/xtask

.PHONY: demo test check generate bench clean-bench

demo: ## from powered-off machines to a Kubernetes cluster on this machine
	$(WHOLE) demo

test: ## format, lints, unit, property and interface tests, the main job
	$(WHOLE) test

check: ## format, lints, licences, generated files
	$(XTASK) check

generate: ## CRDs and release components from the types
	$(XTASK) generate

bench: ## speed and memory, as a table
	$(XTASK) bench

clean-bench: ## stop and remove everything that demo and test started or cached
	$(WHOLE) clean-bench
