// SPDX-License-Identifier: Apache-2.0
#include "image/output.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "base/error.hpp"
#include "image/layer.hpp"
#include "oci/layout.hpp"
#include "oci/reference.hpp"
#include "oci/registry_client.hpp"
#include "os/file.hpp"

namespace slipway::image {
namespace {

namespace fs = std::filesystem;

// Gives `write` a writer to the file, or to standard output for "-". A file appears whole, or not at all.
void to_file(const fs::path& dest, const std::function<void(formats::Writer&)>& write) {
  if (dest.empty()) fail(Fault::bad_input, "an output needs dest=PATH");
  if (dest == "-") {
    formats::FdWriter writer(STDOUT_FILENO);
    write(writer);
    return;
  }
  fs::path partial = dest.string() + ".partial";
  os::Fd fd = os::open_file(partial.string(), O_WRONLY | O_CREAT | O_TRUNC);
  try {
    formats::FdWriter writer(fd.get());
    write(writer);
  } catch (...) {
    ::unlink(partial.c_str());
    throw;
  }
  std::error_code problem;
  fs::rename(partial, dest, problem);
  if (problem) fail(Fault::unavailable, "cannot write '{}': {}", dest.string(), problem.message());
}

std::vector<oci::TaggedImage> tagged(const OutputWorld& world) {
  std::vector<oci::TaggedImage> images;
  for (const auto& name : world.names) images.push_back({name, world.image});
  if (images.empty()) images.push_back({"", world.image});
  return images;
}

Entries files_of(const OutputWorld& world) {
  Entries files = world.root().entries_below("", true);
  if (!world.mtime) return files;
  for (auto& [path, node] : files) {
    node.mtime = *world.mtime;
    node.mtime_ns = 0;
  }
  return files;
}

void push(const Output& output, const OutputWorld& world, std::vector<std::string>& pushed,
          const std::stop_token& stop) {
  const auto& names = output.names.empty() ? world.names : output.names;
  if (names.empty()) fail(Fault::bad_input, "nothing to push: give the image a name with --tag");
  for (const auto& name : names) {
    auto reference = oci::Reference::parse(name);
    auto started = std::chrono::steady_clock::now();
    while_doing(fmt::format("pushing {}", reference), [&] {
      world.environment.registry.push(world.environment.store, world.image, reference, {}, stop);
    });
    pushed.push_back(reference.str());
    auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - started);
    if (world.progress) {
      world.progress({.kind = Progress::Kind::message,
                      .name = fmt::format("pushed {}", reference),
                      .took = took});
    }
  }
}

}  // namespace

void write_output(const Output& output, const OutputWorld& world, std::vector<std::string>& pushed,
                  const std::stop_token& stop) {
  switch (output.kind) {
    case Output::Kind::store:
      return;
    case Output::Kind::registry:
      return push(output, world, pushed, stop);
    case Output::Kind::oci: {
      auto images = tagged(world);
      std::error_code problem;
      if (output.dest.string().ends_with('/') || fs::is_directory(output.dest, problem)) {
        oci::export_layout(world.environment.store, images, output.dest, stop);
      } else {
        to_file(output.dest, [&](formats::Writer& out) {
          oci::export_layout_tar(world.environment.store, images, out, stop);
        });
      }
      return;
    }
    case Output::Kind::docker:
      to_file(output.dest, [&](formats::Writer& out) {
        oci::export_docker_archive(world.environment.store, tagged(world), world.platform, out,
                                   stop);
      });
      return;
    case Output::Kind::tar:
      to_file(output.dest,
              [&](formats::Writer& out) { write_tar(files_of(world), out, std::nullopt, stop); });
      return;
    case Output::Kind::local:
      if (output.dest.empty() || output.dest == "-")
        fail(Fault::bad_input, "a local output needs dest=DIRECTORY");
      os::make_dirs(output.dest);
      write_directory(files_of(world), output.dest, {}, stop);
      return;
  }
}

}  // namespace slipway::image
