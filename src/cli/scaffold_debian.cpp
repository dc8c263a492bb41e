// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "base/text.hpp"
#include "cli/scaffold.hpp"

// Whether Debian's own packages fulfil a Python project's requirements: then no package index is asked, and security updates
// come with the base image's. Every requirement must be known and every version asked for be the one that Debian has.
namespace slipway::cli {
namespace {

struct Packaged {
  std::string_view name;     // as PyPI spells it, lower case, "-"
  std::string_view package;  // Debian's
  std::string_view version;  // in bookworm
};

// source  Debian 12 (bookworm), main
constexpr std::array kPackages =
    std::to_array<Packaged>({{"fastapi", "python3-fastapi", "0.92.0"},
                             {"starlette", "python3-starlette", "0.26.1"},
                             {"uvicorn", "python3-uvicorn", "0.17.6"},
                             {"pydantic", "python3-pydantic", "1.10.4"},
                             {"psycopg", "python3-psycopg", "3.1.7"},
                             {"psycopg-pool", "python3-psycopg-pool", "3.1.7"},
                             {"psycopg-binary", "python3-psycopg", "3.1.7"},
                             {"psycopg2", "python3-psycopg2", "2.9.5"},
                             {"psycopg2-binary", "python3-psycopg2", "2.9.5"},
                             {"asyncpg", "python3-asyncpg", "0.27.0"},
                             {"sqlalchemy", "python3-sqlalchemy", "1.4.46"},
                             {"alembic", "python3-alembic", "1.8.1"},
                             {"django", "python3-django", "3.2.25"},
                             {"djangorestframework", "python3-djangorestframework", "3.14.0"},
                             {"dj-database-url", "python3-dj-database-url", "0.5.0"},
                             {"gunicorn", "gunicorn", "20.1.0"},
                             {"whitenoise", "python3-whitenoise", "6.0.0"},
                             {"httpx", "python3-httpx", "0.23.3"},
                             {"requests", "python3-requests", "2.28.1"},
                             {"redis", "python3-redis", "4.3.4"},
                             {"jinja2", "python3-jinja2", "3.1.2"},
                             {"python-multipart", "python3-multipart", "0.0.5"},
                             {"python-dotenv", "python3-dotenv", "0.21.0"},
                             {"aiofiles", "python3-aiofiles", "23.1.0"},
                             {"pyyaml", "python3-yaml", "6.0"},
                             {"pytest", "python3-pytest", "7.2.1"},
                             {"pytest-django", "python3-pytest-django", "4.5.2"}});

std::vector<long long> numbers_of(std::string_view version) {
  std::vector<long long> numbers;
  for (const auto& part : split(version, '.')) numbers.push_back(to_integer(part).value_or(-1));
  while (numbers.size() < 4) numbers.push_back(0);
  return numbers;
}

// One clause of a requirement, ">=3.1". What is not understood is not fulfilled.
bool fulfils(std::string_view version, std::string_view clause) {
  auto digits = clause.find_first_not_of("<>=!~");
  if (digits == 0 || digits == std::string_view::npos) return false;
  std::string_view sign = clause.substr(0, digits);
  std::string_view asked = trim(clause.substr(digits));
  auto have = numbers_of(version);
  auto want = numbers_of(asked);
  if (std::find(want.begin(), want.end(), -1) != want.end()) return false;
  if (sign == ">=") return have >= want;
  if (sign == ">") return have > want;
  if (sign == "<=") return have <= want;
  if (sign == "<") return have < want;
  if (sign == "!=") return have != want;
  if (sign == "==") return have == want;
  if (sign != "~=" || have < want) return false;
  auto fixed = static_cast<std::ptrdiff_t>(split(asked, '.').size()) - 1;
  return std::equal(want.begin(), want.begin() + fixed, have.begin());
}

const Packaged* packaged(std::string_view requirement) {
  auto end = requirement.find_first_of("<>=!~[ ");
  std::string name = replace_all(to_lower(trim(requirement.substr(0, end))), "_", "-");
  std::string_view rest = end == std::string_view::npos ? "" : trim(requirement.substr(end));
  if (rest.starts_with('[')) {  // extras: Debian's packages have them or do without
    auto close = rest.find(']');
    if (close == std::string_view::npos) return nullptr;
    rest = trim(rest.substr(close + 1));
  }
  for (const auto& known : kPackages) {
    if (known.name != name) continue;
    for (const auto& clause : split(rest, ',')) {
      if (!trim(clause).empty() && !fulfils(known.version, trim(clause))) return nullptr;
    }
    return &known;
  }
  return nullptr;
}

}  // namespace

std::vector<std::string> debian_packages(const std::vector<std::string>& requirements) {
  std::vector<std::string> packages;
  for (const auto& requirement : requirements) {
    const auto* found = packaged(trim(requirement));
    if (!found) return {};
    if (std::find(packages.begin(), packages.end(), found->package) == packages.end())
      packages.emplace_back(found->package);
  }
  return packages;
}

std::vector<std::string> requirements_in(std::string_view file, std::string_view text) {
  std::vector<std::string> all;
  if (file == "requirements.txt") {
    for (auto line : lines_of(text)) {
      auto requirement = trim(line.substr(0, line.find('#')));
      if (!requirement.empty()) all.emplace_back(requirement);
    }
    return all;
  }
  auto project = text.find("[project]");
  auto list = text.find("\ndependencies", project);
  auto open = text.find('[', list);
  if (project == std::string_view::npos || list == std::string_view::npos ||
      open == std::string_view::npos)
    return all;
  for (auto at = open + 1; at < text.size() && text[at] != ']'; ++at) {
    if (text[at] != '"' && text[at] != '\'') continue;
    auto end = text.find(text[at], at + 1);
    if (end == std::string_view::npos) break;
    all.emplace_back(text.substr(at + 1, end - at - 1));
    at = end;
  }
  return all;
}

}  // namespace slipway::cli
