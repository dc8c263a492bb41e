// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "net/http_server.hpp"
#include "oci/registry_exchange.hpp"
#include "oci/registry_server.hpp"
#include "os/file.hpp"

namespace {

using namespace slipway;

// Remembers the status and drops the body.
class Answer final : public net::ResponseWriter {
 public:
  void send(const net::HttpResponse& response) override { begin(response.status); }
  void send_file(int status, const net::Headers& /*headers*/, const os::Fd& file,
                 std::uint64_t offset, std::uint64_t length) override {
    begin(status);
    formats::FileRangeReader reader(file.get(), offset, length);
    formats::copy_all(reader, body_);
  }
  formats::Writer& start(int status, const net::Headers& /*headers*/,
                         std::optional<std::uint64_t> /*length*/) override {
    begin(status);
    return body_;
  }
  void end() override {}
  [[nodiscard]] bool has_started() const override { return status_ != 0; }
  [[nodiscard]] int status() const { return status_; }

 private:
  void begin(int status) {
    if (status_ != 0) std::abort();  // two answers
    status_ = status;
  }
  int status_ = 0;
  formats::CountingWriter body_;
};

// A registry in memory that all inputs of one process talk to.
struct Registry {
  os::TempDir directory{"/dev/shm"};
  NoLog log;
  oci::RegistryStore store{directory.path()};
  oci::OpenPolicy policy;
  oci::RegistryServer server{store, policy, log};
};

void ask(Registry& registry, std::string_view text) {
  auto lines = split(text.substr(0, text.find("\n\n")), '\n');
  auto words = split(lines[0], ' ');
  if (words.size() < 2) return;
  net::ServerRequest request{.method = words[0], .target = words[1]};
  auto mark = request.target.find('?');
  request.path = request.target.substr(0, mark);
  if (mark != std::string::npos) request.query = request.target.substr(mark + 1);
  for (std::size_t i = 1; i < lines.size(); ++i) {
    auto colon = lines[i].find(':');
    if (colon != std::string::npos)
      request.headers.add(lines[i].substr(0, colon), trim(lines[i].substr(colon + 1)));
  }
  auto blank = text.find("\n\n");
  std::string_view body =
      blank == std::string_view::npos ? std::string_view() : text.substr(blank + 2);
  formats::MemoryReader reader(body);
  request.body = &reader;
  request.body_size = body.size();
  if (!oci::RegistryServer::is_registry_path(request.path)) return;
  Answer answer;
  registry.server.handle(request, answer);
  if (answer.status() < 200 || answer.status() >= 500) std::abort();
}

}  // namespace

/// Any request, "METHOD TARGET", header lines, an empty line and the body, gets one answer below 500.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  static Registry registry;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(oci::parse_range(text, 1000));
  static_cast<void>(oci::parse_content_range(text));
  try {
    ask(registry, text);
  } catch (const Error& error) {  // the HTTP server answers by the fault
    if (error.fault() != Fault::bad_input && error.fault() != Fault::not_found) std::abort();
  }
  return 0;
}
