// SPDX-License-Identifier: Apache-2.0
#include "cli/scaffold.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "deploy/bootstrap.hpp"
#include "formats/json.hpp"

namespace slipway::cli {
namespace {

using formats::Json;

constexpr int kFrontendPort = 3000;
constexpr int kBackendPort = 8000;

std::string in(const std::string& directory, const std::string& file) {
  return directory == "." ? file : directory + "/" + file;
}

std::string frontend_dockerfile(const FrontendFound& app) {
  std::string lock = app.has_lock ? "COPY package.json package-lock.json ./\nRUN npm ci\n"
                                  : "COPY package.json ./\nRUN npm install\n";
  std::string text =
      "FROM node:20-bookworm-slim AS base\nWORKDIR /app\nENV NEXT_TELEMETRY_DISABLED=1\n\n"
      "# Changes only with the package files.\nFROM base AS deps\n" +
      lock +
      "\nFROM deps AS build\nCOPY . .\nRUN npx next build\n\nFROM base AS runner\n"
      "# Connections are kept for longer than a load balancer keeps them (60 s), or it would write "
      "to closed ones.\n"
      "ENV NODE_ENV=production HOSTNAME=0.0.0.0 PORT=3000 KEEP_ALIVE_TIMEOUT=65000\n";
  if (app.is_standalone) {
    if (app.has_public) text += "COPY --from=build /app/public ./public\n";
    text +=
        "COPY --from=build /app/.next/standalone ./\nCOPY --from=build /app/.next/static "
        "./.next/static\n";
  } else {
    text += "COPY --from=build /app ./\n";
  }
  text += fmt::format("USER node\nEXPOSE {}\n", kFrontendPort);
  text += fmt::format(
      "HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \\\n  CMD [\"node\", "
      "\"-e\", \"fetch('http://127.0.0.1:{}{}').then(r => "
      "process.exit(r.ok ? 0 : 1), () => process.exit(1))\"]\n",
      kFrontendPort, app.health_path);
  text += app.is_standalone
              ? "CMD [\"node\", \"server.js\"]\n"
              : "CMD [\"npx\", \"next\", \"start\", \"--keepAliveTimeout\", \"65000\"]\n";
  return text;
}

std::string health_url(const BackendFound& app) {
  std::string path = !app.health_path.empty()                  ? app.health_path
                     : app.kind == BackendFound::Kind::fastapi ? "/openapi.json"
                                                               : "";
  return path;
}

// Without a path that answers 200 the port alone is asked.
std::string python_probe(const BackendFound& app) {
  std::string path = health_url(app);
  if (path.empty())
    return fmt::format("import socket; socket.create_connection(('127.0.0.1', {}), 2)",
                       kBackendPort);
  return fmt::format(
      "import urllib.request; urllib.request.urlopen('http://127.0.0.1:{}{}', timeout=2)",
      kBackendPort, path);
}

// Requirements and server from Debian's packages.
std::vector<std::string> packages_of(const BackendFound& app,
                                     const std::vector<std::string>& more) {
  std::vector<std::string> packages = app.debian;
  for (const auto& name : more) {
    if (std::find(packages.begin(), packages.end(), name) == packages.end())
      packages.push_back(name);
  }
  std::sort(packages.begin(), packages.end());
  return packages;
}

std::string debian_stage(const BackendFound& app) {
  bool is_django = app.kind == BackendFound::Kind::django;
  return fmt::format(
      "FROM debian:bookworm-slim AS base\n# Debian's packages fulfil {}. Changes only with it.\n"
      "RUN apt-get update \\\n && apt-get install -y --no-install-recommends {} \\\n && rm -rf "
      "/var/lib/apt/lists/* \\\n && useradd --system --uid 10001 --no-create-home app\n\n"
      "FROM base AS runner\nWORKDIR /app\nENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1\n"
      "COPY . .\nUSER app\n",
      app.requirements, join(packages_of(app, {is_django ? "gunicorn" : "python3-uvicorn"}), " "));
}

std::string pip_stages(const BackendFound& app) {
  bool is_django = app.kind == BackendFound::Kind::django;
  std::string server = is_django ? "gunicorn" : "'uvicorn[standard]'";
  std::string install =
      app.requirements == "requirements.txt"
          ? fmt::format(
                "COPY requirements.txt ./\nRUN /venv/bin/pip install --no-cache-dir -r "
                "requirements.txt {}\n",
                server)
          : fmt::format(
                "COPY pyproject.toml ./\n"
                "RUN /venv/bin/python -c \"import tomllib; "
                "print('\\n'.join(tomllib.load(open('pyproject.toml', "
                "'rb'))['project'].get('dependencies', [])))\" > /tmp/packages \\\n"
                " && /venv/bin/pip install --no-cache-dir -r /tmp/packages {}\n",
                server);
  return "FROM debian:bookworm-slim AS base\nRUN apt-get update \\\n && apt-get install -y "
         "--no-install-recommends python3 python3-venv ca-certificates \\\n"
         " && rm -rf /var/lib/apt/lists/* \\\n && useradd --system --uid 10001 --no-create-home "
         "app\nWORKDIR /app\n\n"
         "# Changes only with the packages.\nFROM base AS deps\nRUN python3 -m venv /venv\n" +
         install +
         "\nFROM base AS runner\nENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 "
         "PYTHONDONTWRITEBYTECODE=1\n"
         "COPY --from=deps /venv /venv\nCOPY . .\nUSER app\n";
}

std::string backend_dockerfile(const BackendFound& app) {
  std::string text = app.debian.empty() ? pip_stages(app) : debian_stage(app);
  text += fmt::format(
      "EXPOSE {}\nHEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \\\n  CMD "
      "[\"python3\", \"-c\", \"{}\"]\n",
      kBackendPort, python_probe(app));
  text +=
      "# Connections are kept for longer than a load balancer keeps them (60 s), or it would write "
      "to closed ones.\n";
  if (app.kind == BackendFound::Kind::django) {
    return text + fmt::format(
                      "CMD [\"sh\", \"-c\", \"python3 manage.py migrate --noinput && exec gunicorn "
                      "{}.wsgi --bind 0.0.0.0:{} --workers 2 --keep-alive 65\"]\n",
                      app.entry, kBackendPort);
  }
  return text + fmt::format(
                    "CMD [\"python3\", \"-m\", \"uvicorn\", {}\"{}\", \"--host\", \"0.0.0.0\", "
                    "\"--port\", \"{}\", "
                    "\"--timeout-keep-alive\", \"65\"]\n",
                    app.is_factory ? "\"--factory\", " : "", app.entry, kBackendPort);
}

struct Part {
  std::string name;  // "backend"
  std::string directory;
};

class Scaffold final {
 public:
  Scaffold(const AppFound& app, const ScaffoldOptions& options) : app_(app), options_(options) {}

