// SPDX-License-Identifier: Apache-2.0
#include "cloud/ec2/ec2.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "cloud/ec2/security_groups.hpp"
#include "cloud/iam/condition.hpp"
#include "cloud/input.hpp"
#include "formats/sha256.hpp"

namespace slipway::cloud::ec2 {
namespace {

constexpr std::string_view kBad = "InvalidParameterValue";
constexpr std::string_view kVpc = "ec2.vpc";
constexpr std::string_view kSubnet = kSubnetKind;
constexpr std::string_view kGroup = kGroupKind;

// The same ids for the same account and region, so that what a user wrote down stays true after a reset.
std::string default_id(std::string_view prefix, const Scope& scope, std::string_view salt) {
  return fmt::format("{}-{}", prefix,
                     formats::sha256_hex(fmt::format("{}/{}/{}", scope.account, scope.region, salt))
                         .substr(0, 17));
}
std::string new_id(std::string_view prefix) {
  return fmt::format("{}-{}", prefix, hex(random_bytes(9)).substr(0, 17));
}

Json tags_of(const Input& in, std::string_view resource_type) {
  Json tags = Json::array({});
  for (const auto& specification : in.items("TagSpecification")) {
    if (specification.get_string("ResourceType") != resource_type) continue;
    for (const auto& tag : specification.get_array("Tag")) {
      tags.push_back(
          Json::object({{"key", tag.get_string("Key")}, {"value", tag.get_string("Value")}}));
    }
  }
  return tags;
}

Json vpc_json(const Scope& scope, const std::string& id, const std::string& cidr, bool is_default) {
  return Json::object(
      {{"vpcId", id},
       {"ownerId", scope.account},
       {"state", "available"},
       {"cidrBlock", cidr},
       {"cidrBlockAssociationSet",
        Json::array({Json::object({{"cidrBlock", cidr},
                                   {"associationId", default_id("vpc-cidr-assoc", scope, id)},
                                   {"cidrBlockState", Json::object({{"state", "associated"}})}})})},
       {"dhcpOptionsId", default_id("dopt", scope, "default")},
       {"tagSet", Json::array({})},
       {"instanceTenancy", "default"},
       {"isDefault", is_default}});
}

Json subnet_json(const Scope& scope, const std::string& id, const std::string& vpc,
                 const std::string& cidr, const std::string& zone, bool is_default) {
  return Json::object(
      {{"subnetId", id},
       {"subnetArn", arn("ec2", scope.region, scope.account, "subnet/" + id)},
       {"state", "available"},
       {"ownerId", scope.account},
       {"vpcId", vpc},
       {"cidrBlock", cidr},
       {"ipv6CidrBlockAssociationSet", Json::array({})},
       {"availableIpAddressCount", 4091},
       {"availabilityZone", zone},
       {"availabilityZoneId", fmt::format("{}-az{}", scope.region, zone.back() - 'a' + 1)},
       {"defaultForAz", is_default},
       {"mapPublicIpOnLaunch", is_default},
       {"assignIpv6AddressOnCreation", false},
       {"tagSet", Json::array({})}});
}

Json permission_json(std::string_view protocol, std::string_view cidr) {
  return Json::object({{"ipProtocol", protocol},
                       {"groups", Json::array({})},
                       {"ipRanges", Json::array({Json::object({{"cidrIp", cidr}})})},
                       {"ipv6Ranges", Json::array({})},
                       {"prefixListIds", Json::array({})}});
}

Json group_json(const Scope& scope, const std::string& id, const std::string& name,
                const std::string& text, const std::string& vpc) {
  return Json::object({{"ownerId", scope.account},
                       {"groupId", id},
                       {"groupName", name},
                       {"groupDescription", text},
                       {"vpcId", vpc},
                       {"ipPermissions", Json::array({})},
                       {"ipPermissionsEgress", Json::array({permission_json("-1", "0.0.0.0/0")})},
                       {"tagSet", Json::array({})}});
}

// Every VPC has one, whose members reach each other.
Json default_group(const Scope& scope, const std::string& id, const std::string& vpc) {
  auto body = group_json(scope, id, "default", "default VPC security group", vpc);
  auto own = permission_json("-1", "");
  own["ipRanges"] = Json::array({});
  own["groups"] = Json::array({Json::object({{"userId", scope.account}, {"groupId", id}})});
  body["ipPermissions"].push_back(own);
  return body;
}

// What a fresh account has in a region.
void ensure_defaults(Tables& tables, const Scope& scope) {
  auto vpc = default_id("vpc", scope, "default");
  if (tables.get("ec2.defaults", scope, "made")) return;
  tables.put("ec2.defaults", scope, "made", Json::object({{"vpc", vpc}}));
  tables.put(kVpc, scope, vpc, vpc_json(scope, vpc, "172.31.0.0/16", true));
  int block = 0;
  for (char zone : {'a', 'b', 'c'}) {
    auto id = default_id("subnet", scope, std::string_view(&zone, 1));
    tables.put(kSubnet, scope, id,
               subnet_json(scope, id, vpc, fmt::format("172.31.{}.0/20", 16 * block++),
                           scope.region + zone, true));
  }
  auto group = default_id("sg", scope, "default");
  tables.put(kGroup, scope, group, default_group(scope, group, vpc));
}

// A filter's name as the member it looks at; nothing for names that are not known here.
std::optional<std::string> member_of(std::string_view filter) {
  static const std::map<std::string_view, std::string> kMembers = {
      {"vpc-id", "vpcId"},
      {"vpcId", "vpcId"},
      {"subnet-id", "subnetId"},
      {"group-id", "groupId"},
      {"group-name", "groupName"},
      {"isDefault", "isDefault"},
      {"is-default", "isDefault"},
      {"default-for-az", "defaultForAz"},
      {"defaultForAz", "defaultForAz"},
      {"state", "state"},
      {"cidr", "cidrBlock"},
      {"cidr-block", "cidrBlock"},
      {"cidrBlock", "cidrBlock"},
      {"availability-zone", "availabilityZone"},
      {"availabilityZone", "availabilityZone"},
      {"owner-id", "ownerId"},
      {"description", "groupDescription"},
      {"zone-name", "zoneName"},
      {"map-public-ip-on-launch", "mapPublicIpOnLaunch"},
      {"default", "default"}};
  auto found = kMembers.find(filter);
  if (found == kMembers.end()) return std::nullopt;
  return found->second;
}

bool passes(const Input& in, const Json& resource) {
  for (const auto& filter : in.items("Filter")) {
    auto name = filter.get_string("Name");
    auto any = [&](const std::string& have) {
      const auto& wanted = filter.get_array("Value");
      return std::any_of(wanted.begin(), wanted.end(), [&](const Json& each) {
        return iam::matches_pattern(each.as_string(), have);
      });
    };
    bool met = false;
    if (name.starts_with("tag:") || name == "tag-key") {
      for (const auto& tag : resource.get_array("tagSet")) {
        met = met || (name == "tag-key" ? any(tag.get_string("key"))
                                        : tag.get_string("key") == name.substr(4) &&
                                              any(tag.get_string("value")));
      }
    } else if (auto member = member_of(name)) {
      const auto* value = resource.find(*member);
      met = value != nullptr && any(value->is_string() ? value->as_string() : value->dump());
    } else {
      throw Refusal("InvalidParameterValue", fmt::format("The filter '{}' is invalid", name));
    }
    if (!met) return false;
  }
  return true;
}

class Ec2 final : public Service {
 public:
  explicit Ec2(const Surroundings& around) : state_(around.state), security_(around.security) {}

