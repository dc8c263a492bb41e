// SPDX-License-Identifier: Apache-2.0
// Images that come in a tar, and tars that only look like it.
#include <doctest/doctest.h>

#include "base/error.hpp"
#include "formats/json.hpp"
#include "formats/tar.hpp"
#include "oci/layout.hpp"
#include "os/file.hpp"

namespace slipway::oci {
namespace {

using formats::Json;
using formats::TarType;

// An archive as `docker save` or an OCI layout has it, to be changed by the tests.
struct Archive {
  struct File {
    std::string content;
    TarType type = TarType::file;
    std::string link;
  };
  std::map<std::string, File> files;

  static std::string layer() {
    formats::StringWriter out;
    formats::TarWriter tar(out);
    tar.add({.path = "hello"}, "world");
    tar.finish();
    return out.text();
  }
  static std::string config() {
    ImageConfig made;
    made.platform = Platform::host();
    made.diff_ids = {Digest::of(layer())};
    return print(made);
  }
  void blob(const std::string& content) {
    files["blobs/sha256/" + std::string(Digest::of(content).hex())] = {content};
  }
  static Archive oci(const std::string& config = Archive::config()) {
    Archive made;
    Manifest manifest;
    manifest.config = describe(config, media_type::kConfig);
    manifest.layers = {describe(layer(), media_type::kLayer)};
    Index index;
    index.manifests = {describe(print(manifest), media_type::kManifest)};
    for (const std::string& content : {config, layer(), print(manifest)}) made.blob(content);
    made.files["index.json"] = {print(index)};
    made.files["oci-layout"] = {R"({"imageLayoutVersion":"1.0.0"})"};
    return made;
  }
  static Archive docker(const std::string& config_name = "c.json") {
    Archive made;
    made.files["c.json"] = {config()};
    made.files["l/layer.tar"] = {layer()};
    made.files["manifest.json"] = {
        Json::array({Json::object({{"Config", config_name},
                                   {"RepoTags", Json::array({"app:1"})},
                                   {"Layers", Json::array({"l/layer.tar"})}})})
            .dump()};
    return made;
  }

  // Why it is not taken; empty when it is.
  [[nodiscard]] std::string problem() const {
    formats::StringWriter out;
    formats::TarWriter tar(out);
    for (const auto& [name, file] : files)
      tar.add({.path = name, .type = file.type, .link_target = file.link}, file.content);
    tar.finish();
    os::TempDir dir;
    BlobStore store(dir.path());
    formats::MemoryReader bytes(out.text());
    std::string why;
    try {
      import_archive(bytes, store, "app:1", {});
    } catch (const Error& error) {
      CHECK(error.fault() == Fault::bad_input);
      why = error.what();
    }
    CHECK(std::filesystem::is_empty(dir.path() / "ingest"));
    CHECK(store.tags().empty() == !why.empty());
    return why;
  }
};

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("an OCI layout and docker's own form are taken") {
  CHECK(Archive::oci().problem() == "");
  CHECK(Archive::docker().problem() == "");
}

TEST_CASE("pipes, devices and links that lead out are refused before anything is opened") {
  for (const char* name : {"oci-layout", "index.json"}) {
    Archive archive = Archive::oci();
    archive.files[name] = {"", TarType::fifo};
    CHECK(has(archive.problem(), std::string(name) + "' is neither a file nor a directory"));
    archive.files[name] = {"", TarType::symlink, "/etc/passwd"};
    CHECK(has(archive.problem(), "leads out of the archive"));
  }
  Archive archive = Archive::docker();
  archive.files["manifest.json"] = {"", TarType::fifo};
  CHECK(has(archive.problem(), "neither a file nor a directory"));
  CHECK(has(Archive::docker("../../etc/passwd").problem(), "leads out of the archive"));
  CHECK(has(Archive::docker("/etc/passwd").problem(), "leads out of the archive"));
}

TEST_CASE("a configuration that is none, and contents that are not their names, are refused") {
  CHECK(has(Archive::oci("not JSON").problem(), "configuration"));
  Archive archive = Archive::oci();
  archive.files["blobs/sha256/" + std::string(Digest::of(Archive::layer()).hex())] = {"other"};
  CHECK(has(archive.problem(), "is damaged"));
  Archive lying = Archive::docker();
  lying.files["l/layer.tar"] = {"other"};
  CHECK(lying.problem() != "");
}

}  // namespace
}  // namespace slipway::oci
