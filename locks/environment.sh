#!/usr/bin/env bash
# The environment in .venv, from the files beside this one. Called by make:
#   environment.sh install cpu|gpu   install what the lock names, and this checkout itself
#   environment.sh compile           write both locks anew from pyproject.toml
#   environment.sh trainer DIR PINS  an environment of its own in DIR, with the CPU build of torch and just what PINS names
set -euo pipefail
cd "$(dirname "$0")/.."

UV_VERSION=$(sed -n 's/^uv==//p' locks/cpu.lock)
TORCH=$(grep '^torch==.*+cpu' locks/cpu.lock)
TORCH_CPU_INDEX=${TORCH_CPU_INDEX:-https://download.pytorch.org/whl/cpu}

find_python() {
    local python
    for python in ${PYTHON:-python3.11 python3.12 python3.13 python3.14 python3}; do
        if "$python" -c 'import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    echo "No Python 3.11 to 3.14 with venv was found (tried: ${PYTHON:-python3.11 ... python3})." \
        "Install one (Debian, Ubuntu: python3 and python3-venv) or name it: make setup PYTHON=/path/to/python" >&2
    return 1
}

# A setting of pip's, from its environment or configuration, as a comma-separated list: uv reads none of them.
pip_setting() {
    .venv/bin/python -m pip config list | sed -nE "s/^(:env:|install|global)\.$1='(.*)'\$/\2/p" | head -n 1 |
        sed -E 's/\\n/ /g; s/^ +//; s/ +/,/g'
}

prepare() {
    if [[ "$(.venv/bin/pip --version 2>/dev/null)" != *" from $(pwd -P)/.venv/"* ]]; then # absent, half made or moved
        local python
        python=$(find_python)
        "$python" -m venv --clear .venv
    fi
    .venv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION"
    local index
    index=$(pip_setting index-url)
    [[ -z "$index" ]] || export UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-$index}
    export UV_PYTHON=.venv/bin/python
}

# The CPU build of torch: where pip would find it, else from the PyTorch project's own CPU index. Not on a GPU: uv takes
# a +cpu build found here for the plain version.
find_torch() {
    export UV_FIND_LINKS=${UV_FIND_LINKS:-$(pip_setting find-links)}
    if ! .venv/bin/uv pip install --quiet --dry-run --no-deps "$TORCH" 2>/dev/null; then
        export UV_FIND_LINKS=${UV_FIND_LINKS:+$UV_FIND_LINKS,}$TORCH_CPU_INDEX/torch/
    fi
}

install() {
    if [[ "$1" == cpu && "$(uname -s)" != Linux ]]; then
        echo "vLLM's CPU build exists for Linux (x86_64, aarch64) only, this is $(uname -s): see docs/install.md." >&2
        return 1
    fi
    echo "Installing the packages of locks/$1.lock into .venv, once (a minute or two) ..." >&2
    prepare
    [[ "$1" != cpu ]] || find_torch
    .venv/bin/uv pip sync --quiet --compile-bytecode "locks/$1.lock"
    .venv/bin/uv pip install --quiet --no-deps --no-build-isolation --editable .
}

trainer() {
    prepare
    find_torch
    [[ -x "$1/bin/python" ]] || .venv/bin/uv venv --quiet --clear --python .venv/bin/python "$1"
    UV_PYTHON=$1/bin/python .venv/bin/uv pip sync --quiet <(echo "$TORCH") "$2"
}

compile() {
    prepare
    find_torch
    local options=(--universal --python-version 3.11 --no-annotate --extra train --extra bench --extra dev
        --custom-compile-command "make lock")
    .venv/bin/uv pip compile --quiet "${options[@]}" --extra cpu --override locks/cpu-overrides.txt \
        --no-emit-package torchvision --no-emit-package torchaudio --no-emit-package torchcodec \
        --no-emit-package triton -o locks/cpu.lock pyproject.toml
    UV_FIND_LINKS="" .venv/bin/uv pip compile --quiet "${options[@]}" --extra gpu -o locks/gpu.lock pyproject.toml
}

"$@"
