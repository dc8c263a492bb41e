// SPDX-License-Identifier: Apache-2.0
#include "deploy/image_contents.hpp"

#include <doctest/doctest.h>

#include "deploy/fake_calls.hpp"

using namespace slipway::deploy;
using slipway::aws::Answer;
using slipway::formats::Json;
using slipway::formats::parse_json;

namespace {

const char* const kSbom =
    R"({"_type":"https://in-toto.io/Statement/v0.1","predicateType":"https://spdx.dev/Document","predicate":{"spdxVersion":"SPDX-2.3","packages":[
  {"name":"openssl","versionInfo":"3.0.11-1","externalRefs":[{"referenceType":"cpe23Type","referenceLocator":"cpe:2.3:a"},
    {"referenceType":"purl","referenceLocator":"pkg:deb/debian/openssl@3.0.11-1?arch=amd64"}]},
  {"name":"@types/node","versionInfo":"20.1.0","externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:npm/%40types/node@20.1.0"}]},
  {"name":"lodash","versionInfo":"4.17.21","externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:npm/lodash@4.17.21"}]},
  {"name":"lodash","versionInfo":"3.0.0","externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:npm/lodash@3.0.0"}]},
  {"name":"rootfs"},{"name":"plain","versionInfo":"1"}]}})";

// An ECR with one repository: tag or digest → manifest.
void has_images(FakeCalls& calls, std::map<std::string, std::string> manifests) {
  calls.on("ecr:BatchGetImage", [manifests = std::move(manifests)](const Json& input) {
    const Json& id = input.get_array("imageIds").front();
    auto found = manifests.find(id.get_string("imageTag") + id.get_string("imageDigest"));
    if (found == manifests.end()) return Answer(Json::object({{"images", Json::array()}}));
    return Answer(Json::object(
        {{"images", Json::array({Json::object({{"imageManifest", found->second}})})}}));
  });
}

const char* const kName = "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web:";

}  // namespace

TEST_CASE(
    "an SBOM's packages are known by type and name, whatever the distribution and the version") {
  auto packages = packages_of_sbom(kSbom);
  REQUIRE(packages);
  CHECK(*packages == Packages{{"deb/openssl", {"3.0.11-1"}},
                              {"npm/@types/node", {"20.1.0"}},
                              {"npm/lodash", {"3.0.0", "4.17.21"}},
                              {"plain", {"1"}}});
  auto alone = packages_of_sbom(parse_json(kSbom).at("predicate").dump());
  CHECK(alone == packages);
  for (const char* broken :
       {"", "[]", "{}", R"({"spdxVersion":7})", R"({"spdxVersion":"SPDX-3.0"})",
        R"({"spdxVersion":"SPDX-2.3","packages":[7]})",
        R"({"spdxVersion":"SPDX-2.3","packages":{}})"})
    CHECK_FALSE((packages_of_sbom(broken) && !packages_of_sbom(broken)->empty()));
}

TEST_CASE("of an index the first image's layers count, and the SBOM that is about it") {
  FakeCalls calls;
  has_images(
      calls,
      {{"new",
        R"({"manifests":[{"digest":"sha256:i"},{"digest":"sha256:other","annotations":{"vnd.docker.reference.type":"attestation-manifest","vnd.docker.reference.digest":"sha256:x"}},
          {"digest":"sha256:a","annotations":{"vnd.docker.reference.type":"attestation-manifest","vnd.docker.reference.digest":"sha256:i"}}]})"},
       {"sha256:i",
        R"({"layers":[{"digest":"sha256:1","size":10},{"digest":"sha256:2","size":5}]})"},
       {"sha256:a",
        R"({"layers":[{"digest":"sha256:p","size":3,"annotations":{"in-toto.io/predicate-type":"https://slsa.dev/provenance/v0.2"}},
          {"digest":"sha256:s","size":9,"annotations":{"in-toto.io/predicate-type":"https://spdx.dev/Document"}}]})"}});
  std::vector<std::string> read;
  auto blobs = [&](const EcrImage& image, const std::string& digest, std::int64_t size) {
    read.push_back(image.repository + " " + digest + " " + std::to_string(size));
    return std::optional<std::string>(kSbom);
  };
  auto contents = contents_of(calls, std::string(kName) + "new", blobs, {});
  CHECK(contents.layers == std::map<std::string, std::int64_t>{{"sha256:1", 10}, {"sha256:2", 5}});
  CHECK(read == std::vector<std::string>{"shop/web sha256:s 9"});
  REQUIRE(contents.packages);
  CHECK(contents.packages->size() == 4);
  CHECK_FALSE(contents_of(calls, std::string(kName) + "new", {}, {}).packages);
  CHECK(contents_of(calls, std::string(kName) + "gone", blobs, {}).layers.empty());
  CHECK(contents_of(calls, "docker.io/library/web:1", blobs, {}).layers.empty());
}

TEST_CASE("layers and packages that differ stand below the image, and whole in the JSON") {
  Change change{.place = "web.image", .before = "a", .after = "b", .notes = {}, .details = {}};
  ImageContents before{.layers = {{"sha256:1", 1'000'000}},
                       .packages = Packages{{"deb/ssl", {"1"}}, {"pypi/old", {"2"}}, {"x", {"1"}}}};
  ImageContents after{
      .layers = {{"sha256:1", 1'000'000}, {"sha256:2", 2'500'000}},
      .packages = Packages{{"deb/ssl", {"1.1"}}, {"pypi/new", {"3"}}, {"x", {"1"}}}};
  describe_change(change, before, after);
  CHECK(to_text({change}) ==
        "  ~ web.image: a → b\n      1 of 2 layers are new, 2.5 MB\n      3 of 4 packages differ\n"
        "        ~ deb/ssl 1 → 1.1\n        + pypi/new 3\n        - pypi/old 2\n");
  auto item = to_json({change}).at(0);
  CHECK(item.at("layers").at("new").at(0).get_string("digest") == "sha256:2");
  CHECK(
      item.at("packages") ==
      parse_json(
          R"([{"package":"deb/ssl","before":"1","after":"1.1"},{"package":"pypi/new","after":"3"},{"package":"pypi/old","before":"2"}])"));

  Change same = change;
  same.notes.clear();
  describe_change(same, before, before);
  CHECK(same.notes ==
        std::vector<std::string>{"0 of 1 layers are new, 0.0 MB", "the same 3 packages"});
  Change one_sided = change;
  one_sided.notes.clear();
  describe_change(one_sided, {.layers = {}, .packages = std::nullopt}, after);
  CHECK(one_sided.notes == std::vector<std::string>{
                               "its packages cannot be compared: the image that runs has no SBOM"});

  ImageContents many{.layers = {}, .packages = Packages{}};
  for (int n = 0; n < 30; ++n) (*many.packages)["pypi/p" + std::to_string(n)] = {"1"};
  Change long_one = change;
  long_one.notes.clear();
  describe_change(long_one, {.layers = {}, .packages = Packages{}}, many);
  CHECK(long_one.notes.size() == 22);
  CHECK(long_one.notes.back() == "  and 10 more: --json has all");
}