  std::vector<ScaffoldFile> run() {
    if (app_.backend) {
      parts_.push_back({"backend", app_.backend->directory});
      add(in(app_.backend->directory, "Dockerfile"), backend_dockerfile(*app_.backend));
      add(in(app_.backend->directory, ".dockerignore"),
          "__pycache__\n*.pyc\n.venv\nvenv\n.pytest_cache\n.git\n.env\nDockerfile\n."
          "dockerignore\n");
    }
    if (app_.frontend) {
      parts_.push_back({"frontend", app_.frontend->directory});
      add(in(app_.frontend->directory, "Dockerfile"), frontend_dockerfile(*app_.frontend));
      add(in(app_.frontend->directory, ".dockerignore"),
          "node_modules\n.next\n.git\n.env*\nDockerfile\n.dockerignore\n");
    }
    for (const char* environment : {"staging", "production"}) {
      for (const auto& part : parts_)
        add(fmt::format("deploy/{}/{}.json", environment, part.name),
            task_definition(environment, part.name).pretty() + "\n");
    }
    add(".github/workflows/deploy.yml", workflow());
    std::string repository = app_.repository.empty() ? "OWNER/" + app_.name : app_.repository;
    add("deploy/trust-policy.json",
        deploy::trust_policy_for_github(options_.account,
                                        {"repo:" + repository + ":environment:staging",
                                         "repo:" + repository + ":environment:production"})
                .pretty() +
            "\n");
    return std::move(files_);
  }

