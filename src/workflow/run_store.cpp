// SPDX-License-Identifier: Apache-2.0
#include "workflow/run_store.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/time.hpp"
#include "os/file.hpp"
#include "os/process.hpp"
#include "workflow/host_machine.hpp"
#include "workflow/job_runner.hpp"
#include "workflow/scratch.hpp"

namespace slipway::workflow {
namespace {

RunRecord record_from(const formats::Json& json) {
  return {.id = json.get_string("id"),
          .workflow = json.get_string("workflow"),
          .file = json.get_string("file"),
          .title = json.get_string("title"),
          .event = json.get_string("event"),
          .ref = json.get_string("ref"),
          .sha = json.get_string("sha"),
          .repository = json.get_string("repository"),
          .started_ms = json.get_int("started_ms"),
          .ended_ms = json.get_int("ended_ms"),
          .conclusion = json.get_string("conclusion"),
          .pid = json.get_int("pid"),
          .attempt = json.get_int("attempt", 1),
          .rerun_of = json.get_string("rerun_of"),
          .request = json.contains("request") ? json.at("request") : formats::Json(),
          .process_start = json.get_string("process_start")};
}

bool is_alive(const RunRecord& record) {
  auto start = to_integer(record.process_start);
  return start &&
         os::is_alive(static_cast<pid_t>(record.pid), static_cast<unsigned long long>(*start));
}

}  // namespace

formats::Json to_json(const RunRecord& record) {
  return formats::Json::object({{"id", record.id},
                                {"workflow", record.workflow},
                                {"file", record.file},
                                {"title", record.title},
                                {"event", record.event},
                                {"ref", record.ref},
                                {"sha", record.sha},
                                {"repository", record.repository},
                                {"started_ms", record.started_ms},
                                {"ended_ms", record.ended_ms},
                                {"conclusion", record.conclusion},
                                {"pid", record.pid},
                                {"attempt", record.attempt},
                                {"rerun_of", record.rerun_of},
                                {"request", record.request},
                                {"process_start", record.process_start}});
}

std::filesystem::path log_path(const std::string& job, int step) {
  return std::filesystem::path("logs") / file_name_of(job) / fmt::format("{:02}.log", step);
}

RunWriter::RunWriter(std::filesystem::path directory, RunRecord record)
    : directory_(std::move(directory)), record_(std::move(record)) {
  os::write_file_durably(directory_ / "run.json", to_json(record_).pretty());
  events_ = os::open_file((directory_ / "events.jsonl").string(), O_WRONLY | O_CREAT | O_APPEND);
}

void RunWriter::log(const RunEvent& event, std::string_view text) {
  auto& file = logs_[{event.job, event.step}];
  if (!file.is_open()) {
    auto path = directory_ / log_path(event.job, event.step);
    os::make_dirs(path.parent_path());
    file = os::open_file(path.string(), O_WRONLY | O_CREAT | O_APPEND);
  }
  os::write_all(file.get(), text);
}

void RunWriter::on(const RunEvent& event) {
  switch (event.kind) {
    case EventKind::output:
      log(event, event.text);
      return;
    case EventKind::group_started:
      log(event, "##[group]" + event.text + "\n");
      return;
    case EventKind::group_ended:
      log(event, "##[endgroup]\n");
      return;
    case EventKind::annotation:
      if (!event.is_shown)
        log(event, fmt::format("##[{}]{}\n", name_of(event.severity), event.text));
      break;
    case EventKind::step_finished:
      logs_.erase({event.job, event.step});
      break;
    default:
      break;
  }
  os::write_all(events_.get(), to_json_line(event) + "\n");
  if (event.kind != EventKind::run_finished) return;
  record_.ended_ms = event.at_ms;
  record_.conclusion = event.conclusion;
  os::write_file_durably(directory_ / "run.json", to_json(record_).pretty());
}

std::unique_ptr<RunWriter> RunStore::create(RunRecord record) {
  os::make_dirs(directory_);
  auto lock = os::FileLock::take(directory_ / ".lock");
  long long next = 1;
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    if (auto number = to_integer(entry.path().filename().string()))
      next = std::max(next, *number + 1);
  }
  record.id = std::to_string(next);
  record.started_ms = formats::now().time_since_epoch().count();
  record.pid = ::getpid();
  record.process_start = std::to_string(os::start_ticks(::getpid()).value_or(0));
  os::make_dirs(directory_ / record.id);
  return std::make_unique<RunWriter>(directory_ / record.id, std::move(record));
}

KeptJobs RunStore::done_by(const std::string& id) const {
  KeptJobs kept;
  auto text = os::read_file(directory_ / id / "events.jsonl");
  for (auto line : lines_of(text)) {
    auto event = formats::parse_json(line, "events.jsonl");
    auto type = event.get_string("type");
    auto job = event.get_string("job");
    if (type == "job_started") kept.others.insert(job);
    if (type != "job_finished") continue;
    auto conclusion = event.get_string("conclusion");
    if (conclusion == "success" || conclusion == "skipped") kept.others.erase(job);
    if (conclusion == "failure" || conclusion == "cancelled") kept.others.insert(job);
    if (conclusion != "success") continue;
    auto& outputs = kept.succeeded[job];
    const auto* given = event.find("outputs");
    if (!given) continue;
    for (const auto& [name, value] : given->as_object()) outputs[name] = value.as_string();
  }
  return kept;
}

void RunStore::sweep() {
  if (!std::filesystem::exists(directory_)) return;
  auto lock = os::FileLock::take(directory_ / ".lock");
  for (auto record : list()) {
    if (record.ended_ms != 0 || record.conclusion != "lost") continue;
    auto directory = directory_ / record.id;
    end_left_behind(directory / "jobs");
    discard_scratch(directory / "jobs");
    record.ended_ms = formats::now().time_since_epoch().count();
    RunEvent event{.kind = EventKind::run_finished,
                   .at_ms = record.ended_ms,
                   .run = record.id,
                   .conclusion = "lost",
                   .took_ms = record.ended_ms - record.started_ms};
    auto events =
        os::open_file((directory / "events.jsonl").string(), O_WRONLY | O_CREAT | O_APPEND);
    os::write_all(events.get(), to_json_line(event) + "\n");
    os::write_file_durably(directory / "run.json", to_json(record).pretty());
  }
}

std::optional<RunRecord> RunStore::find(const std::string& id) const {
  if (!to_integer(id)) return std::nullopt;
  auto text = os::read_file_if_exists(directory_ / id / "run.json");
  if (!text) return std::nullopt;
  auto record = record_from(formats::parse_json(*text, (directory_ / id / "run.json").string()));
  if (record.ended_ms == 0 && !is_alive(record)) record.conclusion = "lost";
  return record;
}

std::vector<RunRecord> RunStore::list() const {
  std::vector<RunRecord> records;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory_, error), end; !error && entry != end;
       entry.increment(error)) {
    if (auto record = find(entry->path().filename().string()))
      records.push_back(std::move(*record));
  }
  std::sort(records.begin(), records.end(), [](const auto& a, const auto& b) {
    return to_integer(a.id).value_or(0) > to_integer(b.id).value_or(0);
  });
  return records;
}

}  // namespace slipway::workflow
