// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/registry_access.hpp"
#include "cli/verbs.hpp"
#include "formats/cosign_key.hpp"
#include "formats/json.hpp"
#include "formats/pkey.hpp"
#include "oci/blob_store.hpp"
#include "oci/layout.hpp"
#include "oci/reference.hpp"
#include "oci/registry_client.hpp"
#include "oci/signature.hpp"
#include "os/file.hpp"

namespace slipway::cli {
namespace {

using formats::Json;
using oci::BlobStore;
using oci::Reference;
namespace fs = std::filesystem;

struct Work {
  const Invocation& call;
  Surroundings& around;
  BlobStore& store;
  oci::Platform platform;
};

const std::string& argument(const Work& work, std::size_t index, const char* what) {
  if (work.call.arguments.size() <= index)
    fail(Fault::bad_input, "{} is missing: see 'slipway image --help'", what);
  return work.call.arguments[index];
}

std::string name_of(const std::string& text) {
  return oci::Digest::try_parse(text) ? text : Reference::parse(text).str();
}

oci::Descriptor find(const Work& work, const std::string& text) {
  auto found = work.store.resolve(name_of(text));
  if (!found)
    fail(Fault::not_found, "no image '{}' in the local store ('slipway image ls' lists them)",
         text);
  return *found;
}

std::string size_text(std::uint64_t bytes) {
  if (bytes >= 1'000'000'000) return fmt::format("{:.2f} GB", static_cast<double>(bytes) / 1e9);
  if (bytes >= 1'000'000) return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
  return fmt::format("{} kB", (bytes + 999) / 1000);
}

std::uint64_t size_of(const BlobStore& store, const oci::Digest& root) {
  std::uint64_t bytes = 0;
  for (const oci::Digest& digest : store.reachable(root)) bytes += store.size(digest).value_or(0);
  return bytes;
}

int list(Work& work) {
  auto images = work.store.tags();
  if (work.around.json) {
    Json rows = Json::array();
    for (const auto& image : images) {
      rows.push_back(Json::object({{"name", image.name},
                                   {"digest", image.target.digest.str()},
                                   {"media_type", image.target.media_type},
                                   {"bytes", size_of(work.store, image.target.digest)}}));
    }
    print(rows.dump() + "\n");
    return 0;
  }
  std::size_t width = 4;
  for (const auto& image : images)
    width = std::max(width, Reference::parse(image.name).familiar().size());
  std::string text = fmt::format("{:<{}}  {:<12}  {}\n", "NAME", width, "DIGEST", "SIZE");
  for (const auto& image : images) {
    text += fmt::format("{:<{}}  {:<12}  {}\n", Reference::parse(image.name).familiar(), width,
                        image.target.digest.brief(),
                        size_text(size_of(work.store, image.target.digest)));
  }
  print(text);
  return 0;
}

int inspect(Work& work) {
  const std::string& text = argument(work, 1, "the image's name");
  oci::Descriptor target = find(work, text);
  auto image = oci::find_image(work.store, target.digest.str(), work.platform);
  if (!image) fail(Fault::not_found, "'{}' is not wholly in the local store", text);
  Json out = Json::object({{"name", name_of(text)},
                           {"digest", target.digest.str()},
                           {"media_type", target.media_type}});
  out["manifest"] = formats::parse_json(work.store.read(image->descriptor.digest));
  out["config"] = formats::parse_json(work.store.read(image->manifest.config.digest));
  print(out.pretty() + "\n");
  return 0;
}

int history(Work& work) {
  const std::string& text = argument(work, 1, "the image's name");
  auto image = oci::find_image(work.store, find(work, text).digest.str(), work.platform);
  if (!image) fail(Fault::not_found, "'{}' is not wholly in the local store", text);
  std::size_t layer = image->manifest.layers.size();
  std::string out = fmt::format("{:<24}  {:>10}  {}\n", "CREATED", "SIZE", "CREATED BY");
  Json rows = Json::array();
  for (auto entry = image->config.history.rbegin(); entry != image->config.history.rend();
       ++entry) {
    std::uint64_t bytes = 0;
    if (!entry->empty_layer && layer > 0) bytes = image->manifest.layers[--layer].size;
    out += fmt::format("{:<24}  {:>10}  {}\n", entry->created, bytes == 0 ? "0" : size_text(bytes),
                       entry->created_by);
    rows.push_back(Json::object({{"created", entry->created},
                                 {"bytes", bytes},
                                 {"created_by", entry->created_by},
                                 {"comment", entry->comment}}));
  }
  print(work.around.json ? rows.dump() + "\n" : out);
  return 0;
}

oci::TransferSink transfer_view(const Work& work) {
  if (work.around.quiet || work.around.json) return {};
  return [](const oci::TransferProgress& step) {
    using Kind = oci::TransferProgress::Kind;
    const char* what = step.kind == Kind::done      ? "done"
                       : step.kind == Kind::exists  ? "exists"
                       : step.kind == Kind::mounted ? "mounted"
                                                    : "";
    if (*what)
      print_error(fmt::format("{}  {:<7}  {}\n", step.digest.brief(), what, size_text(step.total)));
  };
}

int pull(Work& work) {
  Reference name = Reference::parse(argument(work, 1, "the image's name"));
  oci::PullOptions options;
  options.platform = work.platform;
  options.all_platforms = work.call.has("--all-platforms");
  options.progress = transfer_view(work);
  oci::Descriptor got =
      make_registry_client(work.around)->pull(name, work.store, options, work.around.stop);
  print(got.digest.str() + "\n");
  return 0;
}

int push(Work& work) {
  const std::string& text = argument(work, 1, "the image's name");
  Reference to = Reference::parse(work.call.arguments.size() > 2 ? work.call.arguments[2] : text);
  oci::PushOptions options;
  options.progress = transfer_view(work);
  oci::Descriptor sent = make_registry_client(work.around)
                             ->push(work.store, find(work, text), to, options, work.around.stop);
  print(sent.digest.str() + "\n");
  return 0;
}

int copy(Work& work) {
  Reference from = Reference::parse(argument(work, 1, "the source's name"));
  Reference to = Reference::parse(argument(work, 2, "the target's name"));
  auto client = make_registry_client(work.around);
  oci::PullOptions options;
  options.all_platforms = true;
  options.progress = transfer_view(work);
  oci::Descriptor got = client->pull(from, work.store, options, work.around.stop);
  oci::PushOptions push_options;
  if (from.host == to.host) push_options.mount_from = {from.repository};
  push_options.progress = options.progress;
  client->push(work.store, got, to, push_options, work.around.stop);
  print(got.digest.str() + "\n");
  return 0;
}

int tag(Work& work) {
  oci::Descriptor target = find(work, argument(work, 1, "the image's name"));
  work.store.set_tag(Reference::parse(argument(work, 2, "the new name")).str(), target);
  return 0;
}

int remove(Work& work) {
  argument(work, 1, "the image's name");
  for (std::size_t i = 1; i < work.call.arguments.size(); ++i) {
    if (!work.store.remove_tag(name_of(work.call.arguments[i]))) {
      fail(Fault::not_found, "no image '{}' in the local store", work.call.arguments[i]);
    }
  }
  return 0;
}

int import(Work& work) {
  fs::path source = work.around.cwd / argument(work, 1, "the archive or layout directory");
  std::string name = work.call.arguments.size() > 2 ? work.call.arguments[2] : "";
  std::vector<oci::TaggedImage> images;
  if (fs::is_directory(source)) {
    images = oci::import_layout(source, work.store, name, work.around.stop);
  } else {
    os::Fd file = work.call.arguments[1] == "-" ? os::duplicate(STDIN_FILENO)
                                                : os::open_file(source.string(), O_RDONLY);
    formats::FdReader reader(file.get());
    images = oci::import_archive(reader, work.store, name, work.around.stop);
  }
  for (const auto& image : images) print(fmt::format("{} {}\n", image.target.digest, image.name));
  return 0;
}

int export_image(Work& work) {
  const std::string& text = argument(work, 1, "the image's name");
  const std::string& to = argument(work, 2, "the file or directory to write");
  std::vector<oci::TaggedImage> images{
      {oci::Digest::try_parse(text) ? "" : name_of(text), find(work, text)}};
  std::string format = work.call.value_or("--format", "oci");
  fs::path path = work.around.cwd / to;
  if (format == "layout") {
    oci::export_layout(work.store, images, path, work.around.stop);
    return 0;
  }
  if (format != "oci" && format != "docker")
    fail(Fault::bad_input, "--format '{}' is not known: it is oci, docker or layout", format);
  os::Fd file = to == "-" ? os::duplicate(STDOUT_FILENO)
                          : os::open_file(path.string(), O_WRONLY | O_CREAT | O_TRUNC);
  formats::FdWriter out(file.get());
  if (format == "oci") {
    oci::export_layout_tar(work.store, images, out, work.around.stop);
  } else {
    oci::export_docker_archive(work.store, images, work.platform, out, work.around.stop);
  }
  return 0;
}

std::string key_text(const Work& work) {
  auto file = work.call.value("--key");
  if (!file) fail(Fault::bad_input, "--key FILE is missing: a key in PEM");
  return os::read_file(work.around.cwd / *file);
}

int sign(Work& work) {
  Reference name = Reference::parse(argument(work, 1, "the image's name"));
  const char* password =
      std::getenv("COSIGN_PASSWORD");  // NOLINT(concurrency-mt-unsafe): nobody sets it while we run
  std::string text = key_text(work);
  std::string secret = password ? password : "";
  auto key = formats::is_cosign_key(text)
                 ? while_doing("'" + work.call.value_or("--key", "") + "'",
                               [&] { return formats::private_key_of_cosign(text, secret); })
                 : formats::private_key_with_password(text, secret);
  if (!key)
    fail(Fault::bad_input, "'{}' holds no private key in PEM, or COSIGN_PASSWORD does not open it",
         work.call.value_or("--key", ""));
  auto client = make_registry_client(work.around);
  print(oci::sign_image(*client, work.store, name, key, work.around.stop).str() + "\n");
  return 0;
}

int verify(Work& work) {
  Reference name = Reference::parse(argument(work, 1, "the image's name"));
  auto key = formats::public_key_of_pem(key_text(work));
  if (!key)
    fail(Fault::bad_input, "'{}' holds no public key in PEM", work.call.value_or("--key", ""));
  auto client = make_registry_client(work.around);
  auto verified = oci::verify_image(*client, name, key, work.around.stop);
  if (!work.around.json) {
    print(verified.digest.str() + "\n");
    return 0;
  }
  Json list = Json::array();
  for (const auto& payload : verified.payloads) list.push_back(formats::parse_json(payload));
  print(list.dump() + "\n");
  return 0;
}

int image(const Invocation& call, Surroundings& around) {
  const std::map<std::string, int (*)(Work&)> actions = {
      {"ls", list},       {"inspect", inspect},     {"history", history}, {"pull", pull},
      {"push", push},     {"copy", copy},           {"tag", tag},         {"rm", remove},
      {"import", import}, {"export", export_image}, {"sign", sign},       {"verify", verify}};
  auto action = actions.find(call.arguments.at(0));
  if (action == actions.end()) {
    fail(Fault::bad_input,
         "'image {}' is not known: it is ls, inspect, history, pull, push, copy, tag, rm, import, "
         "export, sign or verify",
         call.arguments[0]);
  }
  fs::path images = around.state / "images";
  auto platform = call.value("--platform");
  BlobStore store(images);
  Work work{call, around, store,
            platform ? oci::Platform::parse(*platform) : oci::Platform::host()};
  return action->second(work);
}

}  // namespace

Verb image_verb() {
  using Kind = Option::Kind;
  return {
      .name = "image",
      .usage = "ls|inspect|history|pull|push|copy|tag|rm|import|export|sign|verify …",
      .summary = "the local image store",
      .options = {{"--platform", Kind::value, "OS/ARCH", "which image of several (this machine's)"},
                  {"--all-platforms", Kind::flag, "", "pull: every image of the index"},
                  {"--format", Kind::value, "FORMAT",
                   "export: oci (a tar), docker (for docker load) or layout (a directory)"},
                  {"--key", Kind::value, "FILE",
                   "sign: a private key; verify: a public one (PEM)"}},
      .min_arguments = 1,
      .max_arguments = -1,
      .run = image};
}

}  // namespace slipway::cli
