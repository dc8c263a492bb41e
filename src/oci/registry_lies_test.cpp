// SPDX-License-Identifier: Apache-2.0
// Registries that lie about digests, sizes, types and realms: what they say is not believed, and nobody else gets our credentials.
#include <doctest/doctest.h>

#include "base/error.hpp"
#include "formats/gzip.hpp"
#include "formats/tar.hpp"
#include "net/test_server.hpp"
#include "oci/registry_auth.hpp"
#include "oci/registry_client.hpp"

namespace slipway::oci {
namespace {

using net::HttpResponse;

// A host that answers what a test tells it to, and notes who came with which credentials.
class Liar final {
 public:
  using Answer = std::function<void(net::ServerRequest&, net::ResponseWriter&)>;

  std::string host() const { return server_.address(); }
  /// The same server under another name of this machine.
  std::string elsewhere() const { return "localhost" + host().substr(host().find(':')); }
  void say(const std::string& method_and_path, HttpResponse response) {
    act(method_and_path,
        [response](net::ServerRequest&, net::ResponseWriter& out) { out.send(response); });
  }
  void act(const std::string& method_and_path, Answer answer) {
    state_.with([&](State& state) { state.answers[method_and_path] = std::move(answer); });
  }
  /// How often it was asked; what it was told as Authorization.
  std::size_t asked() const {
    return state_.read([](const State& state) { return state.heard.size(); });
  }
  std::vector<std::string> heard() const {
    return state_.read([](const State& state) { return state.heard; });
  }

 private:
  struct State {
    std::map<std::string, Answer> answers;
    std::vector<std::string> heard;
  };
  void answer(net::ServerRequest& request, net::ResponseWriter& response) {
    Answer chosen = state_.with([&](State& state) {
      state.heard.push_back(request.headers.get("Authorization"));
      auto found = state.answers.find(request.method + " " + request.path);
      return found == state.answers.end() ? Answer() : found->second;
    });
    if (chosen) return chosen(request, response);
    response.send(net::text_response(404, "nothing here"));
  }

  Guarded<State> state_;
  net::TestServer server_{[this](net::ServerRequest& request, net::ResponseWriter& response) {
    answer(request, response);
  }};
};

// An image as the registry would honestly give it, to be changed by the tests.
struct Honest {
  std::string tar = [] {
    formats::StringWriter out;
    formats::TarWriter writer(out);
    writer.add({.path = "file"}, std::string(5000, 'x') + "end");
    writer.finish();
    return out.text();
  }();
  std::string layer = formats::gzip(tar);
  std::string config = [this] {
    ImageConfig made;
    made.platform = Platform::host();
    made.diff_ids = {Digest::of(tar)};
    return print(made);
  }();
  Manifest manifest = [this] {
    Manifest made;
    made.config = describe(config, media_type::kConfig);
    made.layers = {describe(layer, media_type::kLayerGzip)};
    return made;
  }();

  void served_by(Liar& registry) const {
    std::string bytes = print(manifest);
    registry.say("GET /v2/r/manifests/v",
                 {200, {{"Content-Type", std::string(media_type::kManifest)}}, bytes});
    registry.say("GET /v2/r/blobs/" + Digest::of(config).str(), {200, {}, config});
    registry.say("GET /v2/r/blobs/" + Digest::of(layer).str(), {200, {}, layer});
  }
  std::string layer_path() const { return "GET /v2/r/blobs/" + Digest::of(layer).str(); }
};

// Our side: a store that must not take any of it.
struct Believer {
  os::TempDir dir;
  BlobStore store{dir.path() / "store"};
  LayerCache layers{dir.path() / "cache"};
  NoLog log;
  int credentials_asked = 0;

