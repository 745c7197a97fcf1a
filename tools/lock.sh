#!/bin/sh
# Pins what pyproject.toml asks for, with hashes and without addresses: one file for each kind of machine.
set -eu
cd "$(dirname "$0")/.."
lock() {
    out=$1
    shift
    .venv/bin/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
        --no-annotate "$@" pyproject.toml --output-file "requirements/$out.txt"
    echo "requirements/$out.txt"
}
lock exporter --extra exporter --extra build
lock sync --extra sync --extra mqtt --extra build
lock receiver --extra receiver --extra cli --extra postgres --extra mqtt --extra dns --extra build
lock dev --extra dev
