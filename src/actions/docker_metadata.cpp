// SPDX-License-Identifier: Apache-2.0
#include "actions/builtin.hpp"
#include "actions/image_tags.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/json.hpp"
#include "formats/time.hpp"

// docker/metadata-action: names, tags and labels from the event.
namespace slipway::actions {
namespace {

using formats::Json;
using workflow::ActionContext;

// "name=x,enable=false" or a plain name.
std::vector<std::string> images_of(ActionContext& context) {
  std::vector<std::string> images;
  for (const auto& line : context.list("images")) {
    std::string name = line;
    bool enabled = true;
    if (line.find('=') != std::string::npos) {
      for (const auto& part : split(line, ',')) {
        if (part.starts_with("name=")) name = part.substr(5);
        if (part == "enable=false") enabled = false;
      }
    }
    if (enabled) images.push_back(to_lower(name));
  }
  return images;
}

class DockerMetadata final : public workflow::Action {
 public:
  [[nodiscard]] std::vector<workflow::ActionInput> inputs() const override {
    std::vector<workflow::ActionInput> all = {{"context", "workflow"},
                                              {"bake-target", "docker-metadata-action"},
                                              {"github-token", "${{ github.token }}"}};
    for (const char* name : {"images", "tags", "flavor", "labels", "annotations", "sep-tags",
                             "sep-labels", "sep-annotations"})
      all.push_back({name, std::nullopt});
    return all;
  }

  void run(ActionContext& context) override {
    auto made = image_tags(context.list("tags"), context.list("flavor"), facts_of(context));
    std::vector<std::string> names;
    for (const auto& image : images_of(context)) {
      for (const auto& tag : made.tags) names.push_back(image + ":" + tag);
    }
    if (images_of(context).empty()) names = made.tags;
    auto labels = labels_of(context, made.version);
    std::string label_text = join(labels, separator(context, "sep-labels"));
    publish(context, "version", made.version);
    publish(context, "tags", join(names, separator(context, "sep-tags")));
    publish(context, "tag-names", join(made.tags, separator(context, "sep-tags")));
    publish(context, "labels", label_text);
    std::vector<std::string> annotations;
    for (const auto& label : labels) annotations.push_back("manifest:" + label);
    for (const auto& line : context.list("annotations")) annotations.push_back(line);
    publish(context, "annotations", join(annotations, separator(context, "sep-annotations")));
    publish(context, "json", as_json(names, made.tags, labels).dump());
    if (names.empty()) context.warning("No Docker tag has been generated. Check tags input.");
    context.log("tags:\n  " + join(names, "\n  ") + "\nlabels:\n  " + join(labels, "\n  "));
  }

 private:
  static std::string separator(ActionContext& context, const std::string& name) {
    auto given = context.text(name);
    return given.empty() ? "\n" : given;
  }

  static TagFacts facts_of(ActionContext& context) {
    const Json& github = context.github();
    const Json* event = github.find("event");
    const Json* repository = event ? event->find("repository") : nullptr;
    TagFacts facts{
        .event = github.get_string("event_name"),
        .ref = github.get_string("ref"),
        .sha = github.get_string("sha"),
        .default_branch = repository ? repository->get_string("default_branch", "main") : "main",
        .pull_number = {},
        .base_ref = github.get_string("base_ref"),
        .now = formats::iso8601(formats::now())};
    if (facts.event.starts_with("pull_request") && event && event->contains("number"))
      facts.pull_number = std::to_string(event->get_int("number"));
    return facts;
  }

  // What the job's own lines say stands instead of the standard ones.
  static std::vector<std::string> labels_of(ActionContext& context, const std::string& version) {
    const Json& github = context.github();
    const Json* event = github.find("event");
    const Json* repository = event ? event->find("repository") : nullptr;
    auto text = [&](const char* key) {
      return repository && repository->find(key) && repository->find(key)->is_string()
                 ? repository->get_string(key)
                 : std::string();
    };
    std::string url =
        fmt::format("{}/{}", github.get_string("server_url"), github.get_string("repository"));
    std::string name = github.get_string("repository");
    std::map<std::string, std::string> labels = {
        {"org.opencontainers.image.title", name.substr(name.find('/') + 1)},
        {"org.opencontainers.image.description", text("description")},
        {"org.opencontainers.image.url", url},
        {"org.opencontainers.image.source", url},
        {"org.opencontainers.image.version", version},
        {"org.opencontainers.image.created", formats::iso8601_millis(formats::now())},
        {"org.opencontainers.image.revision", github.get_string("sha")},
        {"org.opencontainers.image.licenses", ""}};
    for (const auto& line : context.list("labels")) {
      auto at = line.find('=');
      if (at == std::string::npos) fail(Fault::bad_input, "the label '{}' is not key=value", line);
      labels[line.substr(0, at)] = line.substr(at + 1);
    }
    std::vector<std::string> lines;
    for (const auto& [key, value] : labels) lines.push_back(key + "=" + value);
    return lines;
  }

  static Json as_json(const std::vector<std::string>& names, const std::vector<std::string>& tags,
                      const std::vector<std::string>& labels) {
    Json out = Json::object(
        {{"tags", Json::array()}, {"tag-names", Json::array()}, {"labels", Json::object()}});
    for (const auto& name : names) out["tags"].push_back(name);
    for (const auto& tag : tags) out["tag-names"].push_back(tag);
    for (const auto& label : labels)
      out["labels"][label.substr(0, label.find('='))] = label.substr(label.find('=') + 1);
    return out;
  }

  static void publish(ActionContext& context, const std::string& name, const std::string& value) {
    context.set_output(name, value);
    context.set_env("DOCKER_METADATA_OUTPUT_" + replace_all(to_upper(name), "-", "_"), value);
  }
};

}  // namespace

std::unique_ptr<workflow::Action> make_docker_metadata() {
  return std::make_unique<DockerMetadata>();
}

}  // namespace slipway::actions
