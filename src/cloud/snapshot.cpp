// SPDX-License-Identifier: Apache-2.0
#include "cloud/snapshot.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/sqlite.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace slipway::cloud {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::minutes kLongest{30};
// What makes up a cloud beside its state file.
constexpr const char* kParts[] = {"registry", "rds", "ca"};

void run_tar(std::vector<std::string> argv, const std::stop_token& stop, Fault fault) {
  auto said = os::capture({.argv = std::move(argv)}, stop, Deadline::in(kLongest));
  if (!said.exit.ok()) fail(fault, "tar: {}", trim(said.err));
}

bool has_databases(const fs::path& state_file) {
  auto database = formats::Database::open_read_only(state_file);
  auto rows = database.prepare("SELECT count(*) FROM document WHERE kind LIKE 'rds.%'");
  return rows.step() && rows.get_int(0) > 0;
}

// Containers and HAProxy of a former life are not in the file: their tasks are over.
void forget_running(const fs::path& state_file) {
  formats::Database database(state_file);
  database.exec("DELETE FROM document WHERE kind IN ('ecs.task', 'elb.target')");
}

}  // namespace

void save_snapshot(const fs::path& directory, const fs::path& file, bool is_running,
                   const std::stop_token& stop) {
  auto state = directory / "state.db";
  if (!fs::exists(state))
    fail(Fault::not_found, "there is nothing to save in {}: slipway cloud start makes a cloud",
         directory.string());
  if (is_running && has_databases(state))
    fail(Fault::conflict,
         "there are databases, whose files are only whole when nobody serves them: slipway cloud "
         "stop, then save");
  os::TempDir aside(directory);
  formats::Database::open_read_only(state).exec(fmt::format(
      "VACUUM INTO '{}'", replace_all((aside.path() / "state.db").string(), "'", "''")));
  forget_running(aside.path() / "state.db");
  auto next = fs::absolute(file).string() + ".part";
  std::vector<std::string> argv = {
      "tar",      "--zstd", "--numeric-owner", "-cf", next, "-C", aside.path().string(),
      "state.db", "-C",     directory.string()};
  for (const auto* part : kParts) {
    if (fs::exists(directory / part)) argv.emplace_back(part);
  }
  run_tar(std::move(argv), stop, Fault::failed);
  fs::rename(next, file);
}

void load_snapshot(const fs::path& file, const fs::path& directory, const std::stop_token& stop) {
  if (!fs::exists(file)) fail(Fault::not_found, "there is no file {}", file.string());
  os::make_dirs(directory);
  os::TempDir aside(directory);
  run_tar({"tar", "--zstd", "--numeric-owner", "--same-owner", "-xf", fs::absolute(file).string(),
           "-C", aside.path().string()},
          stop, Fault::bad_input);
  if (!fs::exists(aside.path() / "state.db"))
    fail(Fault::bad_input, "{} is no snapshot of a cloud", file.string());
  for (const auto* old : {"state.db", "state.db-wal", "state.db-shm"}) fs::remove(directory / old);
  for (const auto* part : kParts) os::remove_tree(directory / part);
  for (const auto& entry : fs::directory_iterator(aside.path()))
    fs::rename(entry.path(), directory / entry.path().filename());
}

}  // namespace slipway::cloud