  [[nodiscard]] const ServiceDescription& description() const override {
    static const ServiceDescription about{
        .signing_name = "ec2",
        .target_prefix = "",
        .api_version = "2016-11-15",
        .xml_namespace = "http://ec2.amazonaws.com/doc/2016-11-15/",
        .protocol = Protocol::ec2,
        .host_prefixes = {"ec2"},
        .action_prefix = ""};
    return about;
  }
  [[nodiscard]] bool has(std::string_view operation) const override {
    return operations().contains(operation);
  }
  Json call(const Call& call) override {
    state_.write([&](Tables& tables) { ensure_defaults(tables, scope(call)); });
    return dispatch(*this, operations(), call);
  }

 private:
  static const Operations<Ec2>& operations();
  static Scope scope(const Call& call) { return {call.account, call.region}; }

  // Those of a kind that ids and filters leave; an id that is not there is refused with `missing`.
  Json listed(const Call& call, std::string_view kind, std::string_view ids_key,
              std::string_view set, std::string_view missing, std::string_view noun) {
    Input in(call.input, kBad);
    auto ids = in.texts(ids_key);
    auto stored = state_.read([&](Tables& tables) { return tables.list(kind, scope(call)); });
    for (const auto& id : ids) {
      if (std::none_of(stored.begin(), stored.end(),
                       [&](const Stored& each) { return each.id == id; })) {
        throw Refusal(std::string(missing), fmt::format("The {} ID '{}' does not exist", noun, id));
      }
    }
    Json list = Json::array({});
    for (const auto& each : stored) {
      bool named = ids.empty() || std::find(ids.begin(), ids.end(), each.id) != ids.end();
      if (named && passes(in, each.body)) list.push_back(each.body);
    }
    Json answer = Json::object({});
    answer[set] = std::move(list);
    return answer;
  }
  Json describe_vpcs(const Call& call) {
    return listed(call, kVpc, "VpcId", "vpcSet", "InvalidVpcID.NotFound", "vpc");
  }
  Json describe_subnets(const Call& call) {
    return listed(call, kSubnet, "SubnetId", "subnetSet", "InvalidSubnetID.NotFound", "subnet");
  }
  Json describe_security_groups(const Call& call) {
    Input in(call.input, kBad);
    auto names = in.texts("GroupName");
    auto answer = listed(call, kGroup, "GroupId", "securityGroupInfo", "InvalidGroup.NotFound",
                         "security group");
    if (names.empty()) return answer;
    std::erase_if(answer["securityGroupInfo"].as_array(), [&](const Json& each) {
      return std::find(names.begin(), names.end(), each.get_string("groupName")) == names.end();
    });
    if (answer.at("securityGroupInfo").empty())
      throw Refusal(
          "InvalidGroup.NotFound",
          fmt::format("The security group '{}' does not exist in default VPC", names.front()));
    return answer;
  }
  Json describe_availability_zones(const Call& call) {
    Json zones = Json::array({});
    for (char zone : {'a', 'b', 'c'}) {
      Json item = Json::object({{"zoneName", call.region + zone},
                                {"zoneState", "available"},
                                {"regionName", call.region},
                                {"messageSet", Json::array({})},
                                {"zoneId", fmt::format("{}-az{}", call.region, zone - 'a' + 1)},
                                {"zoneType", "availability-zone"},
                                {"groupName", call.region},
                                {"optInStatus", "opt-in-not-required"}});
      if (passes(Input(call.input, kBad),
                 Json::object({{"zoneName", item.at("zoneName")}, {"state", "available"}})))
        zones.push_back(std::move(item));
    }
    return Json::object({{"availabilityZoneInfo", std::move(zones)}});
  }
  Json describe_account_attributes(const Call& call) {
    auto made = state_.read(
        [&](Tables& tables) { return tables.get("ec2.defaults", scope(call), "made"); });
    auto attribute = [](std::string_view name, const std::string& value) {
      return Json::object(
          {{"attributeName", name},
           {"attributeValueSet", Json::array({Json::object({{"attributeValue", value}})})}});
    };
    return Json::object({{"accountAttributeSet",
                          Json::array({attribute("supported-platforms", "VPC"),
                                       attribute("default-vpc", made->get_string("vpc"))})}});
  }
  Json describe_vpc_attribute(const Call& call) {
    Input in(call.input, kBad);
    auto id = in.text("VpcId");
    auto vpc = need(call, kVpc, id, "InvalidVpcID.NotFound", "vpc");
    auto attribute = in.text("Attribute");
    Json answer = Json::object({{"vpcId", id}});
    answer[attribute] =
        Json::object({{"value", vpc.get_bool(attribute, attribute == "enableDnsSupport" ||
                                                            vpc.get_bool("isDefault"))}});
    return answer;
  }
  Json describe_nothing(const Call& call) {
    static const std::map<std::string_view, std::string_view> kSets = {
        {"DescribeNetworkInterfaces", "networkInterfaceSet"},
        {"DescribeNetworkAcls", "networkAclSet"},
        {"DescribeInternetGateways", "internetGatewaySet"},
        {"DescribeVpcEndpoints", "vpcEndpointSet"},
        {"DescribeInstances", "reservationSet"},
        {"DescribeNatGateways", "natGatewaySet"}};
    Json answer = Json::object({});
    answer[kSets.at(call.operation)] = Json::array({});
    return answer;
  }
  // Each VPC has its main table. The default one has an internet gateway, as AWS makes it; others lead nowhere outside.
  Json describe_route_tables(const Call& call) {
    std::vector<Json> tables;
    for (const auto& vpc :
         state_.read([&](Tables& stored) { return stored.list(kVpc, scope(call)); })) {
      std::string suffix = vpc.id.substr(vpc.id.find('-') + 1);
      Json routes = Json::array({Json::object({{"destinationCidrBlock", vpc.body.at("cidrBlock")},
                                               {"gatewayId", "local"},
                                               {"origin", "CreateRouteTable"},
                                               {"state", "active"}})});
      if (vpc.body.get_bool("isDefault")) {
        routes.push_back(Json::object({{"destinationCidrBlock", "0.0.0.0/0"},
                                       {"gatewayId", "igw-" + suffix},
                                       {"origin", "CreateRoute"},
                                       {"state", "active"}}));
      }
      std::string id = "rtb-" + suffix;
      Json main = Json::object({{"routeTableAssociationId", "rtbassoc-" + suffix},
                                {"routeTableId", id},
                                {"main", true}});
      tables.push_back(Json::object({{"routeTableId", id},
                                     {"vpcId", vpc.id},
                                     {"ownerId", call.account},
                                     {"associationSet", Json::array({main})},
                                     {"routeSet", routes}}));
    }
    return filtered(call, "routeTableSet", tables,
                    {{"vpc-id", "vpcId"}, {"route-table-id", "routeTableId"}});
  }
  Json describe_regions(const Call& call) {
    return Json::object(
        {{"regionInfo", Json::array({Json::object(
                            {{"regionName", call.region},
                             {"regionEndpoint", fmt::format("ec2.{}.amazonaws.com", call.region)},
                             {"optInStatus", "opt-in-not-required"}})})}});
  }

