// SPDX-License-Identifier: Apache-2.0
#include "image/remote_source.hpp"

#include <fcntl.h>

#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/sha256.hpp"
#include "formats/time.hpp"
#include "git/clone.hpp"
#include "net/http_client.hpp"
#include "net/url.hpp"

namespace slipway::image {
namespace {

namespace fs = std::filesystem;

struct GitSource {
  std::string url;
  std::string ref;
  std::string subdirectory;
  std::string checksum;  // of the commit, or its beginning
  bool keeps_git_dir = false;
  bool has_submodules = true;  // as BuildKit has it
};

// "?ref=v1&subdir=a&checksum=…": what a fragment says, by name, and more.
class GitQuery {
 public:
  GitQuery(GitSource& git, std::string_view query) : git_(git), query_(query) {}

  void read() {
    std::set<std::string> seen;
    for (const auto& [key, value] : net::parse_query(query_)) {
      if (!seen.insert(key).second) refuse("'{}' is given twice", key);
      take(key, value);
    }
    if (!tag_.empty() && !branch_.empty()) refuse("it names a branch and a tag{}", "");
    if (!tag_.empty()) set(git_.ref, with_prefix("refs/tags/", tag_), "ref");
    if (!branch_.empty()) set(git_.ref, with_prefix("refs/heads/", branch_), "ref");
  }

 private:
  void take(const std::string& key, const std::string& value) {
    bool is_switch = key == "keep-git-dir" || key == "submodules" || key == "fetch-by-commit";
    if (value.empty() && !is_switch) refuse("'{}' has no value", key);
    if (key == "ref")
      set(git_.ref, value, key);
    else if (key == "tag")
      tag_ = value;
    else if (key == "branch")
      branch_ = value;
    else if (key == "subdir")
      set(git_.subdirectory, clean_path("/" + value).substr(1), key);
    else if (key == "checksum" || key == "commit")
      set(git_.checksum, value, key);
    else if (key == "keep-git-dir")
      git_.keeps_git_dir = is_true(key, value);
    else if (key == "submodules")
      git_.has_submodules = is_true(key, value);
    else if (key == "mtime" && value != "checkout")
      fail(Fault::unsupported, "'mtime={}' in '{}' is not supported yet: only 'checkout' is", value,
           git_.url);
    else if (key != "fetch-by-commit" && key != "mtime")
      refuse(
          "'{}' is not known: there are ref, tag, branch, subdir, commit, checksum, keep-git-dir "
          "and submodules",
          key);
  }

  void set(std::string& field, const std::string& value, const std::string& key) {
    if (!field.empty() && field != value) refuse("'{}' is told twice, differently", key);
    field = value;
  }

  static std::string with_prefix(std::string_view prefix, const std::string& name) {
    return name.starts_with(prefix) ? name : std::string(prefix) + name;
  }

  bool is_true(const std::string& key, const std::string& value) const {
    if (value.empty() || value == "1" || equals_ignoring_case(value, "true")) return true;
    if (value != "0" && !equals_ignoring_case(value, "false"))
      refuse("'{}' is neither true nor false", key);
    return false;
  }

  [[noreturn]] void refuse(fmt::format_string<const std::string&> what,
                           const std::string& key) const {
    fail(Fault::bad_input, "the query of '{}?{}': {}", git_.url, query_, fmt::format(what, key));
  }

