#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Holds slipway against GitHub's own npm packages: the expression engine and the workflow parser. Installs them, outside of
# this repository, when they are not there yet.
#   tests/differential/run.sh SLIPWAY expressions [COUNT] [SEED]
#   tests/differential/run.sh SLIPWAY workflows COUNT [SEED], schema, or DIRECTORY…
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
slipway=$(readlink -f "$1")
what=$2
shift 2
place=${SLIPWAY_DIFFERENTIAL:-${XDG_CACHE_HOME:-$HOME/.cache}/slipway/differential}
mkdir -p "$place"
if [ ! -d "$place/node_modules/@actions/workflow-parser" ]; then
  npm install --silent --no-audit --no-fund --prefix "$place" @actions/expressions@0.3.61 @actions/workflow-parser@0.3.61 >&2
fi
cp "$here"/*.mjs "$place"
case $what in
  expressions) exec node "$place/expressions.mjs" "$slipway" "${1:-100000}" "${2:-1}" ;;
  workflows) exec node --no-warnings --experimental-loader "file://$place/json_imports.mjs" "$place/workflows.mjs" "$slipway" "$@" ;;
  *) echo "expressions or workflows?" >&2; exit 2 ;;
esac
