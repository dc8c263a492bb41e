// SPDX-License-Identifier: Apache-2.0
#include "image/attest.hpp"

#include <doctest/doctest.h>

#include "os/file.hpp"

using namespace slipway;
using namespace slipway::image;

TEST_CASE("dpkg's and apk's lists give the packages that are installed") {
  auto deb = parse_dpkg(
      "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: "
      "2.36-9\nDescription: C\n library\n\n"
      "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n");
  CHECK(deb == std::vector<Package>{{"deb", "libc6", "2.36-9", "amd64"}});
  CHECK(parse_apk("C:Q1\nP:musl\nV:1.2.4-r2\nA:x86_64\n\nP:busybox\nV:1.36\nA:x86_64\n").size() ==
        2);
  CHECK(parse_dpkg("").empty());
}

TEST_CASE("packages of npm and pip are found by their files") {
  os::TempDir temp;
  auto file = [&](const std::string& path, std::string_view text) {
    os::make_dirs((temp.path() / path).parent_path());
    os::write_file(temp.path() / path, text);
  };
  file("app/node_modules/@scope/x/package.json", R"({"name":"@scope/x","version":"1.0.0"})");
  file("app/node_modules/broken/package.json", "{");
  file("app/package.json", R"({"name":"app","version":"9"})");
  file("usr/lib/python3/dist-packages/idna-3.3.dist-info/METADATA",
       "Metadata-Version: 2.1\nName: idna\nVersion: 3.3\n\ntext: x\n");
  Tree root({temp.path()});
  CHECK(packages_of(root, {}) ==
        std::vector<Package>{{"npm", "@scope/x", "1.0.0", ""}, {"pypi", "idna", "3.3", ""}});
}

TEST_CASE(
    "an SPDX document names each package by its purl, and is the same for the same packages") {
  auto document = spdx_document({{"npm", "@scope/x", "1.0.0", ""}, {"deb", "c++", "1+2", "amd64"}},
                                "sbom", "2026-01-01T00:00:00Z");
  CHECK(document.get_string("spdxVersion") == "SPDX-2.3");
  auto purl = [&](std::size_t i) {
    return document.at("packages")
        .at(i)
        .at("externalRefs")
        .at(std::size_t{0})
        .get_string("referenceLocator");
  };
  CHECK(purl(0) == "pkg:npm/%40scope/x@1.0.0");
  CHECK(purl(1) == "pkg:deb/debian/c++@1%2B2?arch=amd64");
}

TEST_CASE("provenance tells build arguments only with mode=max, and never a secret's value") {
  BuildRequest request{.build_args = {{"TOKEN", "abc"}}, .secrets = {{"s", "hush"}}};
  BuildFacts facts{
      .request = request, .dockerfile = "FROM x\n", .materials = {}, .platform = "linux/amd64"};
  CHECK(provenance(facts, false, "v0.2").dump().find("abc") == std::string::npos);
  auto most = provenance(facts, true, "v0.2");
  CHECK(most.at("invocation").at("parameters").at("args").get_string("build-arg:TOKEN") == "abc");
  CHECK(most.dump().find("hush") == std::string::npos);
  CHECK(provenance(facts, true, "v1").contains("buildDefinition"));
}

TEST_CASE("attestations lie beside their image in an index") {
  os::TempDir temp;
  oci::BlobStore store(temp.path());
  auto image = store.put("{}", oci::media_type::kManifest);
  auto index = oci::parse_index(
      store.read(put_attestations(store, image, oci::Platform::parse("linux/amd64"),
                                  {"docker.io/library/x:1"}, {{kSpdxPredicate, {}}})
                     .digest));
  REQUIRE(index.manifests.size() == 2);
  CHECK(index.manifests[0].digest == image.digest);
  CHECK(index.manifests[1].annotations.at("vnd.docker.reference.digest") == image.digest.str());
  CHECK(index.manifests[1].platform->os == "unknown");
  auto manifest = oci::parse_manifest(store.read(index.manifests[1].digest));
  CHECK(manifest.layers.at(0).media_type == "application/vnd.in-toto+json");
  CHECK(manifest.layers[0].annotations.at("in-toto.io/predicate-type") == kSpdxPredicate);
}
