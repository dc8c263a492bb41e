// SPDX-License-Identifier: Apache-2.0
// The client's way up: blobs that the registry does not have, then manifests.
#include "base/error.hpp"
#include "base/task_group.hpp"
#include "base/text.hpp"
#include "oci/registry_client_state.hpp"

namespace slipway::oci {
namespace {

using net::HttpResponse;
using Kind = TransferProgress::Kind;

constexpr auto kUploadCallTime = std::chrono::seconds(120);

std::string with_digest(const std::string& location, const Digest& digest) {
  return location + (location.find('?') == std::string::npos ? "?" : "&") +
         net::print_query({{"digest", digest.str()}});
}

RegistryRequest upload_call(std::string method, std::string target,
                            std::vector<std::string> scopes) {
  RegistryRequest request;
  request.method = std::move(method);
  request.target = std::move(target);
  request.scopes = std::move(scopes);
  request.deadline = Deadline::in(kUploadCallTime);
  return request;
}

// All of a manifest's blobs that a registry must have, each once.
void add_blobs(const Manifest& manifest, std::vector<Descriptor>& blobs, std::set<Digest>& seen) {
  if (seen.insert(manifest.config.digest).second) blobs.push_back(manifest.config);
  for (const Descriptor& layer : manifest.layers) {
    if (!is_foreign_layer_type(layer.media_type) && seen.insert(layer.digest).second)
      blobs.push_back(layer);
  }
}

struct Upload {
  std::vector<Descriptor> blobs;
  std::vector<Descriptor> manifests;  // children before the indexes that name them
};

void plan_upload(const BlobStore& store, const Descriptor& target, Upload& upload,
                 std::set<Digest>& seen) {
  if (!seen.insert(target.digest).second) return;
  auto document = parse_manifest_or_index(store.read(target.digest), target.media_type);
  if (const auto* manifest = std::get_if<Manifest>(&document)) {
    add_blobs(*manifest, upload.blobs, seen);
  } else {
    for (const Descriptor& entry : std::get<Index>(document).manifests)
      plan_upload(store, entry, upload, seen);
  }
  upload.manifests.push_back(target);
}

// An index of which only some images were pulled cannot be pushed as it is; its one image can.
Descriptor whole_target(const BlobStore& store, const Descriptor& target) {
  if (!is_index_type(target.media_type)) return target;
  Index index = parse_index(store.read(target.digest));
  std::vector<Descriptor> present;
  for (const Descriptor& entry : index.manifests) {
    if (store.has(entry.digest)) present.push_back(entry);
  }
  if (present.size() == index.manifests.size()) return target;
  if (present.size() != 1) {
    fail(Fault::not_found,
         "{} of the {} images of index {} are in the store: pull all platforms first",
         present.size(), index.manifests.size(), target.digest.brief());
  }
  Descriptor only = present.front();
  only.platform.reset();
  only.annotations.clear();
  return only;
}

}  // namespace

Kind RegistryClient::push_blob(const Reference& repository, const Descriptor& blob,
                               const BlobStore& store, const PushOptions& options,
                               const std::stop_token& stop) {
  auto tell = [&](Kind kind, std::uint64_t bytes) {
    if (!options.progress) return;
    std::lock_guard one(state_->progress);
    options.progress({kind, blob.digest, bytes, blob.size});
  };
  auto access = state_->access(repository.host, stop);
  std::vector<std::string> scopes{push_scope(repository.repository)};
  tell(Kind::started, 0);
  HttpResponse head = state_->send(
      *access,
      upload_call("HEAD", fmt::format("/v2/{}/blobs/{}", repository.repository, blob.digest),
                  scopes),
      stop);
  if (head.ok()) {
    tell(Kind::exists, blob.size);
    return Kind::exists;
  }
  std::string start = fmt::format("/v2/{}/blobs/uploads/", repository.repository);
  HttpResponse begun;
  for (const std::string& from : options.mount_from) {
    if (from == repository.repository) continue;
    auto both = scopes;
    both.push_back(pull_scope(from));
    begun = state_->send(
        *access,
        upload_call("POST",
                    start + "?" + net::print_query({{"mount", blob.digest.str()}, {"from", from}}),
                    both),
        stop);
    if (begun.status == 201) {
      tell(Kind::mounted, blob.size);
      return Kind::mounted;
    }
    if (begun.status == 202) break;  // may be used for the upload
  }
  os::Fd file = store.open(blob.digest);
  bool was_begun = false;
  HttpResponse done = state_->insist(
      fmt::format("blob {}", blob.digest), Deadline::never(), stop,
      [&] {
        if (begun.status != 202)
          begun = state_->send(*access, upload_call("POST", start, scopes), stop);
        was_begun = begun.status == 202;
        if (!was_begun) return begun;
        RegistryRequest put =
            upload_call("PUT", with_digest(begun.headers.get("Location"), blob.digest), scopes);
        put.headers.set("Content-Type", "application/octet-stream");
        put.exchange.file = {.fd = file.get(),
                             .size = blob.size,
                             .progress = [&](std::uint64_t bytes) { tell(Kind::progress, bytes); }};
        put.deadline =
            Deadline::in(std::chrono::minutes(5) +
                         std::chrono::seconds(static_cast<long long>(blob.size / 50'000)));
        put.may_repeat = false;
        begun = {};  // what a broken-off body left in the upload is not known: the next begins anew
        begun.status = 0;
        return state_->send(*access, put, stop);
      },
      [&](int status) { return was_begun && (status == 404 || status == 416); });
  if (!was_begun || (done.status != 201 && done.status != 204))
    throw_refusal(done, repository.host);
  tell(Kind::done, blob.size);
  return Kind::done;
}

// As docker pushes: POST, PATCH with a body of unknown length, PUT with the digest.
void RegistryClient::stream_blob(const Reference& repository, BlobProgress& blob,
                                 const std::stop_token& stop) {
  constexpr auto kLongest = std::chrono::hours(6);
  auto access = state_->access(repository.host, stop);
  std::vector<std::string> scopes{push_scope(repository.repository)};
  HttpResponse begun = state_->send(
      *access,
      upload_call("POST", fmt::format("/v2/{}/blobs/uploads/", repository.repository), scopes),
      stop);
  if (begun.status != 202) throw_refusal(begun, repository.host);
  std::string location = begun.headers.get("Location");
  try {
    FollowingReader content(blob, stop);
    RegistryRequest patch = upload_call("PATCH", location, scopes);
    patch.headers.set("Content-Type", "application/octet-stream");
    patch.exchange.upload = &content;
    patch.deadline = Deadline::in(kLongest);
    patch.may_repeat = false;
    HttpResponse sent = state_->send(*access, patch, stop);
    if (sent.status != 202) throw_refusal(sent, repository.host);
    location = sent.headers.get("Location", location);
    HttpResponse done = state_->send(
        *access, upload_call("PUT", with_digest(location, blob.digest().value()), scopes), stop);
    if (done.status != 201 && done.status != 204) throw_refusal(done, repository.host);
  } catch (const Error&) {
    try {
      state_->send(*access, upload_call("DELETE", location, scopes), stop);
    } catch (const Error& error) {
      state_->log.debug("taking an upload back: {}", error.what());
    }
    throw;
  }
}

// Whether a name leads to this manifest. Who may not look is not told: then it is put again, and refused for what it is.
bool RegistryClient::has(const Reference& image, const Digest& digest,
                         const std::stop_token& stop) {
  try {
    auto found = resolve(image, stop);
    return found && found->digest == digest;
  } catch (const Error&) {
    return false;
  }
}

Descriptor RegistryClient::put_manifest(const Reference& image, std::string_view media_type,
                                        std::string_view bytes, const std::stop_token& stop) {
  auto access = state_->access(image.host, stop);
  Descriptor descriptor = describe(bytes, media_type);
  std::string name = image.tag.empty() ? descriptor.digest.str() : image.tag;
  RegistryRequest put =
      upload_call("PUT", fmt::format("/v2/{}/manifests/{}", image.repository, name),
                  {push_scope(image.repository)});
  put.headers.set("Content-Type", media_type);
  put.body = bytes;
  // A tag is not put a second time before it was looked at: where tags are immutable the repetition of what has arrived is refused.
  const bool is_tag = !image.tag.empty();
  put.may_repeat = false;
  put.exchange.fresh_connection = is_tag;  // on one that was used before curl repeats by itself
  bool was_sent = false;
  HttpResponse done =
      state_->insist(fmt::format("manifest {}", descriptor.digest), Deadline::never(), stop, [&] {
        if (std::exchange(was_sent, true) && is_tag && has(image, descriptor.digest, stop)) {
          HttpResponse arrived;
          arrived.status = 201;
          return arrived;
        }
        return state_->send(*access, put, stop);
      });
  if (!done.ok()) throw_refusal(done, image.host);
  auto said = Digest::try_parse(done.headers.get("Docker-Content-Digest"));
  if (said && said->algorithm() == descriptor.digest.algorithm() && *said != descriptor.digest) {
    fail(Fault::bad_input, "the registry stored the manifest as {}, but it is {}", *said,
         descriptor.digest);
  }
  auto document = parse_manifest_or_index(bytes, media_type);
  const auto& subject = std::visit(
      [](const auto& any) -> const std::optional<Descriptor>& { return any.subject; }, document);
  if (subject && !done.headers.contains("OCI-Subject"))
    add_to_fallback_tag(image, subject->digest, descriptor, document, stop);
  return descriptor;
}

// source OCI distribution-spec 1.1, "Pushing Manifests with Subject": pull, modify, push.
void RegistryClient::add_to_fallback_tag(const Reference& image, const Digest& subject,
                                         Descriptor entry,
                                         const std::variant<Manifest, Index>& document,
                                         const std::stop_token& stop) {
  Reference fallback{image.host, image.repository, fallback_tag(subject), std::nullopt};
  entry.annotations = std::visit([](const auto& any) { return any.annotations; }, document);
  entry.artifact_type = std::visit([](const auto& any) { return any.artifact_type; }, document);
  if (const auto* manifest = std::get_if<Manifest>(&document);
      manifest && entry.artifact_type.empty()) {
    entry.artifact_type = manifest->config.media_type;
  }
  Index index;
  if (auto found = manifest(fallback, stop); found && is_index_type(found->descriptor.media_type))
    index = parse_index(found->bytes);
  for (const Descriptor& other : index.manifests) {
    if (other.digest == entry.digest) return;
  }
  index.manifests.push_back(std::move(entry));
  put_manifest(fallback, index.media_type, print(index), stop);
}

Descriptor RegistryClient::push(const BlobStore& store, const Descriptor& target,
                                const Reference& image, const PushOptions& options,
                                const std::stop_token& stop) {
  return while_doing(fmt::format("pushing {}", image.familiar()), [&] {
    Descriptor top = whole_target(store, target);
    Upload upload;
    std::set<Digest> seen;
    plan_upload(store, top, upload, seen);
    // The largest first: they decide how long it takes.
    std::stable_sort(upload.blobs.begin(), upload.blobs.end(),
                     [](const auto& a, const auto& b) { return a.size > b.size; });
    for (const Descriptor& blob : upload.blobs) {
      if (!store.has(blob.digest))
        fail(Fault::not_found, "blob {} is not in the store", blob.digest);
    }
    TaskGroup tasks(stop);
    std::atomic<std::size_t> next = 0;
    for (std::size_t i = 0;
         i < std::min<std::size_t>(state_->options.parallel, upload.blobs.size()); ++i) {
      tasks.start([&](const std::stop_token& its_stop) {
        for (std::size_t at = next++; at < upload.blobs.size(); at = next++)
          push_blob(image, upload.blobs[at], store, options, its_stop);
      });
    }
    tasks.join();
    if (stop.stop_requested()) throw Cancelled();
    for (const Descriptor& manifest : upload.manifests) {
      Reference name{image.host, image.repository, "", std::nullopt};
      if (manifest.digest == top.digest) name.tag = image.tag;
      put_manifest(name, manifest.media_type, store.read(manifest.digest), stop);
    }
    return top;
  });
}

}  // namespace slipway::oci
