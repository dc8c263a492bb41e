#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# demo.sh SLIPWAY: takes the example app from its first commit to a rollback on the local AWS, looks at it from outside in between,
# and ends with a table of what it saw. Exit 1 when anything was not as it should be.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")"); repo=$(readlink -f "$here/../..")
slipway=$(readlink -f "$1")
work=$(mktemp -d "${TMPDIR:-/tmp}/slipway-demo-XXXXXX")
export SLIPWAY_STATE=$work/state
app=$work/app
rows=(); bad=0
aws=/usr/bin/aws; [ -x $aws ] || aws=aws

load_pid=
finish() { [ -z "$load_pid" ] || kill "$load_pid" 2>/dev/null || true; "$slipway" down --purge >/dev/null 2>&1 || true; rm -rf "$work"; }
trap finish EXIT
now() { date +%s%N; }
took() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.1f s", (b - a) / 1e9 }'; }
row() { rows+=("$1|$2|$3"); [ "$2" = ok ] || bad=1; echo "== $1: $2 $3"; }
check() {  # check WHAT DETAIL COMMAND...: a row of the table by the command's success
  local what=$1 detail=$2; shift 2
  if "$@" >/dev/null 2>&1; then row "$what" ok "$detail"; else row "$what" BAD "$detail"; fi
}
commit() { git -C "$app" -c user.name=Demo -c user.email=demo@example.com commit -qam "$1"; git -C "$app" rev-parse HEAD; }
up() { (cd "$app" && "$slipway" up "$@"); }
release() { curl -fsS --max-time 5 "$1/api/release"; }
call() { $aws --endpoint-url "$AWS_ENDPOINT_URL" --output text "$@"; }
# Interfaces, network namespaces and mount points of this machine, a line each.
places() { { ip -o link | awk '{ print "link", $2 }'; ip netns | awk '{ print "netns", $1 }'; awk '{ print "mount", $5 }' /proc/self/mountinfo; } | sort; }
load_start() { python3 "$here/load.py" "$1" "$work/load.stop" >"$work/load.out" & load_pid=$!; }
load_end() { touch "$work/load.stop"; wait "$load_pid" || true; load_pid=; rm -f "$work/load.stop"; load=$(cat "$work/load.out"); }  # sets $load

before=$(places)
echo "== the example app becomes a repository in $app"
mkdir -p "$app"; cp -r "$repo/examples/fullstack/." "$app/"; rm -rf "$app/frontend/node_modules" "$app/frontend/.next"
git -C "$app" init -qb main; git -C "$app" remote add origin https://github.com/acme/myapp.git
git -C "$app" add -A; sha1=$(git -C "$app" -c user.name=Demo -c user.email=demo@example.com commit -qm "The first version" && git -C "$app" rev-parse HEAD)

if ! "$repo/tools/base-images" --check; then
  echo "== Docker Hub cannot be reached: base images from Debian packages"
  images=${XDG_CACHE_HOME:-$HOME/.cache}/slipway/base-images
  "$repo/tools/base-images" "$images"
  for image in debian-bookworm-slim node-20-bookworm-slim postgres-15; do "$slipway" image import "$images/$image"; done
fi

