// SPDX-License-Identifier: Apache-2.0
// Manifests into a registry: what they must be before they are kept, and what refers to them.
#include "base/error.hpp"
#include "formats/json.hpp"
#include "oci/manifest_json.hpp"
#include "oci/reference.hpp"
#include "oci/registry_state.hpp"

namespace slipway::oci {
namespace {

using formats::Database;
using formats::Json;
using formats::Statement;
using formats::Transaction;

using Document = std::variant<Manifest, Index>;

Document read_document(const ManifestPush& push) {
  try {
    return parse_manifest_or_index(push.bytes, push.media_type);
  } catch (const Error& error) {
    throw RegistryRefusal(400, "MANIFEST_INVALID",
                          fmt::format("manifest invalid: {}", error.what()));
  }
}

Digest digest_of(const ManifestPush& push) {
  Digester digester(push.digest ? push.digest->algorithm() : "sha256");
  digester.update(push.bytes);
  Digest digest = digester.digest();
  if (push.digest && *push.digest != digest) {
    throw RegistryRefusal(
        400, "DIGEST_INVALID",
        fmt::format("provided digest did not match uploaded content: it is {}", digest),
        push.digest->str());
  }
  return digest;
}

void check_blob(Database& database, std::string_view repository, const Descriptor& blob) {
  Statement row = database.prepare("SELECT size FROM blobs WHERE repository = ? AND digest = ?");
  if (!row.bind(repository, blob.digest.str()).step()) {
    throw RegistryRefusal(400, "MANIFEST_BLOB_UNKNOWN",
                          "manifest blob unknown: blob unknown to registry", blob.digest.str());
  }
  if (static_cast<std::uint64_t>(row.get_int(0)) != blob.size) {
    throw RegistryRefusal(400, "MANIFEST_INVALID",
                          fmt::format("manifest invalid: it says {} bytes of a blob that has {}",
                                      blob.size, row.get_int(0)),
                          blob.digest.str());
  }
}

void check_children(Database& database, std::string_view repository, const Document& document) {
  if (const auto* manifest = std::get_if<Manifest>(&document)) {
    check_blob(database, repository, manifest->config);
    for (const Descriptor& layer : manifest->layers) {
      if (!is_foreign_layer_type(layer.media_type)) check_blob(database, repository, layer);
    }
    return;
  }
  Statement row = database.prepare("SELECT 1 FROM manifests WHERE repository = ? AND digest = ?");
  for (const Descriptor& entry : std::get<Index>(document).manifests) {
    if (!row.bind(repository, entry.digest.str()).step()) {
      throw RegistryRefusal(400, "MANIFEST_BLOB_UNKNOWN",
                            "manifest blob unknown: manifest unknown to registry",
                            entry.digest.str());
    }
  }
}

// source OCI distribution-spec 1.1, "Listing Referrers": the manifest's own type, else its
// configuration's.
std::string artifact_type_of(const Document& document) {
  if (const auto* index = std::get_if<Index>(&document)) return index->artifact_type;
  const auto& manifest = std::get<Manifest>(document);
  return manifest.artifact_type.empty() ? manifest.config.media_type : manifest.artifact_type;
}

std::string print_annotations(const Document& document) {
  Json json = Json::object();
  const Annotations& annotations =
      std::visit([](const auto& any) -> const Annotations& { return any.annotations; }, document);
  for (const auto& [name, text] : annotations) json[name] = text;
  return json.dump();
}

std::optional<std::string> tag_target(Database& database, const ManifestPush& push) {
  Statement row = database.prepare("SELECT digest FROM tags WHERE repository = ? AND tag = ?");
  if (!row.bind(push.repository, push.tag).step()) return std::nullopt;
  return row.get_text(0);
}

// May the tag be set? What it led to until now.
std::optional<std::string> check_tag(Database& database, const ManifestPush& push) {
  if (push.tag.empty()) return std::nullopt;
  auto before = tag_target(database, push);
  if (push.if_match && before != push.if_match->str()) {
    throw RegistryRefusal(412, "MANIFEST_INVALID", "the tag leads to another manifest by now",
                          push.tag);
  }
  if (push.only_new && before)
    throw RegistryRefusal(412, "MANIFEST_INVALID", "the tag is there by now", push.tag);
  if (before && push.is_immutable)
    throw RegistryRefusal(400, "TAG_INVALID", push.immutable_message, push.tag);
  return before;
}

bool insert_manifest(Database& database, const ManifestPush& push, const Document& document,
                     const PushedManifest& pushed) {
  Statement insert =
      database.prepare("INSERT OR IGNORE INTO manifests VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
  std::string type = std::visit([](const auto& any) { return any.media_type; }, document);
  std::optional<std::string> subject;
  if (pushed.subject) subject = pushed.subject->str();
  insert.bind(push.repository, pushed.digest.str(), type, nullptr, to_millis(formats::now()),
              subject, artifact_type_of(document), print_annotations(document));
  insert.bind_blob(3, push.bytes);
  insert.run();
  return database.changes() > 0;
}

}  // namespace

PushedManifest RegistryStore::put_manifest(const ManifestPush& push) {
  if (!push.tag.empty() && !is_tag(push.tag))
    throw RegistryRefusal(400, "TAG_INVALID", "invalid tag", push.tag.substr(0, 200));
  PushedManifest pushed;
  pushed.digest = digest_of(push);
  Document document = read_document(push);
  const auto& subject = std::visit(
      [](const auto& any) -> const std::optional<Descriptor>& { return any.subject; }, document);
  if (subject) pushed.subject = subject->digest;
  state_->writer.with([&](Database& database) {
    Transaction change(database);
    State::require_repository(database, push.repository);
    auto before = check_tag(database, push);
    if (push.check_children) check_children(database, push.repository, document);
    pushed.is_new = insert_manifest(database, push, document, pushed);
    if (!push.tag.empty()) {
      pushed.moved_tag = before != pushed.digest.str();
      database.run(
          "INSERT INTO tags VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET digest = "
          "excluded.digest, updated = excluded.updated",
          push.repository, push.tag, pushed.digest.str(), to_millis(formats::now()));
    }
    change.commit();
  });
  state_->forget(push.repository);
  return pushed;
}

std::vector<Descriptor> RegistryStore::referrers(std::string_view repository, const Digest& subject,
                                                 std::string_view artifact_type) const {
  return state_->reader.with([&](Database& database) {
    std::vector<Descriptor> result;
    Statement rows = database.prepare(
        "SELECT digest, media_type, length(body), artifact_type, annotations FROM manifests "
        "WHERE repository = ? AND subject = ? ORDER BY rowid");
    rows.bind(repository, subject.str());
    while (rows.step()) {
      Descriptor entry;
      entry.digest = Digest::parse(rows.get_text(0));
      entry.media_type = rows.get_text(1);
      entry.size = static_cast<std::uint64_t>(rows.get_int(2));
      entry.artifact_type = rows.get_text(3);
      if (!artifact_type.empty() && entry.artifact_type != artifact_type) continue;
      const Json annotations = formats::parse_json(rows.get_text(4));
      for (const auto& [name, text] : annotations.as_object())
        entry.annotations[name] = text.as_string();
      result.push_back(std::move(entry));
    }
    return result;
  });
}

}  // namespace slipway::oci
