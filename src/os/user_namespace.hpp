// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace slipway::os {

/// True when "root" here is not the machine's: the ids of this process's user namespace are not all there are.
bool is_in_user_namespace();

/// True when giving a file away failed only because this user namespace has no such id.
bool is_unmapped_owner(int error);

/// A line of /etc/subuid or /etc/subgid: ids that a user may give to files and processes of its own namespaces.
struct IdRange {
  unsigned first = 0;
  unsigned count = 0;
  bool operator==(const IdRange&) const = default;
};
/// The ranges of a user, by name or number; lines that are none are left out. Pure.
std::vector<IdRange> id_ranges(std::string_view text, std::string_view name, unsigned id);

/// Makes this process root of a user namespace and a mount namespace of its own. With newuidmap, newgidmap and the user's ranges in
/// /etc/subuid and /etc/subgid the ids from 1 up are usable too; else files belong to nobody but root in it.
///   must be called  before there is a second thread
///   throws          Error{denied} that names the setting which forbids it; Error{unavailable}
void enter_user_namespace();
/// The role of this program in which it waits for a byte on its standard input and then becomes argv[0]. Returns only when it cannot.
int run_when_told(char** argv);
/// The first argument that means that role.
inline constexpr const char* kWhenTold = "when-told";

}  // namespace slipway::os
