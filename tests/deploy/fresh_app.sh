#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# fresh_app.sh next|fastapi|django: puts that part of an app into the working directory, as people begin one: no file of slipway's.
set -euo pipefail

next() {  # as create-next-app leaves one (TypeScript, app router)
  mkdir -p web/app web/public
  cat >web/package.json <<'E'
{"name":"web","version":"0.1.0","private":true,"scripts":{"dev":"next dev","build":"next build","start":"next start"},
"dependencies":{"next":"16.4.6","react":"19.3.1","react-dom":"19.3.1"},
"devDependencies":{"typescript":"^5","@types/node":"^20","@types/react":"^19","@types/react-dom":"^19"}}
E
  cat >web/tsconfig.json <<'E'
{"compilerOptions":{"target":"ES2017","lib":["dom","esnext"],"strict":true,"noEmit":true,"esModuleInterop":true,"module":"esnext","moduleResolution":"bundler","jsx":"preserve","skipLibCheck":true,"incremental":true,"plugins":[{"name":"next"}]},"include":["next-env.d.ts","**/*.ts","**/*.tsx"],"exclude":["node_modules"]}
E
  echo 'import type { NextConfig } from "next"; const nextConfig: NextConfig = {}; export default nextConfig;' >web/next.config.ts
  echo 'export default function Layout({ children }: { children: React.ReactNode }) { return <html lang="en"><body>{children}</body></html>; }' >web/app/layout.tsx
  cat >web/app/page.tsx <<'E'
export const dynamic = "force-dynamic";
export default async function Page() {
  const answer = await fetch(`${process.env.BACKEND_URL}/greeting`, { cache: "no-store" });
  return <h1>{(await answer.json()).text}</h1>;
}
E
  echo x > web/public/x.txt
  printf 'node_modules\n.next\nnext-env.d.ts\n' >web/.gitignore
}
fastapi() {
  mkdir -p api; printf 'fastapi\nuvicorn[standard]\npsycopg[binary]\n' >api/requirements.txt
  cat >api/main.py <<'E'
import os
import psycopg
from fastapi import FastAPI

app = FastAPI()


@app.get("/greeting")
def greeting():
    with psycopg.connect(os.environ["DATABASE_URL"]) as db:
        return {"text": db.execute("SELECT 'Hello from ' || current_database()").fetchone()[0]}
E
  cat >api/test_main.py <<'E'
from fastapi.testclient import TestClient
from main import app


def test_greeting():
    assert TestClient(app).get("/greeting").json()["text"] == "Hello from test"
E
}
django() {
  mkdir -p api/shop; printf 'Django\ndj-database-url\npsycopg2-binary\n' >api/requirements.txt
  cat >api/manage.py <<'E'
#!/usr/bin/env python
import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    from django.core.management import execute_from_command_line
    execute_from_command_line(sys.argv)
E
  cat >api/shop/settings.py <<'E'
import os
import dj_database_url
SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]
ROOT_URLCONF = "shop.urls"
DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"])}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
E
  cat >api/shop/urls.py <<'E'
from django.contrib.auth.models import User
from django.http import JsonResponse
from django.urls import path

urlpatterns = [
    path("greeting", lambda request: JsonResponse({"text": f"Hello, {User.objects.count()} users"})),
    path("healthz", lambda request: JsonResponse({})),
]
E
  echo 'import os; os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings"); from django.core.wsgi import get_wsgi_application; application = get_wsgi_application()' >api/shop/wsgi.py
  cat >api/shop/tests.py <<'E'
from django.test import TestCase


class Greeting(TestCase):
    def test_it(self):
        self.assertEqual(self.client.get("/greeting").json()["text"], "Hello, 0 users")
E
  touch api/shop/__init__.py
}

case ${1:-} in next | fastapi | django) "$1" ;; *) echo "fresh_app.sh: next, fastapi or django" >&2; exit 2 ;; esac
