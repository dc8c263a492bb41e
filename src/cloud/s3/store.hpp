// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cloud/state.hpp"
#include "formats/io.hpp"
#include "os/fd.hpp"

namespace slipway::cloud::s3 {

/// An object as it is kept.
struct Object {
  std::string key;
  std::uint64_t size = 0;
  std::string etag;  ///< 32 hexadecimal digits (of several parts: and "-N"), without quotes
  std::int64_t modified_ms = 0;
  Json headers =
      Json::object();  ///< Content-Type and the like, x-amz-meta-…: name (lower case) -> value
  std::string file;    ///< its name below the store's data
  Json tags = Json::array();  ///< [{Key, Value}]
};

/// Bytes that have arrived, not yet an object; the file goes with it unless it was taken.
class Incoming final {
 public:
  explicit Incoming(const std::filesystem::path& data);
  Incoming(const Incoming&) = delete;
  Incoming& operator=(const Incoming&) = delete;
  ~Incoming();
  /// Takes all of a reader. Once.
  void read(formats::Reader& reader);
  /// On disk for good; returns the file's name.
  std::string keep();
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] const std::string& md5() const { return md5_; }        ///< hexadecimal
  [[nodiscard]] const std::string& sha256() const { return sha256_; }  ///< hexadecimal

 private:
  std::filesystem::path data_;
  std::string name_;
  os::Fd fd_;
  std::uint64_t size_ = 0;
  std::string md5_;
  std::string sha256_;
  bool is_kept_ = false;
};

/// The MD5 of some bytes, hexadecimal.
std::string md5_hex(std::string_view bytes);

/// Buckets and objects: what they are in the state, their bytes in files. A replaced object's file goes at once; readers that have it open
/// keep it.
///   threads  any
class Store final {
 public:
  Store(State& state, std::filesystem::path directory);

  /// {"account", "region", "createdMs"}; nothing when there is no such bucket.
  std::optional<Json> bucket(const std::string& name);
  /// False when it exists already.
  bool create_bucket(const std::string& name, const Scope& owner, std::int64_t now_ms);
  std::vector<std::pair<std::string, Json>> buckets(const std::string& account);
  /// False when it is not empty.
  bool delete_bucket(const std::string& name);

  std::optional<Object> find(const std::string& bucket, const std::string& key);
  /// Creates or replaces.
  void put(const std::string& bucket, const Object& object);
  bool erase(const std::string& bucket, const std::string& key);
  /// In the order of their keys' bytes, after `after`.
  std::vector<Object> list(const std::string& bucket, const std::string& prefix,
                           const std::string& after, std::size_t limit);
  [[nodiscard]] os::Fd open(const Object& object) const;

  // Uploads in parts, by their ids.
  std::string begin_upload(const std::string& bucket, const std::string& key, const Json& headers);
  /// {"bucket", "key", "headers", "parts": {"00001": {"file", "etag", "size"}}}; nothing when there is none.
  std::optional<Json> upload(const std::string& id);
  void put_part(const std::string& id, int number, const std::string& file, const std::string& etag,
                std::uint64_t size);
  void end_upload(const std::string& id);
  std::vector<std::pair<std::string, Json>> uploads(const std::string& bucket);

  [[nodiscard]] const std::filesystem::path& data() const { return data_; }

 private:
  State& state_;
  std::filesystem::path data_;
};

}  // namespace slipway::cloud::s3