  RegistryClient client() {
    RegistryClientOptions options;
    options.endpoints = {{.pattern = "*", .plain_http = true}};
    options.credentials = [this](const std::string&) -> std::optional<Credentials> {
      ++credentials_asked;
      return Credentials{"ann", "secret", ""};
    };
    return RegistryClient(options, log);
  }
  std::string problem_of_pull(const Liar& registry, const std::string& name = "r:v") {
    try {
      client().pull(Reference::parse(registry.host() + "/" + name), store, {.unpack_into = &layers},
                    {});
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  bool has_nothing() const {
    return store.tags().empty() && std::filesystem::is_empty(store.root() / "ingest");
  }
};

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

const std::string kBasicSecret = "Basic YW5uOnNlY3JldA==";  // ann:secret

TEST_CASE("an honest registry's image is taken: the lies below are what fails") {
  Liar registry;
  Honest image;
  image.served_by(registry);
  Believer us;
  CHECK(us.problem_of_pull(registry) == "");
  CHECK(us.store.tags().size() == 1);
}

TEST_CASE("a layer that is not its digest or not its size does not get into the store") {
  Honest image;
  std::string other = image.layer;
  other[other.size() / 2] = static_cast<char>(other[other.size() / 2] ^ 1);
  for (const std::string& body :
       {other, image.layer + "x", image.layer.substr(0, image.layer.size() - 1), std::string()}) {
    Liar registry;
    image.served_by(registry);
    registry.say(image.layer_path(), {200, {}, body});
    Believer us;
    CHECK(us.problem_of_pull(registry) != "");
    CHECK_FALSE(us.store.has(Digest::of(image.layer)));
    CHECK_FALSE(us.store.has(Digest::of(body)));
    CHECK_FALSE(us.layers.find({Digest::of(image.tar)}));
    CHECK(us.has_nothing());
  }
}

TEST_CASE("a layer that never ends is cut off at the size it should have") {
  Liar registry;
  Honest image;
  image.served_by(registry);
  std::atomic<std::uint64_t> sent = 0;
  registry.act(image.layer_path(), [&](net::ServerRequest&, net::ResponseWriter& out) {
    formats::Writer& body = out.start(200, {});
    const std::string piece(64u << 10, 'y');
    for (;; sent += piece.size()) body.write(piece);  // until nobody listens
  });
  Believer us;
  CHECK(contains(us.problem_of_pull(registry), "longer than"));
  CHECK(sent < (256u << 20));
  CHECK(us.has_nothing());
}

TEST_CASE(
    "a blob that our own disk does not take is not asked for again, and the disk's trouble is "
    "told") {
  struct Full final : formats::Writer {
    void write(std::string_view) override { fail(Fault::unavailable, "No space left on device"); }
  } full;
  Liar registry;
  Honest honest;
  honest.served_by(registry);
  Believer believer;
  std::string problem;
  try {
    believer.client().fetch_blob(Reference::parse(registry.host() + "/r:v"),
                                 honest.manifest.layers[0], full, {});
  } catch (const Error& error) {
    problem = error.what();
  }
  CHECK(problem == "No space left on device");
  CHECK(registry.asked() == 1);
}

TEST_CASE("a range that begins elsewhere than was asked does not pass") {
  Liar registry;
  Honest image;
  image.served_by(registry);
  std::atomic<int> times = 0;
  registry.act(image.layer_path(), [&](net::ServerRequest& request, net::ResponseWriter& out) {
    if (times++ == 0) {  // breaks off in the middle
      formats::Writer& body = out.start(200, {}, image.layer.size());
      body.write(std::string_view(image.layer).substr(0, 50));
      fail(Fault::unavailable, "gone");
    }
    CHECK(request.headers.get("Range") == "bytes=50-");
    out.send({206, {{"Content-Range", "bytes 40-99/100"}}, image.layer.substr(40)});
  });
  Believer us;
  CHECK(us.problem_of_pull(registry) != "");
  CHECK(times >= 2);
  CHECK(us.has_nothing());
}

TEST_CASE("a manifest that is not the digest it was asked by, or is called by, is refused") {
  Liar registry;
  Honest image;
  image.served_by(registry);
  std::string bytes = print(image.manifest);
  const std::string type(media_type::kManifest);
  std::string asked = Digest::of("another").str();
  registry.say("GET /v2/r/manifests/" + asked, {200, {{"Content-Type", type}}, bytes});
  Believer us;
  CHECK(contains(us.problem_of_pull(registry, "r@" + asked), "asked for manifest"));
  registry.say("GET /v2/r/manifests/v",
               {200, {{"Content-Type", type}, {"Docker-Content-Digest", asked}}, bytes});
  CHECK(contains(us.problem_of_pull(registry), "but it is"));
  CHECK(us.has_nothing());
  // A HEAD is not believed either when the digest was named.
  registry.say("HEAD /v2/r/manifests/" + asked,
               {200, {{"Docker-Content-Digest", Digest::of(bytes).str()}}, ""});
  CHECK_THROWS_AS(us.client().resolve(Reference::parse(registry.host() + "/r@" + asked), {}),
                  Error);
}

TEST_CASE("indexes and configurations that do not fit what they lead to are refused") {
  Honest image;
  Believer us;
  Index index;
  index.manifests = {describe(print(image.manifest), media_type::kManifest)};
  index.manifests[0].platform = Platform::host();
  index.manifests[0].size += 1;
  const std::string child = "GET /v2/r/manifests/" + index.manifests[0].digest.str();
  Liar sizes;
  image.served_by(sizes);
  sizes.say("GET /v2/r/manifests/v",
            {200, {{"Content-Type", std::string(media_type::kIndex)}}, print(index)});
  sizes.say(child, {200, {}, print(image.manifest)});
  CHECK(contains(us.problem_of_pull(sizes), "another size"));

  Liar counts;  // more layers than the configuration knows
  image.manifest.layers.push_back(image.manifest.layers[0]);
  image.served_by(counts);
  CHECK(contains(us.problem_of_pull(counts), "2 layers but its configuration lists 1"));

  Liar contents;  // the layer is what the manifest says, but not what the configuration says
  Honest lying;
  ImageConfig config = parse_image_config(lying.config);
  config.diff_ids = {Digest::of("something else")};
  lying.config = print(config);
  lying.manifest.config = describe(lying.config, media_type::kConfig);
  lying.served_by(contents);
  CHECK(us.problem_of_pull(contents) != "");
  CHECK_FALSE(us.layers.find(config.diff_ids));

  Liar types;  // an index that says it is a manifest
  image.served_by(types);
  types.say("GET /v2/r/manifests/v",
            {200, {{"Content-Type", std::string(media_type::kManifest)}}, print(index)});
  CHECK(us.problem_of_pull(types) != "");

  Liar known;  // a blob that we have, with another size
  Honest again;
  us.store.put(again.layer);
  again.manifest.layers[0].size = 1;
  again.served_by(known);
  CHECK(contains(us.problem_of_pull(known), "size"));
  CHECK(us.has_nothing());
}

TEST_CASE("answers without end are cut off: manifests, tags that lead in circles") {
  Liar registry;
  registry.act("GET /v2/r/manifests/v", [&](net::ServerRequest&, net::ResponseWriter& out) {
    formats::Writer& body = out.start(200, {});
    for (const std::string piece(1u << 20, ' ');;) body.write(piece);
  });
  Believer us;
  CHECK(us.problem_of_pull(registry) != "");
  for (const char* page : {R"({"tags":["a"]})", R"({"tags":[]})"}) {
    registry.say("GET /v2/r/tags/list", {200, {{"Link", "</v2/r/tags/list>; rel=\"next\""}}, page});
    CHECK(us.client().tags(Reference::parse(registry.host() + "/r"), {}).size() <= 1);
  }
}

TEST_CASE("a realm of another domain gets neither credentials nor a visit") {
  Liar registry;
  Liar thief;
  for (const std::string& name : {std::string("v"), Digest::of("x").str()}) {
    registry.say("GET /v2/r/manifests/" + name,
                 {401,
                  {{"WWW-Authenticate", fmt::format(R"(Bearer realm="http://{}/token",service="s")",
                                                    thief.elsewhere())}},
                  ""});
  }
  Believer us;
  CHECK(contains(us.problem_of_pull(registry), "not its own domain: refused"));
  CHECK(thief.asked() == 0);

  // Nor by a redirect of the realm that is its own.
  Liar redirecting;
  redirecting.say(
      "GET /v2/r/manifests/v",
      {401,
       {{"WWW-Authenticate", fmt::format(R"(Bearer realm="http://{}/token")", redirecting.host())}},
       ""});
  redirecting.say("GET /token", {302, {{"Location", "http://" + thief.elsewhere() + "/t"}}, ""});
  CHECK(us.problem_of_pull(redirecting) != "");
  CHECK(thief.asked() == 0);
}

TEST_CASE("whom a registry may send its users to") {
  auto trusted = [](const char* registry, const char* realm) {
    return is_trusted_realm(*net::parse_url(registry), *net::parse_url(realm));
  };
  CHECK(trusted("https://registry-1.docker.io/", "https://auth.docker.io/token"));
  CHECK(trusted("https://registry.gitlab.com/", "https://gitlab.com/jwt/auth"));
  CHECK(trusted("https://ghcr.io/", "https://ghcr.io/token"));
  CHECK_FALSE(trusted("https://ghcr.io/", "http://ghcr.io/token"));
  CHECK_FALSE(trusted("https://ghcr.io/", "https://evil.io/token"));
  CHECK_FALSE(trusted("https://registry.example.com/", "https://example.com.evil.org/token"));
  CHECK_FALSE(trusted("https://registry.example.com/", "https://notexample.com/token"));
  CHECK_FALSE(trusted("https://shop.co.uk/", "https://evil.co.uk/token"));
  CHECK_FALSE(trusted("https://10.0.0.1/", "https://10.0.0.2/token"));
  CHECK_FALSE(trusted("https://registry/", "https://evil.registry/token"));
  CHECK_FALSE(trusted("https://registry.example.com/", "https://169.254.169.254/token"));
}

TEST_CASE("credentials stay with the registry when it leads elsewhere: downloads and uploads") {
  Liar registry;
  Liar storage;
  Honest image;
  image.served_by(registry);
  auto behind_password = [](HttpResponse answer) {
    return [answer](net::ServerRequest& request, net::ResponseWriter& out) {
      if (request.headers.get("Authorization") != kBasicSecret)
        return out.send({401, {{"WWW-Authenticate", R"(Basic realm="r")"}}, ""});
      out.send(answer);
    };
  };
  registry.act(image.layer_path(),
               behind_password({307, {{"Location", "http://" + storage.elsewhere() + "/b"}}, ""}));
  storage.say("GET /b", {200, {}, image.layer});
  Believer us;
  CHECK(us.problem_of_pull(registry) == "");
  CHECK(storage.heard() == std::vector<std::string>{""});
  CHECK(registry.heard().back() == kBasicSecret);

  registry.act("POST /v2/r/blobs/uploads/",
               behind_password({202, {{"Location", "http://" + storage.elsewhere() + "/up"}}, ""}));
  storage.say("PUT /up", {201, {}, ""});
  us.client().push_blob(Reference::parse(registry.host() + "/r:v"), image.manifest.layers[0],
                        us.store, {}, {});
  CHECK(storage.heard() == std::vector<std::string>{"", ""});
}

TEST_CASE("a registry that stores a pushed manifest as something else is not believed") {
  Liar registry;
  Honest image;
  registry.say("PUT /v2/r/manifests/v",
               {201, {{"Docker-Content-Digest", Digest::of("other").str()}}, ""});
  Believer us;
  CHECK_THROWS_AS(us.client().put_manifest(Reference::parse(registry.host() + "/r:v"),
                                           media_type::kManifest, print(image.manifest), {}),
                  Error);
}

TEST_CASE(
    "an answer that is lost after the manifest was stored under its tag does not put it again") {
  Liar registry;
  Honest image;
  int puts = 0;
  bool is_stored = false;
  bool arrives = true;
  registry.act("PUT /v2/r/manifests/v", [&](net::ServerRequest&, net::ResponseWriter& out) {
    if (++puts > 1 && is_stored)  // as where tags are immutable
      return out.send({400, {}, R"({"errors":[{"code":"TAG_INVALID","message":"immutable"}]})"});
    is_stored = arrives;
    out.send({arrives ? 502 : 503, {}, ""});
    arrives = true;
  });
  registry.act("HEAD /v2/r/manifests/v", [&](net::ServerRequest&, net::ResponseWriter& out) {
    if (!is_stored) return out.send(net::text_response(404, ""));
    out.send({200,
              {{"Content-Type", std::string(media_type::kManifest)},
               {"Docker-Content-Digest", Digest::of(print(image.manifest)).str()},
               {"Content-Length", std::to_string(print(image.manifest).size())}},
              ""});
  });
  Believer us;
  auto put = [&] {
    return us.client()
        .put_manifest(Reference::parse(registry.host() + "/r:v"), media_type::kManifest,
                      print(image.manifest), {})
        .digest;
  };
  CHECK(put() == Digest::of(print(image.manifest)));
  CHECK(puts == 1);

  puts = 0;
  is_stored = false;
  arrives = false;  // the first one does not; the second one's answer is lost
  CHECK(put() == Digest::of(print(image.manifest)));
  CHECK(puts == 2);
}

}  // namespace
}  // namespace slipway::oci
