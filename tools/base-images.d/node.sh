# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# node:20-bookworm-slim: Node's own build, npm, yarn and corepack, all as packaged in the npm registry.

fetch_node() {
  mkdir -p "$work/npm"
  npm pack --silent --pack-destination "$work/npm" "node-linux-$node_arch@$node_version" "npm@$npm_version" \
    "yarn@$yarn_version" "corepack@$corepack_version" >/dev/null
}

make_node() {
  say "node:20-bookworm-slim"
  on_debian node install_node
  image node-20-bookworm-slim docker.io/library/node:20-bookworm-slim \
    "{\"Env\":[\"PATH=$default_path\",\"NODE_VERSION=$node_version\",\"YARN_VERSION=$yarn_version\"],\"Entrypoint\":[\"docker-entrypoint.sh\"],\"Cmd\":[\"node\"]}" \
    "node $node_version from npm packages" debian node
}

install_node() {
  local root=$1 local=$1/usr/local modules=$1/usr/local/lib/node_modules
  groupadd --root "$root" --gid 1000 node
  useradd --root "$root" --uid 1000 --gid node --shell /bin/bash --create-home node
  mkdir -p "$modules"/{npm,corepack} "$root/opt/yarn-v$yarn_version" "$local/etc"
  unpack() { tar -xzf "$work/npm/$1" -C "$2" --strip-components=1 --no-same-owner "${@:3}"; }
  # OpenSSL's headers for every platform are 47 of the package's 48 MB of headers, and add-ons do not use them.
  unpack "node-linux-$node_arch-$node_version.tgz" "$local" --exclude='*/include/node/openssl' package/bin package/include
  unpack "npm-$npm_version.tgz" "$modules/npm"
  unpack "corepack-$corepack_version.tgz" "$modules/corepack"
  unpack "yarn-$yarn_version.tgz" "$root/opt/yarn-v$yarn_version"
  ln -s node "$local/bin/nodejs"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$local/bin/npm"
  ln -s ../lib/node_modules/npm/bin/npx-cli.js "$local/bin/npx"
  ln -s ../lib/node_modules/corepack/dist/corepack.js "$local/bin/corepack"
  ln -s "/opt/yarn-v$yarn_version/bin/yarn" "$local/bin/yarn"
  ln -s "/opt/yarn-v$yarn_version/bin/yarnpkg" "$local/bin/yarnpkg"
  chmod 755 "$modules"/npm/bin/*.js "$modules"/corepack/dist/*.js "$root/opt/yarn-v$yarn_version"/bin/yarn*
  install -m 755 "$parts/node-entrypoint.sh" "$local/bin/docker-entrypoint.sh"
  host_npm_settings >"$local/etc/npmrc"
  if [ ! -s "$local/etc/npmrc" ]; then rm "$local/etc/npmrc"; fi
  chown -hR 0:0 "$local" "$root/opt"
}