 private:
  void add(const std::string& path, const std::string& text) { files_.push_back({path, text}); }

  std::string secret_arn(const std::string& environment, const std::string& variable) const {
    return fmt::format("arn:aws:secretsmanager:{}:{}:secret:{}/{}/{}", options_.region,
                       options_.account, app_.name, environment,
                       replace_all(to_lower(variable), "_", "-"));
  }

  Json task_definition(const std::string& environment, const std::string& part) const {
    bool is_backend = part == "backend";
    std::string cluster = app_.name + "-" + environment;
    int port = is_backend ? kBackendPort : kFrontendPort;
    Json variables = Json::array({Json::object({{"name", "ENVIRONMENT"}, {"value", environment}})});
    if (!is_backend && app_.backend)
      variables.push_back(Json::object(
          {{"name", "BACKEND_URL"},
           {"value", fmt::format("http://backend.{}.internal:{}", cluster, kBackendPort)}}));
    if (is_backend && app_.backend->kind == BackendFound::Kind::django)
      variables.push_back(Json::object({{"name", "ALLOWED_HOSTS"}, {"value", "*"}}));
    Json check =
        is_backend ? Json::array({"CMD", "python3", "-c", python_probe(*app_.backend)})
                   : Json::array({"CMD", "node", "-e",
                                  fmt::format("fetch('http://127.0.0.1:{}{}').then(r => "
                                              "process.exit(r.ok ? 0 : 1), () => process.exit(1))",
                                              kFrontendPort, app_.frontend->health_path)});
    Json container =
        Json::object({{"name", part},
                      {"image", fmt::format("{}.dkr.ecr.{}.amazonaws.com/{}/{}:latest",
                                            options_.account, options_.region, app_.name, part)},
                      {"essential", true},
                      {"portMappings", Json::array({Json::object({{"name", "http"},
                                                                  {"containerPort", port},
                                                                  {"protocol", "tcp"},
                                                                  {"appProtocol", "http"}})})},
                      {"environment", variables}});
    Json secrets = Json::array();
    if (is_backend && app_.backend->wants_database)
      secrets.push_back(Json::object(
          {{"name", "DATABASE_URL"}, {"valueFrom", secret_arn(environment, "DATABASE_URL")}}));
    for (const auto& name : is_backend ? app_.backend->secrets : std::vector<std::string>()) {
      secrets.push_back(
          Json::object({{"name", name}, {"valueFrom", secret_arn(environment, name)}}));
    }
    if (!secrets.empty()) container["secrets"] = secrets;
    container["healthCheck"] = Json::object(
        {{"command", check}, {"interval", 5}, {"timeout", 3}, {"retries", 3}, {"startPeriod", 20}});
    container["stopTimeout"] = 30;
    container["logConfiguration"] = Json::object(
        {{"logDriver", "awslogs"},
         {"options", Json::object({{"awslogs-group", fmt::format("/ecs/{}/{}", cluster, part)},
                                   {"awslogs-region", options_.region},
                                   {"awslogs-stream-prefix", "ecs"}})}});
    std::string role = fmt::format("arn:aws:iam::{}:role/{}", options_.account, cluster);
    return Json::object({{"family", cluster + "-" + part},
                         {"requiresCompatibilities", Json::array({"FARGATE"})},
                         {"networkMode", "awsvpc"},
                         {"runtimePlatform", Json::object({{"cpuArchitecture", "X86_64"},
                                                           {"operatingSystemFamily", "LINUX"}})},
                         {"cpu", "256"},
                         {"memory", "512"},
                         {"executionRoleArn", role + "-execution"},
                         {"taskRoleArn", fmt::format("{}-{}-task", role, part)},
                         {"containerDefinitions", Json::array({container})}});
  }

