// SPDX-License-Identifier: Apache-2.0
#include "image/layer_store.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "formats/sha256.hpp"
#include "image/layer.hpp"
#include "image/layer_form.hpp"
#include "oci/unpack.hpp"
#include "os/file.hpp"

namespace slipway::image {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStepMagic = "slipway-step-1";
constexpr std::string_view kReasonMagic = "slipway-reason-1";
constexpr std::string_view kBlobMagic = "slipway-blob-1";

// The lines of a small record file after its first, which must be `magic`; nothing when it is not that, or they are fewer than `count`.
std::optional<std::vector<std::string>> read_record(const fs::path& file, std::string_view magic,
                                                    std::size_t count) {
  auto text = os::read_file_if_exists(file);
  if (!text || !text->ends_with("\n")) return std::nullopt;
  auto lines = split(*text, '\n');
  if (lines.size() < count + 2 || lines[0] != magic) return std::nullopt;
  return std::vector<std::string>(lines.begin() + 1, lines.end() - 1);
}

bool is_hex_name(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

LayerStore::LayerStore(fs::path root) : root_(fs::absolute(root)) {
  for (const char* name : {"steps", "layers", "cache", "hashes", "reasons"})
    os::make_dirs(root_ / name);
}

std::optional<StepRecord> LayerStore::find_step(const std::string& key) const {
  auto lines = read_record(root_ / "steps" / key, kStepMagic, 3);
  if (!lines || !is_hex_name((*lines)[0]) || !is_hex_name((*lines)[1])) return std::nullopt;
  return StepRecord{(*lines)[0], (*lines)[1], (*lines)[2]};
}

void LayerStore::keep_step(const std::string& key, const StepRecord& record) const {
  os::replace_file(
      root_ / "steps" / key,
      fmt::format("{}\n{}\n{}\n{}\n", kStepMagic, record.identity, record.layer, record.created));
}

void LayerStore::touch_step(const std::string& key) const {
  ::utimensat(AT_FDCWD, (root_ / "steps" / key).c_str(), nullptr, 0);
}

std::optional<std::vector<std::string>> LayerStore::find_reason(const std::string& place) const {
  return read_record(root_ / "reasons" / place, kReasonMagic, 3);
}

void LayerStore::keep_reason(const std::string& place,
                             const std::vector<std::string>& reason) const {
  os::write_file(root_ / "reasons" / place,
                 fmt::format("{}\n{}\n{}\n{}\n", kReasonMagic, reason[0], reason[1], reason[2]));
}

std::string LayerStore::new_id() { return hex(random_bytes(16)); }

fs::path LayerStore::begin_layer(const std::string& id) const {
  fs::path made = root_ / "layers" / (id + ".new");
  os::make_dirs(made / "fs");
  os::make_dirs(made / "work");
  if (::chmod((made / "fs").c_str(), 0755) != 0)
    os::throw_errno("chmod '" + (made / "fs").string() + "'");
  return made;
}

fs::path LayerStore::commit_layer(const std::string& id) const {
  fs::path made = root_ / "layers" / (id + ".new");
  fs::path final_place = root_ / "layers" / id;
  os::remove_tree(made / "work");
  os::make_dirs(final_place);
  if (::rename((made / "fs").c_str(), (final_place / "fs").c_str()) != 0)
    os::throw_errno(fmt::format("keeping layer '{}'", final_place.string()));
  os::remove_tree(made);
  return final_place / "fs";
}

void LayerStore::discard_layer(const std::string& id) const {
  os::remove_tree(root_ / "layers" / (id + ".new"));
}

DiscardLayer::~DiscardLayer() {
  try {
    store_.discard_layer(id_);
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch): `slipway prune` removes it
  }
}

std::optional<fs::path> LayerStore::directory(const std::string& id) const {
  std::error_code problem;
  fs::path place = fs::canonical(root_ / "layers" / id / "fs",
                                 problem);  // a link where the layer cache took it over
  if (problem) return std::nullopt;
  return place;
}

std::optional<LayerBlob> LayerStore::find_blob(const std::string& id,
                                               const std::string& kind) const {
  auto lines = read_record(root_ / "layers" / id / ("blob-" + kind), kBlobMagic, 4);
  if (!lines) return std::nullopt;
  auto diff_id = oci::Digest::try_parse((*lines)[0]);
  auto digest = oci::Digest::try_parse((*lines)[1]);
  auto size = to_integer((*lines)[2]);
  if (!diff_id || !digest || !size || *size < 0) return std::nullopt;
  LayerBlob found{
      *diff_id,
      {.media_type = (*lines)[3], .digest = *digest, .size = static_cast<std::uint64_t>(*size)}};
  for (std::size_t i = 4; i < lines->size(); ++i) {
    const std::string& line = (*lines)[i];
    auto equals = line.find('=');
    if (equals == std::string::npos) return std::nullopt;
    found.blob.annotations.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
  return found;
}

void LayerStore::keep_blob(const std::string& id, const std::string& kind,
                           const LayerBlob& blob) const {
  os::make_dirs(root_ / "layers" / id);
  std::string text = fmt::format("{}\n{}\n{}\n{}\n{}\n", kBlobMagic, blob.diff_id.str(),
                                 blob.blob.digest.str(), blob.blob.size, blob.blob.media_type);
  for (const auto& [name, value] : blob.blob.annotations)
    text += fmt::format("{}={}\n", name, value);
  os::replace_file(root_ / "layers" / id / ("blob-" + kind), text);
}

std::vector<std::string> LayerStore::blob_kinds(const std::string& id) const {
  constexpr std::string_view kPrefix = "blob-";
  std::vector<std::string> kinds;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(root_ / "layers" / id, absent)) {
    std::string name = entry.path().filename().string();
    if (name.starts_with(kPrefix)) kinds.push_back(name.substr(kPrefix.size()));
  }
  std::sort(kinds.begin(), kinds.end());
  return kinds;
}

fs::path LayerStore::cache_directory(const std::string& id) const {
  return root_ / "cache" / formats::sha256_hex(id).substr(0, 32);
}

void Layer::set_entries(std::shared_ptr<const Entries> entries) {
  std::lock_guard lock(mutex_);
  entries_ = std::move(entries);
}

void Layer::set_directory(fs::path directory) {
  std::lock_guard lock(mutex_);
  directory_ = std::move(directory);
}

void Layer::hold(std::shared_ptr<os::TempDir> files) {
  std::lock_guard lock(mutex_);
  held_ = std::move(files);
}

bool Layer::is_available() const { return id_.empty() || store_.directory(id_) || known_blob(); }

std::optional<LayerBlob> Layer::known_blob() const {
  for (const auto& kind : store_.blob_kinds(id_)) {
    if (kind.find('-') != std::string::npos) continue;  // its times are not the files' own
    auto known = store_.find_blob(id_, kind);
    if (known && (blobs_.has(known->blob.digest) ||
                  (store_.remote() && store_.remote()->has(known->blob.digest))))
      return known;
  }
  return std::nullopt;
}

void Layer::bring(const LayerBlob& known, const std::stop_token& stop) {
  if (!blobs_.has(known.blob.digest)) store_.remote()->fetch(known.blob, stop);
}

TreeLayer Layer::tree(const std::stop_token& stop) {
  {
    std::lock_guard lock(mutex_);
    if (directory_) return *directory_;
    if (entries_) return entries_;
  }
  return directory(stop);
}

fs::path Layer::directory(const std::stop_token& stop) {
  std::lock_guard lock(mutex_);
  if (directory_) return *directory_;
  if (auto there = store_.directory(id_)) {
    directory_ = there;
    return *there;
  }
  std::string made_id = id_;
  const std::string temporary = LayerStore::new_id();
  DiscardLayer discard(store_, temporary);
  fs::path made = store_.begin_layer(temporary);
  if (entries_) {
    write_directory(*entries_, made / "fs", {store_.root().parent_path()}, stop);
  } else {
    auto known = known_blob();
    if (!known)
      fail(Fault::unavailable, "layer {} of the build cache is gone; build again with --no-cache",
           id_);
    bring(*known, stop);
    auto tar = oci::open_layer(blobs_, known->blob.digest);
    os::Fd root = os::open_file((made / "fs").string(), O_RDONLY | O_DIRECTORY);
    oci::UnpackOptions options;
    options.whiteouts = oci::Whiteouts::overlay;
    oci::apply_layer(*tar, root, options, stop);
  }
  // Another build may have been quicker: its tree is as good.
  std::error_code problem;
  os::make_dirs(store_.root() / "layers" / id_);
  fs::rename(made / "fs", store_.root() / "layers" / id_ / "fs", problem);
  directory_ = store_.directory(id_);
  if (!directory_) fail(Fault::unavailable, "cannot keep layer {}: {}", id_, problem.message());
  return *directory_;
}

LayerBlob Layer::blob(const LayerForm& form, const std::stop_token& stop,
                      const FollowBlob& follow) {
  std::string kind = kind_of(form);
  if (auto known = store_.find_blob(id_, kind); known) {
    bool is_remote = store_.remote() && store_.remote()->has(known->blob.digest);
    if (is_remote) bring(*known, stop);
    if (is_remote || blobs_.has(known->blob.digest)) return *known;
  }
  std::shared_ptr<const Entries> entries;
  std::optional<fs::path> on_disk;
  {
    std::lock_guard lock(mutex_);
    entries = entries_;
    on_disk = directory_;
  }
  if (!entries) {
    if (!on_disk) on_disk = directory(stop);
    entries = std::make_shared<Entries>(read_upper(*on_disk, stop));
  }
  LayerBlob made = put_files_in_form(form, blobs_, *entries, stop, follow);
  store_.keep_blob(id_, kind, made);
  return made;
}

}  // namespace slipway::image
