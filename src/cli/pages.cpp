// SPDX-License-Identifier: Apache-2.0
#include "cli/pages.hpp"

// PAGE(name) puts docs/name.md into the program; the list is written by CMake from the files in docs/.
#define PAGE(name)                                                            \
  asm(".section .rodata\n.global slipway_page_" #name "\nslipway_page_" #name \
      ":\n.incbin \"" SLIPWAY_DOCS "/" #name ".md\"\n.byte 0\n.previous\n");  \
  extern "C" const char slipway_page_##name[];
#include "pages.inc"
#undef PAGE

namespace slipway::cli {

std::optional<std::string_view> page([[maybe_unused]] std::string_view name) {
#define PAGE(known) \
  if (name == #known) return std::string_view(slipway_page_##known);
#include "pages.inc"
#undef PAGE
  return std::nullopt;
}

}  // namespace slipway::cli
