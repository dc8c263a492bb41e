// SPDX-License-Identifier: Apache-2.0
#include "workflow/event.hpp"

#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/sha256.hpp"
#include "git/git.hpp"

namespace slipway::workflow {
namespace {

using formats::Json;

constexpr std::string_view kZeros = "0000000000000000000000000000000000000000";

std::string short_name(const std::string& ref) {
  for (std::string_view prefix : {"refs/heads/", "refs/tags/", "refs/pull/"}) {
    if (ref.starts_with(prefix)) return ref.substr(prefix.size());
  }
  return ref;
}

bool is_zeros(const std::string& id) {
  return id.empty() || id.find_first_not_of('0') == std::string::npos;
}

std::string login_of(const git::Commit& commit) {
  auto name = to_lower(commit.author_name);
  for (char& c : name) {
    bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (!is_plain) c = '-';
  }
  return name.empty() ? "local" : name;
}

// Error{bad_input} for what is no address of a server.
void take_server(const EventRequest& request, Event& event) {
  std::string_view url = request.server_url;
  if (url.empty()) return;
  while (url.ends_with('/')) url.remove_suffix(1);
  if (!url.starts_with("https://") && !url.starts_with("http://"))
    fail(Fault::bad_input, "GITHUB_SERVER_URL is the address of a server, https://…, not '{}'",
         url);
  event.server_url = url;
}

// The files that a push's payload says its commits touch; nothing when it lists none.
std::optional<std::vector<std::string>> files_of_commits(const Json& payload) {
  std::set<std::string> files;
  bool lists_any = false;
  for (const auto& commit : payload.get_array("commits")) {
    for (const char* change : {"added", "modified", "removed"}) {
      const auto* list = commit.find(change);
      if (list == nullptr || !list->is_array()) continue;
      lists_any = true;
      for (const auto& file : list->as_array()) {
        if (file.is_string()) files.insert(file.as_string());
      }
    }
  }
  if (!lists_any) return std::nullopt;
  return std::vector<std::string>(files.begin(), files.end());
}

std::string message_of(const Json& payload, std::string otherwise) {
  const auto* commit = payload.find("head_commit");
  return commit != nullptr && commit->is_object() ? commit->get_string("message", otherwise)
                                                  : std::move(otherwise);
}

class EventMaker final {
 public:
  EventMaker(const std::filesystem::path& repository, const EventRequest& request,
             std::stop_token stop)
      : repository_(repository), request_(request), stop_(std::move(stop)) {}

  Event make() {
    event_.name = request_.name;
    event_.inputs = request_.inputs;
    take_server(request_, event_);
    find_repository();
    if (request_.payload) read_payload();
    find_ref();
    auto commit = commit_ ? std::move(*commit_) : git::read_commit(repository_, event_.sha, stop_);
    event_.commit_message = message_of(event_.payload, commit.message);
    event_.actor = login_of(commit);
    find_branches();
    find_changes(commit);
    write_payload(commit);
    return std::move(event_);
  }

 private:
  bool is_pull_request() const {
    return event_.name == "pull_request" || event_.name == "pull_request_target";
  }

  void find_repository() {
    auto url = git::remote_url(repository_, "origin", stop_);
    auto name = url ? git::owner_and_name(*url) : std::nullopt;
    event_.repository =
        name ? *name
             : "local/" +
                   std::filesystem::absolute(repository_).lexically_normal().filename().string();
    head_ = git::head_ref(repository_, stop_);
    for (const char* branch : {"main", "master"}) {
      if (head_ == fmt::format("refs/heads/{}", branch) ||
          git::full_ref(repository_, fmt::format("refs/heads/{}", branch), stop_)) {
        event_.default_branch = branch;
        return;
      }
    }
    if (head_ && head_->starts_with("refs/heads/")) event_.default_branch = short_name(*head_);
  }

  void read_payload() {
    event_.payload = *request_.payload;
    if (!event_.payload.is_object())
      fail(Fault::bad_input, "the event's payload is no JSON object");
    const auto& payload = event_.payload;
    if (const auto* repository = payload.find("repository")) {
      event_.repository = repository->get_string("full_name", event_.repository);
      event_.default_branch = repository->get_string("default_branch", event_.default_branch);
    }
    event_.ref = payload.get_string("ref");
    event_.sha = payload.get_string("after");
    event_.before = payload.get_string("before");
    if (const auto* pull = payload.find("pull_request")) {
      if (const auto* base = pull->find("base")) event_.base_ref = base->get_string("ref");
      if (const auto* head = pull->find("head")) {
        event_.head_ref = head->get_string("ref");
        event_.sha = head->get_string("sha");
      }
      event_.ref =
          fmt::format("refs/pull/{}/merge", payload.get_int("number", pull->get_int("number", 1)));
    }
    is_elsewhere_ = !event_.sha.empty() && !git::commit_of(repository_, event_.sha, stop_);
    if (is_elsewhere_) event_.sha.clear();
  }

