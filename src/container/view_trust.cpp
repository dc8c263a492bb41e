// SPDX-License-Identifier: Apache-2.0
#include "container/view_trust.hpp"

#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace slipway::container {
namespace {

constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
constexpr std::string_view kEnd = "-----END CERTIFICATE-----";
constexpr const char* kBundle = "/etc/ssl/certs/ca-certificates.crt";

std::vector<std::string> each_certificate(std::string_view pem) {
  std::vector<std::string> out;
  for (std::size_t at = 0;;) {
    auto begin = pem.find(kBegin, at);
    auto end = begin == std::string_view::npos ? begin : pem.find(kEnd, begin);
    if (end == std::string_view::npos) return out;
    at = end + kEnd.size();
    out.push_back(std::string(pem.substr(begin, at - begin)) + "\n");
  }
}

// The name under which OpenSSL looks for it in a directory; empty without the openssl program, the bundle must do then.
std::string subject_hash(const std::string& certificate) {
  if (!os::find_program("openssl")) return {};
  auto said = os::capture({.argv = {"openssl", "x509", "-noout", "-subject_hash"}}, {},
                          Deadline::in(std::chrono::seconds(5)), certificate);
  return said.exit.ok() ? std::string(trim(said.out)) : std::string();
}

}  // namespace

void trust(ViewRoot& root, std::string_view certificates) {
  auto all = each_certificate(certificates);
  if (all.empty()) fail(Fault::bad_input, "the certificates to trust are not in PEM form");
  std::string bundle = os::read_file_if_exists(kBundle).value_or("");
  if (!bundle.empty() && !bundle.ends_with('\n')) bundle += '\n';
  int number = 0;
  for (const auto& certificate : all) {
    bundle += certificate;
    root.write(fmt::format("/usr/local/share/ca-certificates/slipway-{}.crt", number++),
               certificate, 0644);
    if (auto hash = subject_hash(certificate); !hash.empty()) {
      root.write(fmt::format("/etc/ssl/certs/{}.0", hash), certificate, 0644);
    }
  }
  root.write(kBundle, bundle, 0644);
}

}  // namespace slipway::container
