# make demo               map the sample scene and assess the map; make demo SCENE=my.tif maps yours
# make test               install everything, run every test and check
# Other Python:           make demo PYTHON=python3.12

PYTHON ?= python3
BIN := .venv/bin
SCENE ?= demo/sample_scene.tif
OUTPUT ?= demo

KERAS := tensorflow,keras,tf2onnx
TORCH := torch,torchvision,timm,segmentation_models_pytorch,onnxscript,triton
PYTEST := PYTHONPATH=$(CURDIR)/tests/absent $(BIN)/python -m pytest --runslow \
          --doctest-modules --doctest-ignore-import-errors

.DEFAULT_GOAL := help
.PHONY: help demo test style types layers docstrings test-core test-keras test-torch \
        test-together

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

# uv installs in a fraction of pip's time; where it cannot be had, pip does the same.
define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "rs-workbench needs Python 3.11 or newer, but $(PYTHON) is $$($(PYTHON) -V 2>&1):" \
	       "name another one, e.g.  make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet uv 2> /dev/null \
	  && $(BIN)/python -m uv pip install --quiet --python $(BIN)/python -e '$(1)' \
	  || $(BIN)/python -m pip install --quiet -e '$(1)'
	@touch $@
endef

.venv/base.stamp: pyproject.toml
	@echo "installing rs-workbench into .venv"
	$(call install,.)

.venv/all.stamp: pyproject.toml
	@echo "installing rs-workbench with both frameworks and the test tools into .venv"
	$(call install,.[all$(comma)dev$(comma)oracles])
	@touch .venv/base.stamp

comma := ,

demo/sample_scene.tif: .venv/base.stamp
	@mkdir -p demo
	$(BIN)/python -m rs_workbench.sample_scene $@ --reference demo/sample_reference.tif --overwrite

ifeq ($(SCENE),demo/sample_scene.tif)
demo: demo/sample_scene.tif
endif
demo: .venv/base.stamp
	@mkdir -p '$(OUTPUT)'
	$(BIN)/python -m rs_workbench.infer '$(SCENE)' --output '$(OUTPUT)/' --overwrite
ifeq ($(SCENE),demo/sample_scene.tif)
	@echo; echo "how good the map is, by the classes that were drawn:"
	$(BIN)/python -m rs_workbench.assess '$(OUTPUT)/sample_scene_classes.tif' \
	  demo/sample_reference.tif --output '$(OUTPUT)/sample_scene_accuracy' --overwrite
endif
	@echo; echo "map, quick look and report:"
	@name="$$(basename '$(SCENE)')"; ls -1 '$(OUTPUT)/'"$${name%.*}"_*

# Two stages at a time, each printed when it has ended; where one fails, the others still run.
STAGES := test-core test-keras test-torch test-together types docstrings style layers
SYNC := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

test: .venv/all.stamp
	@OMP_WAIT_POLICY=passive $(MAKE) --jobs 2 --keep-going $(SYNC) $(STAGES)

style: .venv/all.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: .venv/all.stamp
	$(BIN)/mypy

layers: .venv/all.stamp
	$(BIN)/lint-imports

docstrings: .venv/all.stamp
	$(BIN)/numpydoc lint $$(find tiling rs_workbench -name '*.py')

test-core: .venv/all.stamp
	RSW_ABSENT=$(KERAS),$(TORCH) $(PYTEST) -m 'not together' tests tiling rs_workbench

# The tests without a framework are run once, by test-core.
WITH_EITHER := tests/backends tests/workbench/test_memory.py tests/workbench/test_doctor.py

test-keras: .venv/all.stamp
	RSW_ABSENT=$(TORCH) RSW_REQUIRE=keras $(PYTEST) -m 'not together' \
	  $(WITH_EITHER) tests/keras_cases tests/training/test_keras_*.py \
	  tests/training/test_train_keras.py rs_workbench/training keras_cases

test-torch: .venv/all.stamp
	RSW_ABSENT=$(KERAS) RSW_REQUIRE=torch $(PYTEST) -m 'not together' \
	  $(WITH_EITHER) tests/torch_cases tests/accuracy/test_torch_*.py tests/ablation/test_torch_*.py \
	  tests/training/test_torch_*.py tests/training/test_train_torch.py rs_workbench/training \
	  torch_cases

# Both installed, each in a child process of its own; what a start loads shows only here.
test-together: .venv/all.stamp
	$(PYTEST) -m together tests
	$(PYTEST) tests/test_project.py