  void find_ref() {
    if (!request_.ref.empty()) {
      auto ref = git::full_ref(repository_, request_.ref, stop_);
      bool may_be_new = request_.may_be_new && request_.ref.starts_with("refs/");
      if (!ref && request_.sha.empty() && !may_be_new)
        fail(Fault::bad_input, "no branch or tag '{}' in this repository", request_.ref);
      event_.ref = ref                                 ? *ref
                   : request_.ref.starts_with("refs/") ? request_.ref
                                                       : "refs/heads/" + request_.ref;
      event_.sha.clear();
    }
    if (!request_.sha.empty()) {
      auto commit = git::commit_of(repository_, request_.sha, stop_);
      if (!commit) fail(Fault::bad_input, "no commit '{}' in this repository", request_.sha);
      event_.sha = *commit;
    }
    if (event_.ref.empty()) event_.ref = current_ref();
    if (event_.sha.empty()) {
      commit_ = git::find_commit(repository_, event_.ref, stop_);
      if (!commit_) commit_ = git::find_commit(repository_, "HEAD", stop_);
      if (!commit_)
        fail(Fault::bad_input, "'{}' is no Git repository with a commit", repository_.string());
      event_.sha = commit_->id;
    }
  }

  std::string current_ref() {
    if (head_) return *head_;
    auto commit = git::commit_of(repository_, "HEAD", stop_);
    if (!commit)
      fail(Fault::bad_input, "'{}' is no Git repository with a commit", repository_.string());
    auto tags = git::tags_at(repository_, *commit, stop_);
    return tags.empty() ? "refs/heads/" + event_.default_branch : tags.back();
  }

  void find_branches() {
    if (!is_pull_request()) return;
    if (event_.head_ref.empty()) event_.head_ref = short_name(event_.ref);
    if (event_.base_ref.empty()) event_.base_ref = event_.default_branch;
    if (!event_.ref.starts_with("refs/pull/")) event_.ref = "refs/pull/1/merge";
  }

  void find_changes(const git::Commit& commit) {
    if (request_.dirty) {
      auto parent = commit.parents.empty() ? std::string(git::kEmptyTree) : commit.parents[0];
      event_.changed_files = git::uncommitted_files(repository_, parent, stop_);
    }
    if (is_elsewhere_ && !request_.dirty) {
      // The commit is not here to be compared: what the payload says, else nothing is known.
      if (!is_pull_request()) event_.changed_files = files_of_commits(event_.payload);
      return;
    }
    if (is_pull_request()) {
      auto base = git::merge_base(repository_, "refs/heads/" + event_.base_ref, event_.sha, stop_);
      if (!request_.dirty && base)
        event_.changed_files = git::changed_files(repository_, *base, event_.sha, stop_);
      return;
    }
    if (event_.before.empty())
      event_.before = commit.parents.empty() ? std::string(kZeros) : commit.parents[0];
    if (request_.dirty || event_.is_tag()) return;
    auto parent = commit.parents.empty() ? std::string(git::kEmptyTree) : commit.parents[0];
    auto before = event_.before;
    bool is_here =
        before == parent || (!is_zeros(before) && git::commit_of(repository_, before, stop_));
    if (!is_here) before = parent;
    event_.changed_files = git::changed_files(repository_, before, event_.sha, stop_);
  }

  Json repository_json() const {
    auto parts = split(event_.repository, '/');
    const auto& owner = parts.front();
    return Json::object({{"full_name", event_.repository},
                         {"name", parts.back()},
                         {"owner", Json::object({{"login", owner}, {"name", owner}})},
                         {"default_branch", event_.default_branch},
                         {"html_url", event_.server_url + "/" + event_.repository},
                         {"clone_url", event_.server_url + "/" + event_.repository + ".git"},
                         {"private", true}});
  }

  // Fills in what the payload does not say.
  void write_payload(const git::Commit& commit) {
    auto& payload = event_.payload;
    auto put = [&](std::string_view key, Json value) {
      if (!payload.contains(key)) payload[key] = std::move(value);
    };
    put("repository", repository_json());
    put("sender", Json::object({{"login", event_.actor}, {"type", "User"}}));
    if (event_.name == "push") {
      Json head = Json::object(
          {{"id", commit.id},
           {"tree_id", commit.tree},
           {"message", commit.message},
           {"timestamp", commit.date},
           {"url", fmt::format("{}/{}/commit/{}", event_.server_url, event_.repository, commit.id)},
           {"author", Json::object({{"name", commit.author_name}, {"email", commit.author_email}})},
           {"distinct", true}});
      put("ref", event_.ref);
      put("before", event_.before);
      put("after", event_.sha);
      put("created", is_zeros(event_.before));
      put("deleted", false);
      put("forced", false);
      put("base_ref", nullptr);
      put("commits", Json::array({head}));
      put("head_commit", head);
      put("pusher", Json::object({{"name", event_.actor}, {"email", commit.author_email}}));
    } else if (is_pull_request()) {
      put("action", "synchronize");
      put("number", 1);
      put("pull_request",
          Json::object(
              {{"number", 1},
               {"title",
                std::string(lines_of(commit.message).empty() ? "" : lines_of(commit.message)[0])},
               {"head", Json::object({{"ref", event_.head_ref}, {"sha", event_.sha}})},
               {"base", Json::object({{"ref", event_.base_ref}})},
               {"user", Json::object({{"login", event_.actor}})},
               {"draft", false},
               {"merged", false}}));
    } else if (event_.name == "workflow_dispatch") {
      Json inputs = Json::object();
      for (const auto& [name, value] : event_.inputs) inputs[name] = value;
      put("inputs", inputs);
      put("ref", event_.ref);
    }
  }