start=$(now)
url=$(up --json | tail -n 1 | jq -r '.services[0].url')
row "1 up: first commit to URL" "$([ -n "$url" ] && echo ok || echo BAD)" "$(took "$start"), $url"
check "1 the page runs this commit in staging" "${sha1:0:12}" grep -q "$sha1" <(release "$url")
curl -fsS -X POST -H 'content-type: application/json' -d '{"text":"Ship it"}' "$url/api/entries" >/dev/null
check "1 data is in PostgreSQL" "an entry comes back" grep -q "Ship it" <(curl -fsS "$url/api/entries")
(cd "$here" && npm ci --silent --no-audit --no-fund >/dev/null 2>&1) || true
mkdir -p "$repo/build"
check "1 a browser shows it" "build/demo.png" node "$here/screenshot.mjs" "$url" "$repo/build/demo.png" "Ship it"
eval "$("$slipway" cloud env)"; unset AWS_CA_BUNDLE
check "1 AWS CLI: describe-services" "one COMPLETED deployment" test "$(call ecs describe-services --cluster myapp-staging --services frontend --query 'services[0].deployments[].rolloutState')" = COMPLETED
check "1 AWS CLI: list-images" "tagged with the commit" test "$(call ecr list-images --repository-name myapp/backend --query 'imageIds[].imageTag')" = "$sha1"
registry=${AWS_ENDPOINT_URL#http://}
call ecr get-login-password | skopeo login --tls-verify=false -u AWS --password-stdin --authfile "$work/auth" "$registry" >/dev/null
check "1 skopeo: inspect" "the image in ECR" skopeo inspect --tls-verify=false --authfile "$work/auth" "docker://$registry/myapp/backend:$sha1"
start=$(now); up >/dev/null; row "1 up again, nothing changed" ok "$(took "$start")"

sed -i 's/The API: entries in PostgreSQL\./The API: entries in PostgreSQL, newest first./' "$app/backend/app/main.py"
sha2=$(commit "One line of the backend")
load_start "$url/api/entries"; start=$(now)
up >"$work/up2.log" 2>&1 || true
changed=$(took "$start"); load_end
check "2 one backend line changed" "$changed to the new commit" grep -q "$sha2" <(release "$url")
row "2 requests during the rollout" "$([[ $load == *" 0 failed" ]] && echo ok || echo BAD)" "$load"

sed -i 's/^def test_/def test_broken():\n    assert False\n\n\ndef test_/;' "$app/backend/tests/test_health.py"
sha3=$(commit "A failing test")
if up >"$work/up3.log" 2>&1; then row "3 a failing test stops at the gate" BAD "up succeeded"; else
  check "3 a failing test stops at the gate" "nothing was built or deployed" test "$(call ecr list-images --repository-name myapp/backend --query "imageIds[?imageTag=='$sha3']")" = ""
fi
git -C "$app" checkout -q HEAD~1 -- backend/tests; commit "The test is mended" >/dev/null

printf 'import os\n\nif os.environ.get("RELEASE_SHA"):\n    raise SystemExit("FEATURE_FLAGS is not set")\n' >>"$app/backend/app/__init__.py"
commit "Crashes on start" >/dev/null
load_start "$url/api/entries"; start=$(now)
if up >"$work/up4.log" 2>&1; then row "4 a release that crashes on start" BAD "up succeeded"; else
  verdict=$(grep -hoE "service 'backend': container .*" "$work/up4.log" | head -n 1 || true)
  row "4 a release that crashes on start" "$([ -n "$verdict" ] && echo ok || echo BAD)" "${verdict:-no verdict} ($(took "$start"))"
fi
load_end
row "4 requests meanwhile" "$([[ $load == *" 0 failed" ]] && echo ok || echo BAD)" "$load"
check "4 the former commit still answers" "${sha2:0:12}" grep -q "$sha2" <(release "$url")
git -C "$app" checkout -q HEAD~1 -- backend/app; commit "Does not crash" >/dev/null

git -C "$app" tag v1.0.0
production=$(up --ref v1.0.0 --json 2>"$work/up5.log" | tail -n 1 | jq -r '.services[0].url' || true)
check "5 the tag v1.0.0 goes to production" "$production" grep -q '"environment":"production"' <(release "$production")
git -C "$app" checkout -qb feature
sed -i "/^    environment: /d; s/^    if: github.ref == .*/    if: always()/" "$app/.github/workflows/deploy.yml"
commit "Deploys from a branch" >/dev/null
(cd "$app" && "$slipway" run --cloud local --job deploy) >"$work/run5.log" 2>&1 || true
check "5 a branch is refused by STS" "$(grep -ohE 'Not authorized to perform sts:AssumeRoleWithWebIdentity' "$work/run5.log" | head -n 1)" grep -q "Not authorized to perform sts:AssumeRoleWithWebIdentity" "$work/run5.log"
git -C "$app" checkout -qf main

start=$(now)
(cd "$app" && "$slipway" rollback staging "$sha1" --yes) >"$work/rollback.log" 2>&1 || true
check "6 rollback staging" "$(took "$start"): the first commit answers again" grep -q "$sha1" <(release "$url")

"$slipway" down
left=$(comm -13 <(echo "$before") <(places))
check "7 down leaves nothing" "${left:-no process, mount, namespace or bridge}" test -z "$left$(pgrep -f "$work/state" || true)"

printf '\n%-42s %-4s %s\n' "what" "" "seen"
for line in "${rows[@]}"; do IFS='|' read -r what state detail <<<"$line"; printf '%-42s %-4s %s\n' "$what" "$state" "$detail"; done
if [ "$bad" != 0 ]; then mkdir -p "$repo/build/demo-logs"; cp "$work"/*.log "$repo/build/demo-logs/"; echo "logs: build/demo-logs"; fi
exit "$bad"