  Json need(const Call& call, std::string_view kind, const std::string& id,
            std::string_view missing, std::string_view noun) {
    auto found = state_.read([&](Tables& tables) { return tables.get(kind, scope(call), id); });
    if (!found)
      throw Refusal(std::string(missing), fmt::format("The {} ID '{}' does not exist", noun, id));
    return *found;
  }
  void put(const Call& call, std::string_view kind, const std::string& id, const Json& body) {
    state_.write([&](Tables& tables) { tables.put(kind, scope(call), id, body); });
  }
  Json erase(const Call& call, std::string_view kind, const std::string& id,
             std::string_view missing, std::string_view noun) {
    need(call, kind, id, missing, noun);
    state_.write([&](Tables& tables) { tables.erase(kind, scope(call), id); });
    return Json::object({{"return", true}});
  }

  Json create_vpc(const Call& call) {
    Input in(call.input, kBad);
    auto id = new_id("vpc");
    auto vpc = vpc_json(scope(call), id, in.text("CidrBlock"), false);
    vpc["tagSet"] = tags_of(in, "vpc");
    put(call, kVpc, id, vpc);
    auto group = new_id("sg");
    put(call, kGroup, group, default_group(scope(call), group, id));
    return Json::object({{"vpc", vpc}});
  }
  Json delete_vpc(const Call& call) {
    auto id = Input(call.input, kBad).text("VpcId");
    auto in_use = state_.read([&](Tables& tables) {
      auto subnets = tables.list(kSubnet, scope(call));
      return std::any_of(subnets.begin(), subnets.end(),
                         [&](const Stored& each) { return each.body.get_string("vpcId") == id; });
    });
    if (in_use)
      throw Refusal("DependencyViolation",
                    fmt::format("The vpc '{}' has dependencies and cannot be deleted.", id));
    auto answer = erase(call, kVpc, id, "InvalidVpcID.NotFound", "vpc");
    state_.write([&](Tables& tables) {
      for (const auto& group : tables.list(kGroup, scope(call))) {
        if (group.body.get_string("vpcId") == id) tables.erase(kGroup, scope(call), group.id);
      }
    });
    return answer;
  }
  Json modify_vpc_attribute(const Call& call) {
    Input in(call.input, kBad);
    auto id = in.text("VpcId");
    auto vpc = need(call, kVpc, id, "InvalidVpcID.NotFound", "vpc");
    for (const auto& [given, member] : {std::pair("EnableDnsHostnames", "enableDnsHostnames"),
                                        std::pair("EnableDnsSupport", "enableDnsSupport")}) {
      if (const auto* value = call.input.find(given))
        vpc[member] = Input(*value, kBad).boolean_or("Value", false);
    }
    put(call, kVpc, id, vpc);
    return Json::object({{"return", true}});
  }
  Json create_subnet(const Call& call) {
    Input in(call.input, kBad);
    auto vpc = in.text("VpcId");
    need(call, kVpc, vpc, "InvalidVpcID.NotFound", "vpc");
    auto id = new_id("subnet");
    auto subnet = subnet_json(scope(call), id, vpc, in.text("CidrBlock"),
                              in.text_or("AvailabilityZone", call.region + "a"), false);
    subnet["tagSet"] = tags_of(in, "subnet");
    put(call, kSubnet, id, subnet);
    return Json::object({{"subnet", subnet}});
  }
  Json delete_subnet(const Call& call) {
    return erase(call, kSubnet, Input(call.input, kBad).text("SubnetId"),
                 "InvalidSubnetID.NotFound", "subnet");
  }
  Json modify_subnet_attribute(const Call& call) {
    auto id = Input(call.input, kBad).text("SubnetId");
    auto subnet = need(call, kSubnet, id, "InvalidSubnetID.NotFound", "subnet");
    if (const auto* value = call.input.find("MapPublicIpOnLaunch"))
      subnet["mapPublicIpOnLaunch"] = Input(*value, kBad).boolean_or("Value", false);
    put(call, kSubnet, id, subnet);
    return Json::object({{"return", true}});
  }