  const std::filesystem::path& repository_;
  const EventRequest& request_;
  std::stop_token stop_;
  bool is_elsewhere_ = false;          // the payload's commit is not in this repository
  std::optional<std::string> head_;    // what HEAD is on
  std::optional<git::Commit> commit_;  // of event_.sha, once it has been read
  Event event_;
};

}  // namespace

std::string Event::ref_name() const { return short_name(ref); }

Event make_event_without_repository(const EventRequest& request) {
  Event event;
  event.name = request.name;
  event.inputs = request.inputs;
  take_server(request, event);
  event.repository = "local/directory";
  event.actor = "local";
  event.payload = request.payload.value_or(Json::object());
  const auto& payload = event.payload;
  if (!payload.is_object()) fail(Fault::bad_input, "the event's payload is no JSON object");
  if (const auto* repository = payload.find("repository")) {
    event.repository = repository->get_string("full_name", event.repository);
    event.default_branch = repository->get_string("default_branch", event.default_branch);
  }
  if (const auto* pull = payload.find("pull_request")) {
    if (const auto* base = pull->find("base")) event.base_ref = base->get_string("ref");
    if (const auto* head = pull->find("head")) event.head_ref = head->get_string("ref");
    event.ref = fmt::format("refs/pull/{}/merge", payload.get_int("number", 1));
  }
  event.commit_message = message_of(payload, "");
  event.changed_files = files_of_commits(payload);
  event.before = payload.get_string("before");
  event.sha = request.sha.empty() ? payload.get_string("after", kZeros) : request.sha;
  if (!request.ref.empty()) event.ref = request.ref;
  if (event.ref.empty()) event.ref = payload.get_string("ref", event.default_branch);
  if (!event.ref.starts_with("refs/")) event.ref.insert(0, "refs/heads/");
  return event;
}

Event make_event(const std::filesystem::path& repository, const EventRequest& request,
                 std::stop_token stop) {
  return EventMaker(repository, request, std::move(stop)).make();
}

namespace {

// GitHub's number where the payload has it; else one made of the name, the same in every run.
std::string id_of(const Json& payload, std::initializer_list<std::string_view> path,
                  const std::string& name) {
  const Json* at = &payload;
  for (auto key : path) {
    if (at) at = at->is_object() ? at->find(key) : nullptr;
  }
  if (at && at->is_int()) return std::to_string(at->as_int());
  constexpr std::uint64_t kDigits = 1'000'000'000;
  return std::to_string(
      std::stoull(formats::sha256_hex(to_lower(name)).substr(0, 12), nullptr, 16) % kDigits);
}

}  // namespace

Value github_context(const Event& event, const RunFacts& facts) {
  auto owner = event.repository.substr(0, event.repository.find('/'));
  const auto* about = event.payload.is_object() ? event.payload.find("repository") : nullptr;
  bool is_private = !about || !about->is_object() || about->get_bool("private", true);
  bool is_github = event.server_url == "https://github.com";
  return Value::object({
      {"token", facts.token},
      {"job", ""},
      {"ref", event.ref},
      {"sha", event.sha},
      {"repository", event.repository},
      {"repository_id", id_of(event.payload, {"repository", "id"}, event.repository)},
      {"repository_owner", owner},
      {"repository_owner_id", id_of(event.payload, {"repository", "owner", "id"}, owner)},
      {"repository_visibility", is_private ? "private" : "public"},
      {"repositoryUrl", fmt::format("git://github.com/{}.git", event.repository)},
      {"run_id", facts.run_id},
      {"run_number", facts.run_number},
      {"run_attempt", facts.run_attempt},
      {"retention_days", "90"},
      {"artifact_cache_size_limit", "10"},
      {"actor", event.actor},
      {"actor_id", id_of(event.payload, {"sender", "id"}, event.actor)},
      {"triggering_actor", event.actor},
      {"workflow", facts.workflow},
      {"workflow_ref", fmt::format("{}/{}@{}", event.repository, facts.workflow_file, event.ref)},
      {"workflow_sha", event.sha},
      {"head_ref", event.head_ref},
      {"base_ref", event.base_ref},
      {"event_name", event.name},
      {"event", Value::from_json(event.payload)},
      {"server_url", event.server_url},
      {"api_url", is_github ? "https://api.github.com" : event.server_url + "/api/v3"},
      {"graphql_url",
       is_github ? "https://api.github.com/graphql" : event.server_url + "/api/graphql"},
      {"ref_name", event.ref_name()},
      {"ref_protected", Value(false)},
      {"ref_type", event.ref_type()},
      {"secret_source", "Actions"},
      {"workspace", facts.workspace},
  });
}

}  // namespace slipway::workflow
