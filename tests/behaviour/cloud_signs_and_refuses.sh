#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The unmodified AWS CLI works against the local AWS, and a wrong key, a missing image or a second push of an immutable tag does not.
set -euo pipefail
for tool in aws skopeo umoci; do command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }; done
work=$(mktemp -d); export SLIPWAY_STATE=$work/state
trap '"$SLIPWAY" down >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
"$SLIPWAY" cloud start --listen 127.0.0.1:0
eval "$("$SLIPWAY" cloud env)"; unset AWS_CA_BUNDLE
call() { aws --endpoint-url "$AWS_ENDPOINT_URL" --output text "$@"; }
registry=${AWS_ENDPOINT_URL#http://}
[ "$(call sts get-caller-identity --query Arn)" = arn:aws:iam::123456789012:root ]
says() { grep -q "$1" <<<"$said" || { echo "not '$1' but: $said"; exit 1; }; }
said=$(AWS_SECRET_ACCESS_KEY=wrong call sts get-caller-identity 2>&1 || true); says SignatureDoesNotMatch
call ecr create-repository --repository-name app --image-tag-mutability IMMUTABLE >/dev/null
umoci init --layout "$work/oci" && umoci new --image "$work/oci:a"
push() { skopeo copy --authfile "$work/auth" --dest-tls-verify=false "oci:$work/oci:a" "docker://$registry/$1" 2>&1; }
said=$(push app:1 || true); says 'auth\|Not Authorized'
call ecr get-login-password | skopeo login --tls-verify=false -u AWS --password-stdin --authfile "$work/auth" "$registry"
push app:1 >/dev/null
said=$(push app:1 || true); says 'cannot be overwritten because the tag is immutable'
said=$(push other:1 || true); says "The repository with name 'other' does not exist"
[ "$(call ecr list-images --repository-name app --query 'imageIds[].imageTag')" = 1 ]