  Json create_security_group(const Call& call) {
    Input in(call.input, kBad);
    auto name = in.text("GroupName");
    auto made = state_.read(
        [&](Tables& tables) { return tables.get("ec2.defaults", scope(call), "made"); });
    auto vpc = in.text_or("VpcId", made->get_string("vpc"));
    need(call, kVpc, vpc, "InvalidVpcID.NotFound", "vpc");
    for (const auto& stored :
         state_.read([&](Tables& tables) { return tables.list(kGroup, scope(call)); })) {
      if (stored.body.get_string("vpcId") == vpc && stored.body.get_string("groupName") == name) {
        throw Refusal(
            "InvalidGroup.Duplicate",
            fmt::format("The security group '{}' already exists for VPC '{}'", name, vpc));
      }
    }
    auto id = new_id("sg");
    auto group = group_json(scope(call), id, name, in.text("GroupDescription"), vpc);
    group["tagSet"] = tags_of(in, "security-group");
    put(call, kGroup, id, group);
    return Json::object({{"groupId", id}, {"tagSet", group.at("tagSet")}});
  }
  Json delete_security_group(const Call& call) {
    Input in(call.input, kBad);
    auto id = in.text("GroupId");
    auto group = need(call, kGroup, id, "InvalidGroup.NotFound", "security group");
    if (group.get_string("groupName") == "default")
      throw Refusal(
          "CannotDelete",
          fmt::format("the specified group: \"{}\" name: \"default\" cannot be deleted by a user",
                      id));
    return erase(call, kGroup, id, "InvalidGroup.NotFound", "security group");
  }
  // One of IpPermissions.N, in the names of answers.
  static Json read_permission(const Json& given) {
    Input in(given, kBad);
    Json permission = Json::object({{"ipProtocol", in.text_or("IpProtocol", "-1")}});
    if (auto from = in.optional_integer("FromPort")) permission["fromPort"] = *from;
    if (auto to = in.optional_integer("ToPort")) permission["toPort"] = *to;
    auto renamed = [&](std::string_view key,
                       std::initializer_list<std::pair<std::string_view, std::string_view>> names) {
      Json list = Json::array({});
      for (const auto& each : in.items(key)) {
        Json item = Json::object({});
        for (const auto& [from, to] : names) {
          if (const auto* value = each.find(from)) item[to] = *value;
        }
        list.push_back(std::move(item));
      }
      return list;
    };
    permission["groups"] = renamed(
        "Groups", {{"UserId", "userId"}, {"GroupId", "groupId"}, {"Description", "description"}});
    permission["ipRanges"] =
        renamed("IpRanges", {{"CidrIp", "cidrIp"}, {"Description", "description"}});
    permission["ipv6Ranges"] =
        renamed("Ipv6Ranges", {{"CidrIpv6", "cidrIpv6"}, {"Description", "description"}});
    permission["prefixListIds"] = Json::array({});
    return permission;
  }
  std::vector<Json> given_permissions(const Call& call) {
    Input in(call.input, kBad);
    std::vector<Json> permissions;
    for (const auto& each : in.items("IpPermissions")) permissions.push_back(read_permission(each));
    if (permissions.empty()) {
      Json flat = call.input;
      if (auto cidr = in.optional_text("CidrIp"))
        flat["IpRanges"] = Json::array({Json::object({{"CidrIp", *cidr}})});
      permissions.push_back(read_permission(flat));
    }
    return permissions;
  }
  Json authorize(const Call& call) {
    auto key = call.operation.ends_with("Egress") ? "ipPermissionsEgress" : "ipPermissions";
    auto id = Input(call.input, kBad).text("GroupId");
    auto group = need(call, kGroup, id, "InvalidGroup.NotFound", "security group");
    for (auto& permission : given_permissions(call)) {
      const auto& have = group.get_array(key);
      if (std::find(have.begin(), have.end(), permission) != have.end()) {
        throw Refusal("InvalidPermission.Duplicate", "the specified rule already exists");
      }
      group[key].push_back(std::move(permission));
    }
    put(call, kGroup, id, group);
    security_.rules_changed();
    return Json::object({{"return", true}, {"securityGroupRuleSet", Json::array({})}});
  }
  // The list under `set` with what the filters leave, whose names are those of `members` with dashes.
  static Json filtered(const Call& call, std::string_view set, const std::vector<Json>& items,
                       const std::map<std::string, std::string>& members) {
    Input in(call.input, kBad);
    Json list = Json::array({});
    for (const auto& item : items) {
      bool passes = true;
      for (const auto& filter : in.items("Filter")) {
        auto member = members.find(filter.get_string("Name"));
        if (member == members.end())
          throw Refusal("InvalidParameterValue",
                        fmt::format("The filter '{}' is invalid", filter.get_string("Name")));
        const auto& wanted = filter.get_array("Value");
        passes = passes && std::any_of(wanted.begin(), wanted.end(), [&](const Json& each) {
                   return iam::matches_pattern(each.as_string(), item.get_string(member->second));
                 });
      }
      if (passes) list.push_back(item);
    }
    Json answer = Json::object({});
    answer[set] = std::move(list);
    return answer;
  }
  Json describe_tags(const Call& call) {
    std::vector<Json> tags;
    for (const auto& [kind, type] :
         {std::pair{kVpc, "vpc"}, {kSubnet, "subnet"}, {kGroup, "security-group"}}) {
      for (const auto& each : state_.read(
               [&, kind = kind](Tables& tables) { return tables.list(kind, scope(call)); })) {
        for (const auto& tag : each.body.get_array("tagSet")) {
          tags.push_back(Json::object({{"resourceId", each.id},
                                       {"resourceType", type},
                                       {"key", tag.get_string("key")},
                                       {"value", tag.get_string("value")}}));
        }
      }
    }
    return filtered(call, "tagSet", tags,
                    {{"resource-id", "resourceId"},
                     {"resource-type", "resourceType"},
                     {"key", "key"},
                     {"value", "value"}});
  }
  Json describe_security_group_rules(const Call& call) {
    std::vector<Json> rules;
    for (const auto& each :
         state_.read([&](Tables& tables) { return tables.list(kGroup, scope(call)); })) {
      for (const auto* key : {"ipPermissions", "ipPermissionsEgress"}) {
        for (const auto& permission : each.body.get_array(key)) {
          for (const auto& range : permission.get_array("ipRanges")) {
            std::string cidr = range.get_string("cidrIp");
            auto id = "sgr-" +
                      formats::sha256_hex(each.id + key + permission.dump() + cidr).substr(0, 17);
            Json rule = Json::object({{"securityGroupRuleId", id},
                                      {"groupId", each.id},
                                      {"groupOwnerId", call.account},
                                      {"isEgress", key != std::string_view("ipPermissions")},
                                      {"ipProtocol", permission.get_string("ipProtocol")},
                                      {"cidrIpv4", cidr},
                                      {"tagSet", Json::array({})}});
            rule["fromPort"] =
                permission.contains("fromPort") ? permission.at("fromPort") : Json(-1);
            rule["toPort"] = permission.contains("toPort") ? permission.at("toPort") : Json(-1);
            if (range.contains("description")) rule["description"] = range.at("description");
            rules.push_back(std::move(rule));
          }
        }
      }
    }
    return filtered(call, "securityGroupRuleSet", rules,
                    {{"group-id", "groupId"}, {"security-group-rule-id", "securityGroupRuleId"}});
  }
  Json revoke(const Call& call) {
    auto key = call.operation.ends_with("Egress") ? "ipPermissionsEgress" : "ipPermissions";
    auto id = Input(call.input, kBad).text("GroupId");
    auto group = need(call, kGroup, id, "InvalidGroup.NotFound", "security group");
    for (const auto& permission : given_permissions(call)) {
      if (std::erase(group[key].as_array(), permission) == 0) {
        throw Refusal("InvalidPermission.NotFound",
                      "The specified rule does not exist in this security group.");
      }
    }
    put(call, kGroup, id, group);
    security_.rules_changed();
    return Json::object({{"return", true}});
  }

