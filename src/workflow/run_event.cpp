// SPDX-License-Identifier: Apache-2.0
#include "workflow/run_event.hpp"

#include "formats/json.hpp"
#include "formats/time.hpp"

namespace slipway::workflow {

std::string_view name_of(EventKind kind) {
  switch (kind) {
    case EventKind::run_started:
      return "run_started";
    case EventKind::job_waiting:
      return "job_waiting";
    case EventKind::job_started:
      return "job_started";
    case EventKind::step_started:
      return "step_started";
    case EventKind::output:
      return "output";
    case EventKind::group_started:
      return "group_started";
    case EventKind::group_ended:
      return "group_ended";
    case EventKind::annotation:
      return "annotation";
    case EventKind::summary:
      return "summary";
    case EventKind::step_finished:
      return "step_finished";
    case EventKind::job_finished:
      return "job_finished";
    case EventKind::run_finished:
      return "run_finished";
  }
  return "";
}

std::string_view name_of(Severity severity) {
  switch (severity) {
    case Severity::notice:
      return "notice";
    case Severity::warning:
      return "warning";
    case Severity::error:
      return "error";
  }
  return "";
}

namespace {

void put_field(formats::Json& json, std::string_view key, const std::string& value) {
  if (!value.empty()) json[key] = value;
}
void put_field(formats::Json& json, std::string_view key, std::int64_t value) {
  if (value != 0) json[key] = value;
}

void put_place(formats::Json& json, const AnnotationPlace& place) {
  put_field(json, "title", place.title);
  put_field(json, "file", place.file);
  put_field(json, "line", place.line);
  put_field(json, "end_line", place.end_line);
  put_field(json, "column", place.column);
  put_field(json, "end_column", place.end_column);
}

}  // namespace

std::string to_json_line(const RunEvent& event) {
  auto json = formats::Json::object();
  json["type"] = name_of(event.kind);
  json["at"] = formats::iso8601_millis(formats::Time(std::chrono::milliseconds(event.at_ms)));
  put_field(json, "run", event.run);
  put_field(json, "job", event.job);
  put_field(json, "step", event.step);
  put_field(json, "step_name", event.step_name);
  put_field(json, "step_id", event.step_id);
  put_field(json, "conclusion", event.conclusion);
  put_field(json, "outcome", event.outcome);
  if (event.kind == EventKind::step_finished || event.kind == EventKind::job_finished ||
      event.kind == EventKind::run_finished) {
    json["took_ms"] = event.took_ms;
  }
  if (event.kind == EventKind::annotation) {
    json["severity"] = name_of(event.severity);
    put_place(json, event.place);
  }
  put_field(json, "text", event.text);
  if (!event.outputs.empty()) {
    auto& outputs = json["outputs"];
    outputs = formats::Json::object();
    for (const auto& [name, value] : event.outputs) outputs[name] = value;
  }
  return json.dump();
}

}  // namespace slipway::workflow
