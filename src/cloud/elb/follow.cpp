// SPDX-License-Identifier: Apache-2.0
// HAProxy follows the model. One at a time brings it up to the model as it is at that moment: commands worked out earlier could undo what
// was said since (a "ready" after the "maint" of a target that drains sends requests to a task that has gone).
#include "base/error.hpp"
#include "base/text.hpp"
#include "cloud/elb/api.hpp"

namespace slipway::cloud::elb {

void Elb::configure() {
  std::lock_guard turn(haproxy_turn_);
  configure_in_turn(false);
}

void Elb::configure_in_turn(bool anew) {
  Model model = world_.read([](const World& world) { return world.model; });
  if (haproxy_.apply(haproxy_config(model, haproxy_.socket()), anew)) {
    shown_ = wanted_servers(model);
  } else {
    follow_in_turn(model);
  }
}

void Elb::show_targets() {
  std::lock_guard turn(haproxy_turn_);
  if (world_.read([](const World& world) { return world.has_ended; })) return;
  try {
    follow_in_turn(world_.read([](const World& world) { return world.model; }));
  } catch (const Error& error) {  // a HAProxy that does not listen is started, or told all again
    around_.log.warn("elb: haproxy: {}", error.what());
    configure_in_turn(true);
  }
}

void Elb::follow_in_turn(const Model& model) {
  auto wanted = wanted_servers(model);
  for (auto& [name, server] : wanted) {
    auto [shown, is_new] = shown_.try_emplace(name, ShownServer{server.address, false});
    if (is_new) tell_haproxy(fmt::format("add server {} {}", name, server.address));
    if (shown->second.is_ready == server.is_ready) continue;
    tell_haproxy(fmt::format("set server {} state {}", name, server.is_ready ? "ready" : "maint"));
    shown->second.is_ready = server.is_ready;
  }
  for (auto it = shown_.begin(); it != shown_.end();) {
    bool has_gone = !wanted.contains(it->first) && retire(it->first, it->second);
    it = has_gone ? shown_.erase(it) : std::next(it);
  }
}

// HAProxy refuses to delete a server that still has a request, by its own books under its own lock: only a deleted one is idle for certain.
bool Elb::retire(const std::string& name, ShownServer& server) {
  if (server.is_ready) tell_haproxy(fmt::format("set server {} state maint", name));
  server.is_ready = false;
  std::string answer = tell_haproxy("del server " + name);
  return answer.find("still has connections") == std::string::npos;
}

std::string Elb::tell_haproxy(const std::string& command) {
  std::string answer(trim(haproxy_.command(command)));
  if (!answer.empty()) around_.log.debug("elb: haproxy: {}: {}", command, answer);
  return answer;
}

bool Elb::is_carrying(const std::string& server) {
  std::lock_guard turn(haproxy_turn_);
  return shown_.contains(server) || haproxy_.has_old_workers();
}

void Elb::end_requests(const std::string& server) {
  std::lock_guard turn(haproxy_turn_);
  if (!shown_.contains(server)) return;
  try {
    tell_haproxy("shutdown sessions server " + server);
  } catch (const Error& error) {
    around_.log.warn("elb: haproxy: {}", error.what());
  }
}

}  // namespace slipway::cloud::elb