  std::string backend_tests() const {
    const BackendFound& app = *app_.backend;
    std::string text = app.debian.empty() ? pip_packages(app) : apt_packages(app);
    std::string python =
        app.debian.empty() ? "\"$RUNNER_TEMP/venv/bin/python\"" : "/usr/bin/python3";
    text += "\n      - name: Backend tests\n        working-directory: " + app.directory + "\n";
    std::string env;
    if (app.wants_database)
      env += "          DATABASE_URL: postgresql://test:test@localhost:5432/test\n";
    for (const auto& name : app.secrets) env += fmt::format("          {}: only-for-tests\n", name);
    if (!env.empty()) text += "        env:\n" + env;
    return text +
           fmt::format("        run: |\n          {} {}\n\n", python,
                       app.kind == BackendFound::Kind::django ? "manage.py test" : "-m pytest");
  }

  static std::string apt_packages(const BackendFound& app) {
    return fmt::format(
        "      - name: Backend packages\n        run: |\n          packages=({})\n          dpkg "
        "-s "
        "\"${{packages[@]}}\" > /dev/null 2>&1 || {{\n            sudo apt-get update -q\n         "
        "   "
        "sudo apt-get install -y -q --no-install-recommends \"${{packages[@]}}\"\n          }}\n",
        join(packages_of(app, {"python3-httpx", "python3-pytest"}), " "));
  }

  static std::string pip_packages(const BackendFound& app) {
    std::string text =
        "      - uses: actions/setup-python@v5\n        with:\n          python-version: '3.x'\n\n "
        "     - name: Backend packages\n        working-directory: " +
        app.directory + "\n        run: |\n          python3 -m venv \"$RUNNER_TEMP/venv\"\n";
    text +=
        app.requirements == "requirements.txt"
            ? "          \"$RUNNER_TEMP/venv/bin/pip\" install -r requirements.txt pytest httpx\n"
            : "          python3 -c \"import tomllib; "
              "print('\\n'.join(tomllib.load(open('pyproject.toml', "
              "'rb'))['project'].get('dependencies', [])))\" > \"$RUNNER_TEMP/packages\"\n"
              "          \"$RUNNER_TEMP/venv/bin/pip\" install -r \"$RUNNER_TEMP/packages\" pytest "
              "httpx\n";
    return text;
  }

  std::string frontend_tests() const {
    const FrontendFound& app = *app_.frontend;
    std::string text =
        "      - uses: actions/setup-node@v4\n        with:\n          node-version: 20\n\n      - "
        "name: Frontend packages\n        working-directory: " +
        app.directory + "\n";
    text += app.has_lock ? "        run: npm ci\n\n" : "        run: npm install\n\n";
    if (app.has_tests)
      text += "      - name: Frontend tests\n        working-directory: " + app.directory +
              "\n        run: npm test\n\n";
    return text;
  }

  std::string test_job() const {
    std::string text = "  test:\n    runs-on: ubuntu-latest\n    timeout-minutes: 15\n";
    if (app_.backend && app_.backend->wants_database) {
      text +=
          "    services:\n      postgres:\n        image: postgres:15\n        env:\n          "
          "POSTGRES_USER: test\n          POSTGRES_PASSWORD: test\n          POSTGRES_DB: test\n   "
          "     ports:\n          - 5432:5432\n"
          "        options: >-\n          --health-cmd \"pg_isready --username test --dbname "
          "test\"\n          --health-interval 2s\n          --health-timeout 2s\n          "
          "--health-retries 15\n";
    }
    text += "    steps:\n      - uses: actions/checkout@v4\n\n";
    if (app_.backend && app_.backend->has_tests) text += backend_tests();
    if (app_.frontend) text += frontend_tests();
    return text;
  }

