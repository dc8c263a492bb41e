#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What init writes for a Next.js frontend with a FastAPI or a Django backend passes lint; Debian's packages are taken where they fulfil the requirements.
set -euo pipefail
work=$(mktemp -d); export SLIPWAY_STATE=$work/state
trap 'rm -rf "$work"' EXIT
repository() {  # repository NAME: a frontend, and a backend's requirements from stdin
  mkdir -p "$work/$1/web" "$work/$1/api"; cd "$work/$1"; cat >api/requirements.txt
  echo '{"dependencies":{"next":"15.0.0"},"scripts":{"test":"node --test"}}' >web/package.json
  git init -qb main; git remote add origin "https://github.com/acme/$1.git"
}
passes() { "$SLIPWAY" init >/dev/null 2>&1; "$SLIPWAY" lint --format json >"$work/found" || { cat "$work/found"; exit 1; }; }
says() { grep -q -- "$1" "$2" || { echo "no '$1' in $2:"; cat "$2"; exit 1; }; }

repository fast <<<$'fastapi>=0.90\nuvicorn[standard]\npsycopg[binary]>=3.1  # the database'
printf 'from fastapi import FastAPI\napp = FastAPI()\n@app.get("/healthz")\ndef ok(): return {}\n' >api/main.py; echo 'def test_it(): pass' >api/test_main.py
passes; says 'python3-fastapi python3-psycopg python3-uvicorn' api/Dockerfile; says '"main:app"' api/Dockerfile; says 'usr/bin/python3 -m pytest' .github/workflows/deploy.yml

repository pinned <<<$'fastapi==0.115.0'
printf 'from fastapi import FastAPI\napp = FastAPI()\n' >api/main.py; echo 'def test_it(): pass' >api/test_main.py
passes; says 'pip install --no-cache-dir -r requirements.txt' api/Dockerfile

repository shop <<<$'Django~=3.2\npsycopg2-binary'
mkdir api/shop; echo 'import os; os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")' >api/manage.py
echo 'import os; SECRET_KEY = os.environ["SECRET_KEY"]' >api/shop/settings.py; touch api/shop/tests.py
passes; says 'gunicorn python3-django python3-psycopg2' api/Dockerfile; says 'shop.wsgi' api/Dockerfile; says 'secret:shop/staging/secret-key' deploy/staging/backend.json
