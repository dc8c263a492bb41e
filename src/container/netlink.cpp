// SPDX-License-Identifier: Apache-2.0
#include "container/netlink.hpp"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/error.hpp"

namespace slipway::container {

// One message being put together: header, fixed part, attributes.
class Netlink::Request final {
 public:
  Request(std::uint16_t type, std::uint16_t flags) {
    nlmsghdr header{};
    header.nlmsg_type = type;
    header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    add(&header, sizeof header);
  }
  void add(const void* bytes, std::size_t size) {
    buffer_.append(static_cast<const char*>(bytes), size);
    buffer_.resize((buffer_.size() + 3) & ~std::size_t{3});
  }
  void attribute(std::uint16_t type, std::string_view value) {
    auto at = open(type);
    add(value.data(), value.size());
    close(at, value.size());
  }
  void text(std::uint16_t type, const std::string& value) {
    attribute(type, {value.c_str(), value.size() + 1});
  }
  void number(std::uint16_t type, std::uint32_t value) {
    attribute(type, {reinterpret_cast<const char*>(&value), sizeof value});
  }
  std::size_t open(std::uint16_t type) {
    rtattr head{};
    head.rta_type = type;
    add(&head, sizeof head);
    return buffer_.size() - sizeof head;
  }
  void close(std::size_t at) { close(at, buffer_.size() - at - sizeof(rtattr)); }
  std::string& finished(std::uint32_t sequence) {
    auto* header = reinterpret_cast<nlmsghdr*>(buffer_.data());
    header->nlmsg_len = static_cast<std::uint32_t>(buffer_.size());
    header->nlmsg_seq = sequence;
    return buffer_;
  }

 private:
  void close(std::size_t at, std::size_t size) {
    reinterpret_cast<rtattr*>(buffer_.data() + at)->rta_len =
        static_cast<std::uint16_t>(size + sizeof(rtattr));
  }
  std::string buffer_;
};

namespace {

ifinfomsg link_part(unsigned index, unsigned flags = 0) {
  ifinfomsg part{};
  part.ifi_family = AF_UNSPEC;
  part.ifi_index = static_cast<int>(index);
  part.ifi_flags = flags;
  part.ifi_change = flags;
  return part;
}

void check(int error, std::string_view what) {
  if (error == 0) return;
  errno = error;
  os::throw_errno(what);
}

}  // namespace

Netlink::Netlink() : socket_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) {
  if (!socket_.is_open()) os::throw_errno("opening a netlink socket");
  timeval patience{10, 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

int Netlink::send(Request& request) {
  auto& bytes = request.finished(++sequence_);
  // The answer is 0 or an errno; for a question after a link it is the link's index, negative.
  if (::send(socket_.get(), bytes.data(), bytes.size(), 0) < 0) return errno;
  alignas(nlmsghdr) std::array<char, 8192> answer{};
  for (;;) {
    ssize_t n = ::recv(socket_.get(), answer.data(), answer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    const auto* header = reinterpret_cast<const nlmsghdr*>(answer.data());
    if (static_cast<std::size_t>(n) < sizeof(nlmsghdr) || header->nlmsg_seq != sequence_) continue;
    if (header->nlmsg_type == RTM_NEWLINK)
      return -reinterpret_cast<const ifinfomsg*>(NLMSG_DATA(header))->ifi_index;
    return -reinterpret_cast<const nlmsgerr*>(NLMSG_DATA(header))->error;
  }
}

unsigned Netlink::index_of(const std::string& name) {
  Request request(RTM_GETLINK, 0);
  auto part = link_part(0);
  request.add(&part, sizeof part);
  request.text(IFLA_IFNAME, name);
  int answer = send(request);
  return answer < 0 ? static_cast<unsigned>(-answer) : 0;
}

bool Netlink::add_bridge(const std::string& name) {
  Request request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK);
  auto part = link_part(0, IFF_UP);
  request.add(&part, sizeof part);
  request.text(IFLA_IFNAME, name);
  auto info = request.open(IFLA_LINKINFO);
  request.text(IFLA_INFO_KIND, "bridge");
  request.close(info);
  int error = send(request);
  if (error == EEXIST) return false;
  check(error, "making the bridge '" + name + "'");
  return true;
}

void Netlink::add_veth(const std::string& name, const std::string& master, const std::string& peer,
                       const os::Fd& peer_namespace) {
  unsigned bridge = index_of(master);
  if (bridge == 0) fail(Fault::not_found, "no bridge '{}'", master);
  Request request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK);
  auto part = link_part(0, IFF_UP);
  request.add(&part, sizeof part);
  request.text(IFLA_IFNAME, name);
  request.number(IFLA_MASTER, bridge);
  auto info = request.open(IFLA_LINKINFO);
  request.text(IFLA_INFO_KIND, "veth");
  auto data = request.open(IFLA_INFO_DATA);
  auto inner = request.open(VETH_INFO_PEER);
  auto peer_part = link_part(0);
  request.add(&peer_part, sizeof peer_part);
  request.text(IFLA_IFNAME, peer);
  request.number(IFLA_NET_NS_FD, static_cast<std::uint32_t>(peer_namespace.get()));
  request.close(inner);
  request.close(data);
  request.close(info);
  check(send(request), "making the interface '" + name + "'");
}

void Netlink::set_up(const std::string& name) {
  Request request(RTM_NEWLINK, NLM_F_ACK);
  auto part = link_part(index_of(name), IFF_UP);
  request.add(&part, sizeof part);
  check(send(request), "setting '" + name + "' up");
}

void Netlink::set_hardware_address(const std::string& name, std::string_view six_bytes) {
  Request request(RTM_NEWLINK, NLM_F_ACK);
  auto part = link_part(index_of(name));
  request.add(&part, sizeof part);
  request.attribute(IFLA_ADDRESS, six_bytes);
  check(send(request), "setting the hardware address of '" + name + "'");
}

void Netlink::add_address(const std::string& name, std::uint32_t address, int prefix_bits) {
  Request request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK);
  ifaddrmsg part{};
  part.ifa_family = AF_INET;
  part.ifa_prefixlen = static_cast<std::uint8_t>(prefix_bits);
  part.ifa_index = index_of(name);
  request.add(&part, sizeof part);
  request.number(IFA_LOCAL, address);
  request.number(IFA_ADDRESS, address);
  int error = send(request);
  if (error != EEXIST) check(error, "giving '" + name + "' an address");
}

void Netlink::add_default_route(std::uint32_t gateway) {
  Request request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_ACK);
  rtmsg part{};
  part.rtm_family = AF_INET;
  part.rtm_table = RT_TABLE_MAIN;
  part.rtm_protocol = RTPROT_STATIC;
  part.rtm_scope = RT_SCOPE_UNIVERSE;
  part.rtm_type = RTN_UNICAST;
  request.add(&part, sizeof part);
  request.number(RTA_GATEWAY, gateway);
  check(send(request), "adding the default route");
}

bool Netlink::remove(const std::string& name) {
  Request request(RTM_DELLINK, NLM_F_ACK);
  auto part = link_part(0);
  request.add(&part, sizeof part);
  request.text(IFLA_IFNAME, name);
  int error = send(request);
  if (error == ENODEV) return false;
  check(error, "removing the interface '" + name + "'");
  return true;
}

}  // namespace slipway::container
