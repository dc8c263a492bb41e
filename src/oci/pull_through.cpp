// SPDX-License-Identifier: Apache-2.0
#include "oci/pull_through.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "oci/reference.hpp"

namespace slipway::oci {
namespace {

constexpr auto kSilence = std::chrono::seconds(10);
constexpr std::size_t kMostReferrers = 1000;

// What comes goes straight into an upload of the store.
class UploadWriter final : public formats::Writer {
 public:
  UploadWriter(RegistryStore& store, std::string_view repository)
      : store_(store), repository_(repository), id_(store.begin_upload(repository)) {}
  UploadWriter(const UploadWriter&) = delete;
  UploadWriter& operator=(const UploadWriter&) = delete;
  ~UploadWriter() override {
    try {
      if (!is_done_) store_.cancel_upload(repository_, id_);
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): collect_garbage() finds it
    }
  }
  void write(std::string_view bytes) override {
    formats::MemoryReader piece(bytes);
    store_.append_upload(repository_, id_, piece);
  }
  void finish(const Digest& digest) {
    store_.finish_upload(repository_, id_, digest);
    is_done_ = true;
  }

 private:
  RegistryStore& store_;
  std::string repository_;
  std::string id_;
  bool is_done_ = false;
};

// What is wrong with the other registry is no fault of who asks us.
template <typename Bring>
auto from_upstream(Bring&& bring) {
  try {
    return std::forward<Bring>(bring)();
  } catch (const RegistryRefusal& refusal) {  // our store does not take what came
    fail(Fault::unavailable, "what the other registry sent is refused: {}", refusal.message());
  } catch (const Error& error) {
    if (error.fault() != Fault::bad_input) throw;
    fail(Fault::unavailable, "{}", error.what());
  }
}

}  // namespace

Reference PullThrough::place(std::string_view repository, std::string_view remote) const {
  return {upstream_, std::string(remote.empty() ? repository : remote), "", std::nullopt};
}

void PullThrough::fetch_manifest(std::string_view repository, const Reference& image,
                                 const std::stop_token& stop) {
  auto found = client_.manifest(image, stop);
  if (!found) return;
  store_.create_repository(repository);
  store_.put_manifest({.repository = std::string(repository),
                       .tag = image.tag,
                       .digest = image.digest,
                       .media_type = found->descriptor.media_type,
                       .bytes = found->bytes,
                       .check_children = false});
}

void PullThrough::bring_manifest(std::string_view repository, std::string_view tag_or_digest,
                                 const std::stop_token& stop, std::string_view remote) {
  Reference image = place(repository, remote);
  image.digest = Digest::try_parse(tag_or_digest);
  if (!image.digest) image.tag = tag_or_digest;
  auto here = store_.manifest(repository, tag_or_digest);
  if (here && image.digest) return;
  if (here && !silent_until_.read([](Deadline until) { return until.passed(); })) return;
  try {
    from_upstream([&] {
      if (here) {
        auto now = client_.resolve(image, stop, patience_);
        if (!now || now->digest == here->digest) return;
      }
      fetch_manifest(repository, image, stop);
    });
  } catch (const Error& error) {
    log_.warn("registry: {} of {}: {}", image, upstream_, error.what());
    if (!here && error.fault() != Fault::not_found) throw;
    if (error.fault() == Fault::unavailable)
      silent_until_.with([](Deadline& until) { until = Deadline::in(kSilence); });
  }
}

void PullThrough::bring_blob(std::string_view repository, const Digest& digest,
                             const std::stop_token& stop, std::string_view remote) {
  if (store_.blob_size(repository, digest)) return;
  const std::string mark = std::string(repository) + "@" + digest.str();
  struct Mine {  // one fetches, the others wait for it
    Guarded<std::set<std::string>>& all;
    const std::string& mark;
    ~Mine() {
      all.with([&](auto& marks) { marks.erase(mark); });
    }
  };
  bool is_ours = under_way_.wait(
      stop, Deadline::never(), [&](const auto& marks) { return !marks.contains(mark); },
      [&](auto& marks) { marks.insert(mark); });
  if (!is_ours) throw Cancelled();
  Mine mine{under_way_, mark};
  if (store_.blob_size(repository, digest)) return;
  Reference from = place(repository, remote);
  from_upstream([&] {
    if (auto size = client_.blob_size(from, digest, stop))
      fetch_blob(repository, from, digest, *size, stop);
  });
}

void PullThrough::fetch_blob(std::string_view repository, const Reference& place,
                             const Digest& digest, std::uint64_t size,
                             const std::stop_token& stop) {
  store_.create_repository(repository);
  UploadWriter upload(store_, repository);
  client_.fetch_blob(place,
                     {.media_type = "application/octet-stream", .digest = digest, .size = size},
                     upload, stop);
  upload.finish(digest);
}

void PullThrough::bring_referrers(std::string_view repository, const Digest& subject,
                                  const std::stop_token& stop) {
  Reference image = place(repository, {});
  image.digest = subject;
  try {
    auto all = from_upstream([&] { return client_.referrers(image, "", stop); });
    if (all.size() > kMostReferrers) all.resize(kMostReferrers);
    for (const Descriptor& referrer : all) bring_manifest(repository, referrer.digest.str(), stop);
  } catch (const Error& error) {
    log_.warn("registry: what refers to {} of {}: {}", image, upstream_, error.what());
  }
}

std::optional<std::vector<std::string>> PullThrough::tags(std::string_view repository,
                                                          const std::stop_token& stop) {
  try {
    auto all = from_upstream([&] { return client_.tags(place(repository, {}), stop); });
    std::sort(all.begin(), all.end());
    return all;
  } catch (const Error& error) {
    if (error.fault() != Fault::not_found)
      log_.warn("registry: tags of {} of {}: {}", repository, upstream_, error.what());
    return std::nullopt;
  }
}

}  // namespace slipway::oci