  Json change_tags(const Call& call) {
    Input in(call.input, kBad);
    for (const auto& id : in.texts("ResourceId")) {
      auto kind = id.starts_with("vpc-") ? kVpc : id.starts_with("subnet-") ? kSubnet : kGroup;
      auto resource = need(call, kind, id, "InvalidID", "resource");
      for (const auto& tag : in.items("Tag")) {
        std::erase_if(resource["tagSet"].as_array(), [&](const Json& each) {
          return each.get_string("key") == tag.get_string("Key");
        });
        if (call.operation == "CreateTags")
          resource["tagSet"].push_back(
              Json::object({{"key", tag.get_string("Key")}, {"value", tag.get_string("Value")}}));
      }
      put(call, kind, id, resource);
    }
    return Json::object({{"return", true}});
  }

  State& state_;
  SecurityGroups& security_;
};

const Operations<Ec2>& Ec2::operations() {
  static const Operations<Ec2> table = {
      {"AuthorizeSecurityGroupEgress", &Ec2::authorize},
      {"AuthorizeSecurityGroupIngress", &Ec2::authorize},
      {"CreateSecurityGroup", &Ec2::create_security_group},
      {"CreateSubnet", &Ec2::create_subnet},
      {"CreateTags", &Ec2::change_tags},
      {"CreateVpc", &Ec2::create_vpc},
      {"DeleteSecurityGroup", &Ec2::delete_security_group},
      {"DeleteSubnet", &Ec2::delete_subnet},
      {"DeleteTags", &Ec2::change_tags},
      {"DeleteVpc", &Ec2::delete_vpc},
      {"DescribeAccountAttributes", &Ec2::describe_account_attributes},
      {"DescribeAvailabilityZones", &Ec2::describe_availability_zones},
      {"DescribeInstances", &Ec2::describe_nothing},
      {"DescribeInternetGateways", &Ec2::describe_nothing},
      {"DescribeNatGateways", &Ec2::describe_nothing},
      {"DescribeNetworkAcls", &Ec2::describe_nothing},
      {"DescribeNetworkInterfaces", &Ec2::describe_nothing},
      {"DescribeRegions", &Ec2::describe_regions},
      {"DescribeRouteTables", &Ec2::describe_route_tables},
      {"DescribeSecurityGroups", &Ec2::describe_security_groups},
      {"DescribeSecurityGroupRules", &Ec2::describe_security_group_rules},
      {"DescribeSubnets", &Ec2::describe_subnets},
      {"DescribeTags", &Ec2::describe_tags},
      {"DescribeVpcAttribute", &Ec2::describe_vpc_attribute},
      {"DescribeVpcEndpoints", &Ec2::describe_nothing},
      {"DescribeVpcs", &Ec2::describe_vpcs},
      {"ModifySubnetAttribute", &Ec2::modify_subnet_attribute},
      {"ModifyVpcAttribute", &Ec2::modify_vpc_attribute},
      {"RevokeSecurityGroupEgress", &Ec2::revoke},
      {"RevokeSecurityGroupIngress", &Ec2::revoke},
  };
  return table;
}

}  // namespace

std::unique_ptr<Service> make_ec2(const Surroundings& around) {
  return std::make_unique<Ec2>(around);
}

}  // namespace slipway::cloud::ec2
