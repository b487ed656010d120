#!/bin/sh
# Installs the second policy engine into emu's cache folder, from where the tests find it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
home=${EMU_SECOND_ENGINE:-${XDG_CACHE_HOME:-$HOME/.cache}/emu/second-engine}
mkdir -p "$home"
cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$home/"
npm ci --prefix "$home" --no-audit --no-fund
echo "installed: $home"
