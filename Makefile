# The menu. Each target is one line over `cargo xtask`; `cargo xtask help` tells more.
XTASK := cargo run --quiet --package xtask --

.PHONY: demo test check generate bench clean-bench

demo: ## from powered-off machines to a Kubernetes cluster on this machine
	$(XTASK) demo

test: ## format, lints, unit, property and interface tests, the main job
	$(XTASK) test

check: ## format, lints, licences, generated files
	$(XTASK) check

generate: ## CRDs and release components from the types
	$(XTASK) generate

bench: ## speed and memory, as a table
	$(XTASK) bench

clean-bench: ## stop and remove everything that demo and test started or cached
	$(XTASK) clean-bench