  std::string build_steps(const Part& part) const {
    return fmt::format(
        "      - name: Build and push the {0}\n        uses: docker/build-push-action@v6\n        "
        "with:\n          context: {1}\n          push: true\n"
        "          tags: ${{{{ steps.ecr.outputs.registry }}}}/{2}/{0}:${{{{ github.sha }}}}\n\n",
        part.name, part.directory, app_.name);
  }

  std::string deploy_steps(const Part& part) const {
    return fmt::format(
        "      - id: {0}\n        name: Render the {0}'s task definition\n        uses: "
        "aws-actions/amazon-ecs-render-task-definition@v1\n        with:\n"
        "          task-definition: deploy/${{{{ env.ENVIRONMENT }}}}/{0}.json\n          "
        "container-name: {0}\n          image: ${{{{ steps.ecr.outputs.registry }}}}/{1}/{0}:${{{{ "
        "github.sha }}}}\n"
        "          environment-variables: RELEASE_SHA=${{{{ github.sha }}}}\n\n"
        "      - name: Deploy the {0}\n        uses: "
        "aws-actions/amazon-ecs-deploy-task-definition@v2\n        with:\n          "
        "task-definition: ${{{{ steps.{0}.outputs.task-definition }}}}\n"
        "          cluster: {1}-${{{{ env.ENVIRONMENT }}}}\n          service: {0}\n          "
        "wait-for-service-stability: true\n\n",
        part.name, app_.name);
  }

  std::string workflow() const {
    const std::string which = "${{ github.ref == 'refs/heads/main' && 'staging' || 'production' }}";
    std::string text =
        "name: Test and deploy\n\n# Every branch is tested. main goes to staging, a version tag to "
        "production.\non:\n  push:\n    branches: ['**']\n    tags: ['v*']\n\n"
        "permissions:\n  contents: read\n\njobs:\n" +
        test_job() +
        "  deploy:\n    needs: test\n    if: github.ref == 'refs/heads/main' || "
        "startsWith(github.ref, 'refs/tags/v')\n    runs-on: ubuntu-latest\n    timeout-minutes: "
        "45\n    environment: " +
        which +
        "\n    # One deployment at a time in an environment; the one that runs is never cut off.\n "
        "   concurrency:\n      group: deploy-" +
        which +
        "\n      cancel-in-progress: false\n    permissions:\n      contents: read\n      "
        "id-token: write # to take the role below by OIDC, without stored keys\n    env:\n      "
        "ENVIRONMENT: " +
        which + "\n    steps:\n      - uses: actions/checkout@v4\n\n" +
        fmt::format(
            "      - uses: aws-actions/configure-aws-credentials@v4\n        with:\n          "
            "role-to-assume: arn:aws:iam::{}:role/{}-deploy\n          aws-region: {}\n\n",
            options_.account, app_.name, options_.region) +
        "      - id: ecr\n        uses: aws-actions/amazon-ecr-login@v2\n\n      - uses: "
        "docker/setup-buildx-action@v3\n\n";
    for (const auto& part : parts_) text += build_steps(part);
    for (const auto& part : parts_) text += deploy_steps(part);
    while (text.ends_with("\n\n")) text.pop_back();
    return text;
  }

  const AppFound& app_;
  const ScaffoldOptions& options_;
  std::vector<Part> parts_;
  std::vector<ScaffoldFile> files_;
};

}  // namespace

std::vector<ScaffoldFile> scaffold(const AppFound& app, const ScaffoldOptions& options) {
  return Scaffold(app, options).run();
}

}  // namespace slipway::cli