  GitSource& git_;
  std::string query_;
  std::string tag_;
  std::string branch_;
};

// "URL[?QUERY][#REF:SUBDIRECTORY]"
GitSource git_source(std::string_view source) {
  auto hash = source.find('#');
  auto address = source.substr(0, hash);
  auto question = address.find('?');
  GitSource git{.url = std::string(address.substr(0, question))};
  if (hash != std::string_view::npos) {
    auto fragment = source.substr(hash + 1);
    auto colon = fragment.find(':');
    git.ref = fragment.substr(0, colon);
    if (colon != std::string_view::npos)
      git.subdirectory = clean_path("/" + std::string(fragment.substr(colon + 1))).substr(1);
  }
  if (question != std::string_view::npos) GitQuery(git, address.substr(question + 1)).read();
  return git;
}

bool is_commit(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// The header that a build's secrets give for a repository; empty when there is none. source BuildKit, source/git/source.go, authSecretNames
std::string git_header(const std::string& url, const std::vector<Secret>& secrets) {
  auto where = net::parse_url(url);
  if (!where) return "";
  for (const std::string& suffix : {"." + where->authority(), std::string()}) {
    for (const auto& secret : secrets) {
      if (secret.id == "GIT_AUTH_HEADER" + suffix)
        return "Authorization: " + std::string(trim(secret.value));
      if (secret.id == "GIT_AUTH_TOKEN" + suffix)
        return "Authorization: basic " +
               base64(fmt::format("x-access-token:{}", trim(secret.value)));
    }
  }
  return "";
}

// Git asks for a name where a server wants to know who it is; nobody is there to answer.
template <typename Work>
auto with_hint(const GitSource& git, Work work) {
  try {
    return work();
  } catch (const Error& error) {
    std::string said = error.what();
    bool is_closed = said.find("could not read Username") != std::string::npos ||
                     said.find("Authentication failed") != std::string::npos;
    if (!is_closed) throw;
    throw Error(Fault::denied,
                fmt::format("{} (a private repository needs --secret "
                            "id=GIT_AUTH_TOKEN,env=NAME or id=GIT_AUTH_TOKEN.{},env=NAME)",
                            said, net::parse_url(git.url).value_or(net::Url{}).authority()));
  }
}

std::string commit_of(const GitSource& git, const std::string& checksum,
                      const std::vector<Secret>& secrets, const std::stop_token& stop) {
  std::string commit;
  if (is_commit(git.ref)) {
    commit = git.ref;
  } else if (git.ref.empty() && is_commit(git.checksum)) {
    commit = git.checksum;
  } else {
    auto found = with_hint(git, [&] {
      return git::remote_commit(git.url, git.ref.empty() ? "HEAD" : git.ref,
                                git_header(git.url, secrets), stop);
    });
    if (!found)
      fail(Fault::not_found, "repository {} has no ref '{}'", git.url,
           git.ref.empty() ? "HEAD" : git.ref);
    commit = *found;
  }
  for (const auto& wanted : {checksum, git.checksum}) {
    if (!commit.starts_with(wanted))
      fail(Fault::bad_input, "expected checksum to match {}, got {}", wanted, commit);
  }
  return commit;
}

fs::path download_place(LayerStore& store, const std::string& url) {
  return store.root() / "downloads" / formats::sha256_hex(url).substr(0, 32);
}

std::string digest_of(const fs::path& file) {
  os::Fd fd = os::open_file(file.string(), O_RDONLY);
  formats::FdReader reader(fd.get());
  formats::HashingReader hashed(reader);
  formats::CountingWriter nowhere;
  formats::copy_all(hashed, nowhere);
  return "sha256:" + hashed.hex();
}

// Downloads unless the server says that what we have is still it. Returns the content's digest.
std::string download(const std::string& url, const std::string& checksum, LayerStore& store,
                     const std::stop_token& stop) {
  fs::path place = download_place(store, url);
  os::make_dirs(place.parent_path());
  auto etag = os::read_file_if_exists(place.string() + ".etag");
  std::error_code problem;
  bool is_here = fs::is_regular_file(place, problem);
  if (is_here && !checksum.empty() && digest_of(place) == checksum) return checksum;
  net::HttpClient client({.refuse_link_local = true});
  net::HttpRequest request{.url = url};
  if (is_here && etag && !etag->empty()) request.headers.set("If-None-Match", *etag);
  os::TempDir scratch(place.parent_path());
  os::Fd out = os::open_file((scratch.path() / "body").string(), O_WRONLY | O_CREAT | O_EXCL, 0600);
  formats::FdWriter file(out.get());
  formats::HashingWriter hashed(file);
  auto response = client.request(
      request, stop, Deadline::in(std::chrono::hours(1)),
      {.on_head = [&](const net::HttpResponse& head) { return head.ok() ? &hashed : nullptr; },
       .redirects = 10});
  std::string digest;
  if (response.status == 304 && is_here) {
    digest = digest_of(place);
  } else if (!response.ok()) {
    fail(response.status == 404 ? Fault::not_found : Fault::unavailable,
         "{}: the server answered {}", url, response.status);
  } else {
    digest = "sha256:" + hashed.hex();
    os::replace_file(place.string() + ".etag", response.headers.get("ETag"));
    os::replace_file(place.string() + ".date", response.headers.get("Last-Modified"));
    fs::rename(scratch.path() / "body", place);
  }
  if (!checksum.empty() && digest != checksum)
    fail(Fault::bad_input, "digest mismatch {}: {} (of {})", digest, checksum, url);
  return digest;
}

// A clone's own directory, and the files that lead submodules to it.
void remove_git(const fs::path& clone, const std::stop_token& stop) {
  if (stop.stop_requested()) throw Cancelled();
  os::remove_tree(clone / ".git");
  std::error_code problem;
  if (!fs::is_regular_file(clone / ".gitmodules", problem)) return;
  for (fs::recursive_directory_iterator at(clone), end; at != end; ++at) {
    if (at->path().filename() == ".git") {
      os::remove_tree(at->path());
      at.disable_recursion_pending();
    }
  }
}

std::string file_name(const std::string& source) {
  auto url = net::parse_url(source);
  if (!url) return "__unnamed__";
  std::string path = net::percent_decode(url->path).value_or(url->path);
  while (path.ends_with('/')) path.pop_back();
  std::string name = path.substr(path.rfind('/') + 1);
  return name.empty() || name == "." || name == ".." ? "__unnamed__" : name;
}

}  // namespace

bool is_git_source(std::string_view source) {
  for (std::string_view scheme : {"git@", "git://", "ssh://"}) {
    if (source.starts_with(scheme)) return true;
  }
  if (!source.starts_with("http://") && !source.starts_with("https://")) return false;
  auto address = source.substr(0, source.find_first_of("#?"));
  return address.ends_with(".git");
}

bool is_remote_source(std::string_view source) {
  return source.starts_with("http://") || source.starts_with("https://") || is_git_source(source);
}

std::string remote_key(const CopyOp& add, const std::vector<Secret>& secrets, LayerStore& store,
                       const std::stop_token& stop) {
  std::string key;
  for (const auto& source : add.sources) {
    if (!is_remote_source(source)) continue;
    key += is_git_source(source) ? commit_of(git_source(source), add.checksum, secrets, stop)
                                 : download(source, add.checksum, store, stop);
    key += ';';
  }
  return key;
}

Remote fetch_remote(const CopyOp& add, const std::string& source,
                    const std::vector<Secret>& secrets, LayerStore& store, const fs::path& into,
                    const std::stop_token& stop) {
  if (!is_git_source(source)) {
    auto modified = formats::parse_http_date(
        os::read_file_if_exists(download_place(store, source).string() + ".date").value_or(""));
    std::int64_t mtime =
        modified
            ? std::chrono::duration_cast<std::chrono::seconds>(modified->time_since_epoch()).count()
            : 0;
    return {.path = download_place(store, source), .name = file_name(source), .mtime = mtime};
  }
  auto git = git_source(source);
  fs::path clone = into / "clone";
  const std::string commit = commit_of(git, add.checksum, secrets, stop);
  with_hint(git, [&] {
    return git::clone({.source = git.url,
                       .revision = commit,
                       .submodules = git.has_submodules,
                       .header = git_header(git.url, secrets)},
                      clone, stop);
  });
  if (!add.keep_git_dir && !git.keeps_git_dir) remove_git(clone, stop);
  fs::path tree = clone;
  if (!git.subdirectory.empty()) {
    Tree whole({clone});
    auto found = whole.lookup(git.subdirectory, true);
    if (!found || !found->node.is_directory())
      fail(Fault::not_found, "repository {} has no directory '{}'", git.url, git.subdirectory);
    tree = clone / found->path;
  }
  return {.path = tree, .is_directory = true};
}

}  // namespace slipway::image
