#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What is no command of the image is an argument, or a script, for node.
set -e
case ${1-} in
  -*) set -- node "$@" ;;
  '') ;;
  *) if ! command -v "$1" >/dev/null 2>&1 || { [ -f "$1" ] && [ ! -x "$1" ]; }; then set -- node "$@"; fi ;;
esac
exec "$@"
