// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "formats/io.hpp"
#include "image/build.hpp"
#include "os/file.hpp"

namespace slipway::image {

/// Contexts that were brought here for one build; gone with this object.
class FetchedContexts final {
 public:
  /// Sets `request.context` by what the command line calls it: a directory, a git repository (URL#REF:SUBDIRECTORY), the address of a
  /// tar or of a Dockerfile, or "-": a tar or a Dockerfile on `standard_input`.
  ///   throws  Error{not_found, unavailable} when it cannot be had; Error{bad_input} for an archive that is broken
  void set_context(BuildRequest& request, const std::string& text, const std::filesystem::path& cwd,
                   BuildEnvironment& environment, formats::Reader& standard_input,
                   const std::stop_token& stop);
  /// Brings the named contexts that are repositories, addresses or OCI layouts here.
  void fetch_named(BuildRequest& request, BuildEnvironment& environment,
                   const std::stop_token& stop);

 private:
  std::filesystem::path new_directory(const BuildEnvironment& environment);
  std::filesystem::path fetch(const std::string& source, const BuildRequest& request,
                              std::optional<std::string>* dockerfile, BuildEnvironment& environment,
                              const std::stop_token& stop);
  std::vector<std::unique_ptr<os::TempDir>> directories_;
};

}  // namespace slipway::image
