// SPDX-License-Identifier: Apache-2.0
#include "cloud/s3/store.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/sha256.hpp"
#include "os/file.hpp"

namespace slipway::cloud::s3 {
namespace {

constexpr std::string_view kBucket = "s3.bucket";
constexpr std::string_view kObject = "s3.object";
constexpr std::string_view kUpload = "s3.upload";
const Scope kEverywhere{"", ""};  // bucket names are one namespace
constexpr std::size_t kPiece = 256u << 10;

class Md5 final {
 public:
  Md5() : context_(EVP_MD_CTX_new()) {
    if (context_ == nullptr || EVP_DigestInit_ex(context_, EVP_md5(), nullptr) != 1)
      fail(Fault::unavailable, "OpenSSL has no MD5");
  }
  Md5(const Md5&) = delete;
  Md5& operator=(const Md5&) = delete;
  ~Md5() { EVP_MD_CTX_free(context_); }
  void update(std::string_view bytes) { EVP_DigestUpdate(context_, bytes.data(), bytes.size()); }
  std::string hex_digest() {
    std::array<unsigned char, 16> sum{};
    EVP_DigestFinal_ex(context_, sum.data(), nullptr);
    return hex({reinterpret_cast<const char*>(sum.data()), sum.size()});
  }

 private:
  EVP_MD_CTX* context_;
};

Json stored_object(const Object& object) {
  return Json::object({{"size", static_cast<std::int64_t>(object.size)},
                       {"etag", object.etag},
                       {"modified", object.modified_ms},
                       {"headers", object.headers},
                       {"file", object.file},
                       {"tags", object.tags}});
}

Object object_from(const std::string& key, const Json& json) {
  return {.key = key,
          .size = static_cast<std::uint64_t>(json.get_int("size")),
          .etag = json.get_string("etag"),
          .modified_ms = json.get_int("modified"),
          .headers = json.at("headers"),
          .file = json.get_string("file"),
          .tags = Json(json.get_array("tags"))};
}

}  // namespace

std::string md5_hex(std::string_view bytes) {
  Md5 md5;
  md5.update(bytes);
  return md5.hex_digest();
}

Incoming::Incoming(const std::filesystem::path& data) : data_(data), name_(uuid()) {
  os::make_dirs(data_);
  fd_ = os::open_file((data_ / name_).string(), O_RDWR | O_CREAT | O_EXCL);
}

Incoming::~Incoming() {
  std::error_code none;
  if (!is_kept_) std::filesystem::remove(data_ / name_, none);
}

void Incoming::read(formats::Reader& reader) {
  Md5 md5;
  formats::Sha256 sha256;
  formats::FdWriter writer(fd_.get());
  std::string buffer(kPiece, '\0');
  while (std::size_t got = reader.read(buffer)) {
    std::string_view bytes(buffer.data(), got);
    md5.update(bytes);
    sha256.update(bytes);
    writer.write(bytes);
    size_ += got;
  }
  md5_ = md5.hex_digest();
  sha256_ = sha256.hex();
}

std::string Incoming::keep() {
  if (::fsync(fd_.get()) != 0) os::throw_errno("fsync '" + (data_ / name_).string() + "'");
  os::sync_directory(data_);
  is_kept_ = true;
  return name_;
}

Store::Store(State& state, std::filesystem::path directory)
    : state_(state), data_(std::move(directory)) {}

std::optional<Json> Store::bucket(const std::string& name) {
  return state_.read([&](Tables& tables) { return tables.get(kBucket, kEverywhere, name); });
}

bool Store::create_bucket(const std::string& name, const Scope& owner, std::int64_t now_ms) {
  return state_.write([&](Tables& tables) {
    if (tables.get(kBucket, kEverywhere, name)) return false;
    tables.put(kBucket, kEverywhere, name,
               Json::object(
                   {{"account", owner.account}, {"region", owner.region}, {"createdMs", now_ms}}));
    return true;
  });
}

std::vector<std::pair<std::string, Json>> Store::buckets(const std::string& account) {
  std::vector<std::pair<std::string, Json>> out;
  for (auto& each :
       state_.read([&](Tables& tables) { return tables.list(kBucket, kEverywhere); })) {
    if (each.body.get_string("account") == account) out.emplace_back(each.id, std::move(each.body));
  }
  return out;
}

bool Store::delete_bucket(const std::string& name) {
  return state_.write([&](Tables& tables) {
    if (!tables.list(kObject, kEverywhere, name + "/", {}, 1).empty()) return false;
    tables.erase(kBucket, kEverywhere, name);
    return true;
  });
}

std::optional<Object> Store::find(const std::string& bucket, const std::string& key) {
  auto stored = state_.read(
      [&](Tables& tables) { return tables.get(kObject, kEverywhere, bucket + "/" + key); });
  return stored ? std::optional(object_from(key, *stored)) : std::nullopt;
}

void Store::put(const std::string& bucket, const Object& object) {
  auto before = state_.write([&](Tables& tables) {
    std::string id = bucket + "/" + object.key;
    auto old = tables.get(kObject, kEverywhere, id);
    tables.put(kObject, kEverywhere, id, stored_object(object));
    return old;
  });
  std::error_code none;
  if (before && before->get_string("file") != object.file)
    std::filesystem::remove(data_ / before->get_string("file"), none);
}

bool Store::erase(const std::string& bucket, const std::string& key) {
  auto before = state_.write([&](Tables& tables) {
    auto old = tables.get(kObject, kEverywhere, bucket + "/" + key);
    tables.erase(kObject, kEverywhere, bucket + "/" + key);
    return old;
  });
  std::error_code none;
  if (before) std::filesystem::remove(data_ / before->get_string("file"), none);
  return before.has_value();
}

std::vector<Object> Store::list(const std::string& bucket, const std::string& prefix,
                                const std::string& after, std::size_t limit) {
  std::vector<Object> out;
  std::string from = after.empty() ? "" : bucket + "/" + after;
  for (auto& each : state_.read([&](Tables& tables) {
         return tables.list(kObject, kEverywhere, bucket + "/" + prefix, from, limit);
       }))
    out.push_back(object_from(each.id.substr(bucket.size() + 1), each.body));
  return out;
}

os::Fd Store::open(const Object& object) const {
  return os::open_file((data_ / object.file).string(), O_RDONLY);
}

std::string Store::begin_upload(const std::string& bucket, const std::string& key,
                                const Json& headers) {
  std::string id = hex(random_bytes(32));
  state_.write([&](Tables& tables) {
    tables.put(
        kUpload, kEverywhere, id,
        Json::object(
            {{"bucket", bucket}, {"key", key}, {"headers", headers}, {"parts", Json::object()}}));
  });
  return id;
}

std::optional<Json> Store::upload(const std::string& id) {
  return state_.read([&](Tables& tables) { return tables.get(kUpload, kEverywhere, id); });
}

void Store::put_part(const std::string& id, int number, const std::string& file,
                     const std::string& etag, std::uint64_t size) {
  std::string old = state_.write([&](Tables& tables) {
    auto upload = tables.get(kUpload, kEverywhere, id);
    if (!upload) fail(Fault::not_found, "the upload is gone");
    std::string slot = fmt::format("{:05}", number);
    Json& parts = (*upload)["parts"];
    std::string before = parts.contains(slot) ? parts.at(slot).get_string("file") : "";
    parts[slot] =
        Json::object({{"file", file}, {"etag", etag}, {"size", static_cast<std::int64_t>(size)}});
    tables.put(kUpload, kEverywhere, id, *upload);
    return before;
  });
  std::error_code none;
  if (!old.empty()) std::filesystem::remove(data_ / old, none);
}

void Store::end_upload(const std::string& id) {
  auto upload = state_.write([&](Tables& tables) {
    auto found = tables.get(kUpload, kEverywhere, id);
    tables.erase(kUpload, kEverywhere, id);
    return found;
  });
  if (!upload) return;
  std::error_code none;
  for (const auto& [slot, part] : upload->at("parts").as_object())
    std::filesystem::remove(data_ / part.get_string("file"), none);
}

std::vector<std::pair<std::string, Json>> Store::uploads(const std::string& bucket) {
  std::vector<std::pair<std::string, Json>> out;
  for (auto& each :
       state_.read([&](Tables& tables) { return tables.list(kUpload, kEverywhere); })) {
    if (each.body.get_string("bucket") == bucket) out.emplace_back(each.id, std::move(each.body));
  }
  return out;
}

}  // namespace slipway::cloud::s3
