// SPDX-License-Identifier: Apache-2.0
#include "actions/job_tar.hpp"

#include <fcntl.h>

#include "base/error.hpp"
#include "base/task_group.hpp"
#include "formats/gzip.hpp"
#include "formats/zstd.hpp"
#include "os/fd.hpp"

namespace slipway::actions {
namespace {

os::Exit run_with(workflow::ActionContext& context, workflow::MachineCommand command) {
  command.env = context.env();
  if (command.cwd.empty()) command.cwd = context.machine().paths().workspace;
  return context.machine().exec(
      command, [&](std::string_view text) { context.log(text); }, context.stop());
}

}  // namespace

os::Exit run_fed(workflow::ActionContext& context, const std::vector<std::string>& argv,
                 const std::function<void(formats::Writer&)>& feed) {
  auto pipe = os::make_pipe();
  os::Exit exit;
  TaskGroup feeder(context.stop());
  feeder.start([&](const std::stop_token&) {
    os::Fd end = std::move(pipe.write);  // closed when all is written, and when it cannot be
    formats::FdWriter writer(end.get());
    feed(writer);
  });
  try {
    exit = run_with(context, {.argv = argv, .stdin_fd = pipe.read.get()});
    pipe.read.reset();  // who still writes hears that nobody reads
    feeder.join();
  } catch (const Error&) {
    pipe.read.reset();
    if (exit.ok()) throw;
  } catch (...) {
    pipe.read.reset();  // the feeder may be waiting for room in the pipe
    throw;
  }
  return exit;
}

os::Exit run_into(workflow::ActionContext& context, const std::vector<std::string>& argv,
                  const std::filesystem::path& into) {
  auto file = os::open_file(into.string(), O_WRONLY | O_CREAT | O_TRUNC);
  return run_with(context, {.argv = argv, .stdout_fd = file.get()});
}

os::Exit unpack_tar(workflow::ActionContext& context, const std::filesystem::path& archive) {
  std::vector<std::string> argv = {"tar", "-xf", "-",
                                   "-P",  "-C",  context.machine().paths().workspace};
  auto file = os::open_file(archive.string(), O_RDONLY);
  std::array<char, 16> magic{};
  formats::FileRangeReader start(
      file.get(), 0, std::min<std::uint64_t>(std::filesystem::file_size(archive), magic.size()));
  std::string_view begin(magic.data(), formats::read_fully(start, magic));
  bool is_zstd = formats::looks_like_zstd(begin);
  if (!is_zstd && !formats::looks_like_gzip(begin))
    return run_with(context, {.argv = argv, .stdin_fd = file.get()});
  return run_fed(context, argv, [&](formats::Writer& writer) {
    formats::FdReader packed(file.get());
    std::unique_ptr<formats::Reader> reader;
    if (is_zstd) {
      reader = std::make_unique<formats::ZstdReader>(packed);
    } else {
      reader = std::make_unique<formats::GzipReader>(packed);
    }
    formats::copy_all(*reader, writer);
  });
}

}  // namespace slipway::actions
