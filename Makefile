# The commands that are used most; `make` lists them. Each is a script that runs without make as well.
.PHONY: help env test check quickstart ops
.DEFAULT_GOAL := help

help: ## list these commands
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed 's/: .*## /\t/' | expand -t 14

env: ## make .venv with everything that development needs
	bash tools/make_env.sh dev

test: ## run the test suite; make test ARGS=tests/tracking
	bash tools/run_tests.sh $(ARGS)

check: ## all that has to pass before a change lands: tests, style, types, scripts, compiling
	bash .ci/run

quickstart: ## demo set, training, figures, pictures and videos
	bash tools/quickstart.sh

ops: ## build the compiled ops anew, after a change of torch or of their sources
	bash compile.sh
