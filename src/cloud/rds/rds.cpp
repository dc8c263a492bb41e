// SPDX-License-Identifier: Apache-2.0
#include "cloud/rds/rds.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/error.hpp"
#include "base/guarded.hpp"
#include "base/text.hpp"
#include "cloud/input.hpp"
#include "cloud/rds/postgres.hpp"
#include "cloud/state.hpp"
#include "formats/sha256.hpp"
#include "net/stream.hpp"
#include "os/file.hpp"

namespace slipway::cloud::rds {
namespace {

constexpr std::string_view kBad = "InvalidParameterValue";
constexpr std::string_view kKind = "rds.instance";
constexpr std::string_view kSubnetGroup = "rds.subnet-group";

// RDS's lists come as {"Tag": […]} : the wire name of their items.
std::vector<Json> items_named(const Json& input, std::string_view key, std::string_view item) {
  const auto* list = input.find(key);
  if (list == nullptr) return {};
  const auto* inner = list->is_object() ? list->find(item) : list;
  return inner != nullptr && inner->is_array() ? inner->as_array() : std::vector<Json>{};
}

Json named_list(std::string_view item, std::vector<Json> items) {
  Json list = Json::object({});
  list["*" + std::string(item)] = Json(std::move(items));
  return list;
}

bool is_identifier(std::string_view text, std::size_t most) {
  if (text.empty() || text.size() > most || text.ends_with('-') ||
      text.find("--") != std::string_view::npos)
    return false;
  bool starts = (text[0] >= 'a' && text[0] <= 'z') || (text[0] >= 'A' && text[0] <= 'Z');
  return starts && text.find_first_not_of(
                       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") ==
                       std::string_view::npos;
}

Refusal no_instance(const std::string& id) {
  return {"DBInstanceNotFound", fmt::format("DBInstance {} not found.", id), 404};
}

class Rds final : public Service {
 public:
  explicit Rds(const Surroundings& around)
      : around_(around), state_(around.state), log_(around.log) {}

  [[nodiscard]] const ServiceDescription& description() const override {
    static const ServiceDescription about{
        .signing_name = "rds",
        .target_prefix = "",
        .api_version = "2014-10-31",
        .xml_namespace = "http://rds.amazonaws.com/doc/2014-10-31/",
        .protocol = Protocol::query,
        .host_prefixes = {"rds"},
        .action_prefix = ""};
    return about;
  }
  [[nodiscard]] bool has(std::string_view operation) const override {
    return operations().contains(operation);
  }
  [[nodiscard]] std::vector<Permission> permissions(const Call& call) const override {
    Input in(call.input, kBad);
    std::string resource = "*";
    if (auto id = in.optional_text("DBInstanceIdentifier")) {
      resource = instance_arn(scope(call), *id);
    } else if (auto group = in.optional_text("DBSubnetGroupName")) {
      resource = arn("rds", call.region, call.account, "subgrp:" + *group);
    } else if (auto name = in.optional_text("ResourceName")) {
      resource = *name;
    }
    return {Permission{.action = "rds:" + call.operation, .resource = resource, .context = {}}};
  }
  Json call(const Call& call) override { return dispatch(*this, operations(), call); }
  void run(std::stop_token stop) override;

 private:
  static const Operations<Rds>& operations();
  static Scope scope(const Call& call) { return {call.account, call.region}; }
  static std::string instance_arn(const Scope& scope, std::string_view id) {
    return arn("rds", scope.region, scope.account, fmt::format("db:{}", to_lower(id)));
  }
  [[nodiscard]] std::filesystem::path directory(const Scope& scope, const std::string& id) const {
    return around_.options.state / "cloud" / "rds" / scope.account / scope.region / id;
  }
  [[nodiscard]] std::vector<std::string> addresses() const {
    std::vector<std::string> all = {"127.0.0.1"};
    if (!around_.options.gateway.empty()) all.push_back(around_.options.gateway);
    return all;
  }
  void wake() {
    work_.with([](int& rounds) { ++rounds; });
  }

  // The first port from `wanted` on that no instance has and nobody listens on.
  std::uint16_t choose_port(std::int64_t wanted) {
    std::set<std::int64_t> taken;
    for (const auto& [where, stored] :
         state_.read([](Tables& tables) { return tables.list_everywhere(kKind); }))
      taken.insert(stored.body.get_int("port"));
    for (auto port = wanted; port < std::min<std::int64_t>(wanted + 1000, 65'536); ++port) {
      if (taken.contains(port)) continue;
      try {
        for (const auto& address : addresses())
          net::listen_tcp(fmt::format("{}:{}", address, port));
        return static_cast<std::uint16_t>(port);
      } catch (const Error&) {
        // taken by someone else: the next
      }
    }
    fail(Fault::unavailable, "no free port from {} on for a database", wanted);
  }

  Json instance_json(const Scope& where, const Json& instance) {
    auto id = instance.get_string("id");
    Json shown = Json::object({{"DBInstanceIdentifier", id},
                               {"DBInstanceClass", instance.at("class")},
                               {"Engine", "postgres"},
                               {"DBInstanceStatus", instance.at("status")},
                               {"MasterUsername", instance.at("user")}});
    if (!instance.get_string("database").empty()) shown["DBName"] = instance.at("database");
    if (instance.get_string("status") != "creating") {
      shown["Endpoint"] = Json::object({{"Address", address_of(where, id)},
                                        {"Port", instance.at("port")},
                                        {"HostedZoneId", "Z2R2ITUGPM61AM"}});
    }
    shown["AllocatedStorage"] = instance.at("storage");
    shown["InstanceCreateTime"] = instance.at("created");
    shown["PreferredBackupWindow"] = "03:00-03:30";
    shown["BackupRetentionPeriod"] = 0;
    shown["DBSecurityGroups"] = Json::array({});
    std::vector<Json> groups;
    for (const auto& group : instance.get_array("security_groups"))
      groups.push_back(Json::object({{"VpcSecurityGroupId", group}, {"Status", "active"}}));
    shown["VpcSecurityGroups"] = named_list("VpcSecurityGroupMembership", std::move(groups));
    shown["DBParameterGroups"] =
        named_list("DBParameterGroup",
                   {Json::object({{"DBParameterGroupName", "default.postgres" + major(instance)},
                                  {"ParameterApplyStatus", "in-sync"}})});
    shown["AvailabilityZone"] = where.region + "a";
    if (auto group = instance.get_string("subnet_group"); !group.empty()) {
      if (auto stored =
              state_.read([&](Tables& tables) { return tables.get(kSubnetGroup, where, group); }))
        shown["DBSubnetGroup"] = subnet_group_json(where, *stored);
    }
    shown["PreferredMaintenanceWindow"] = "sun:04:00-sun:04:30";
    shown["PendingModifiedValues"] = Json::object({});
    shown["MultiAZ"] = false;
    shown["EngineVersion"] = instance.at("version");
    shown["AutoMinorVersionUpgrade"] = true;
    shown["ReadReplicaDBInstanceIdentifiers"] = Json::array({});
    shown["LicenseModel"] = "postgresql-license";
    shown["OptionGroupMemberships"] =
        named_list("OptionGroupMembership",
                   {Json::object({{"OptionGroupName", "default:postgres-" + major(instance)},
                                  {"Status", "in-sync"}})});
    shown["PubliclyAccessible"] = false;
    shown["StorageType"] = "gp3";
    shown["DbInstancePort"] = 0;
    shown["StorageEncrypted"] = false;
    shown["DbiResourceId"] = instance.at("resource_id");
    shown["CACertificateIdentifier"] = "rds-ca-rsa2048-g1";
    shown["DomainMemberships"] = Json::array({});
    shown["CopyTagsToSnapshot"] = false;
    shown["MonitoringInterval"] = 0;
    shown["DBInstanceArn"] = instance_arn(where, id);
    shown["IAMDatabaseAuthenticationEnabled"] = false;
    shown["PerformanceInsightsEnabled"] = false;
    shown["DeletionProtection"] = instance.get_bool("protected");
    shown["AssociatedRoles"] = Json::array({});
    shown["TagList"] = named_list("Tag", instance.get_array("tags"));
    shown["CustomerOwnedIpEnabled"] = false;
    return shown;
  }
  static std::string major(const Json& instance) {
    auto version = instance.get_string("version");
    return version.substr(0, version.find('.'));
  }
  // The name as AWS makes it; it resolves inside the cloud's network. With no network the server is on loopback only.
  std::string address_of(const Scope& where, const std::string& id) const {
    if (around_.options.gateway.empty()) return "127.0.0.1";
    auto account_part = "c" + formats::sha256_hex(where.account + where.region).substr(0, 11);
    return fmt::format("{}.{}.{}.rds.amazonaws.com", id, account_part, where.region);
  }

  Json create(const Call& call) {
    Input in(call.input, kBad);
    auto id = to_lower(in.text("DBInstanceIdentifier"));
    if (!is_identifier(id, 63))
      in.refuse(
          "The parameter DBInstanceIdentifier is not a valid identifier. Identifiers must begin "
          "with a letter; must contain only ASCII letters, digits, and hyphens; and must not end "
          "with a hyphen or contain two consecutive hyphens.");
    auto engine = in.text("Engine");
    if (engine != "postgres")
      in.refuse(fmt::format("slipway: engine '{}' is not supported yet: only postgres is", engine));
    auto programs = find_postgres(call.stop);
    if (!programs)
      throw Refusal("InsufficientDBInstanceCapacity",
                    "PostgreSQL is not installed on this machine: apt-get install postgresql", 400);
    auto wanted = in.text_or("EngineVersion", programs->version);
    if (wanted.substr(0, wanted.find('.')) !=
        programs->version.substr(0, programs->version.find('.'))) {
      throw Refusal("InvalidParameterCombination",
                    fmt::format("Cannot find version {} for postgres: version {} is installed here",
                                wanted, programs->version));
    }
    auto user = in.text("MasterUsername");
    if (!is_identifier(replace_all(user, "_", "a"), 63) || user == "rdsadmin" ||
        user.starts_with("pg_"))
      in.refuse(fmt::format(
          "MasterUsername {} cannot be used as it is a reserved word used by the engine", user));
    auto password = in.text_or("MasterUserPassword");
    if (password.size() < 8 || password.size() > 128 ||
        password.find_first_of("/@\" ") != std::string::npos) {
      in.refuse(
          "The parameter MasterUserPassword is not a valid password. Only printable ASCII "
          "characters besides '/', '@', '\"', ' ' may be used, and it must be 8 to 128 characters "
          "long.");
    }
    auto wanted_port = in.integer_or("Port", 5432);
    if (wanted_port < 1150 || wanted_port > 65'535)
      in.refuse(fmt::format("Invalid database port: {}. Valid ports are 1150-65535", wanted_port));
    std::lock_guard creating(creating_);
    Json groups = Json::array({});
    for (const auto& each : items_named(call.input, "VpcSecurityGroupIds", "VpcSecurityGroupId"))
      groups.push_back(each);
    Json instance = Json::object({{"id", id},
                                  {"class", in.text("DBInstanceClass")},
                                  {"user", user},
                                  {"database", in.text_or("DBName")},
                                  {"version", programs->version},
                                  {"storage", in.integer_or("AllocatedStorage", 20)},
                                  {"port", choose_port(wanted_port)},
                                  {"status", "creating"},
                                  {"password", password},
                                  {"created", formats::iso8601_millis(call.now)},
                                  {"resource_id", "db-" + random_id(26)},
                                  {"protected", in.boolean_or("DeletionProtection", false)},
                                  {"security_groups", groups},
                                  {"subnet_group", in.text_or("DBSubnetGroupName")},
                                  {"tags", Json(items_named(call.input, "Tags", "Tag"))}});
    state_.write([&](Tables& tables) {
      if (tables.get(kKind, scope(call), id))
        throw Refusal("DBInstanceAlreadyExists", "DB instance already exists", 400);
      auto group = instance.get_string("subnet_group");
      if (!group.empty() && !tables.get(kSubnetGroup, scope(call), group))
        throw Refusal("DBSubnetGroupNotFoundFault",
                      fmt::format("DB subnet group '{}' does not exist.", group), 404);
      tables.put(kKind, scope(call), id, instance);
    });
    wake();
    return Json::object({{"DBInstance", instance_json(scope(call), instance)}});
  }

  Json describe(const Call& call) {
    Input in(call.input, kBad);
    std::vector<Json> shown;
    auto id = in.optional_text("DBInstanceIdentifier");
    for (const auto& stored :
         state_.read([&](Tables& tables) { return tables.list(kKind, scope(call)); })) {
      if (!id || stored.id == to_lower(*id) || *id == instance_arn(scope(call), stored.id))
        shown.push_back(instance_json(scope(call), stored.body));
    }
    if (id && shown.empty()) throw no_instance(*id);
    return Json::object({{"DBInstances", named_list("DBInstance", std::move(shown))}});
  }

  // Changes the instance that the call names and wakes the supervisor.
  template <typename Change>
  Json change(const Call& call, Change&& how) {
    auto id = to_lower(Input(call.input, kBad).text("DBInstanceIdentifier"));
    auto changed = state_.write([&](Tables& tables) {
      auto instance = tables.get(kKind, scope(call), id);
      if (!instance) throw no_instance(id);
      how(*instance);
      tables.put(kKind, scope(call), id, *instance);
      return *instance;
    });
    wake();
    return Json::object({{"DBInstance", instance_json(scope(call), changed)}});
  }
  static void need_status(const Json& instance, std::string_view status) {
    if (instance.get_string("status") != status) {
      throw Refusal(
          "InvalidDBInstanceState",
          fmt::format("Instance {} is not in {} state.", instance.get_string("id"), status), 400);
    }
  }
  Json remove(const Call& call) {
    Input in(call.input, kBad);
    return change(call, [&](Json& instance) {
      if (instance.get_bool("protected"))
        throw Refusal("InvalidParameterCombination",
                      "Cannot delete protected DB Instance, please disable deletion protection and "
                      "try again.",
                      400);
      if (!in.boolean_or("SkipFinalSnapshot", false)) {
        throw Refusal(
            "InvalidParameterCombination",
            "slipway: final snapshots are not supported yet: delete with SkipFinalSnapshot", 400);
      }
      if (instance.get_string("status") == "deleting")
        throw Refusal(
            "InvalidDBInstanceState",
            fmt::format("Instance {} is already being deleted.", instance.get_string("id")), 400);
      instance["status"] = "deleting";
    });
  }
  Json modify(const Call& call) {
    Input in(call.input, kBad);
    return change(call, [&](Json& instance) {
      if (auto protect = in.optional_text("DeletionProtection"))
        instance["protected"] = *protect == "true";
      if (auto kind = in.optional_text("DBInstanceClass")) instance["class"] = *kind;
      if (auto storage = in.optional_integer("AllocatedStorage")) instance["storage"] = *storage;
      if (auto password = in.optional_text("MasterUserPassword")) {
        need_status(instance, "available");
        instance["password"] = *password;
        instance["status"] = "resetting-master-credentials";
      }
    });
  }
  Json start(const Call& call) {
    return change(call, [](Json& instance) {
      need_status(instance, "stopped");
      instance["status"] = "starting";
    });
  }
  Json halt(const Call& call) {
    return change(call, [](Json& instance) {
      need_status(instance, "available");
      instance["status"] = "stopping";
    });
  }
  Json reboot(const Call& call) {
    return change(call, [](Json& instance) {
      need_status(instance, "available");
      instance["status"] = "rebooting";
    });
  }

  Json describe_engine_versions(const Call& call) {
    auto programs = find_postgres(call.stop);
    std::vector<Json> versions;
    auto engine = Input(call.input, kBad).text_or("Engine", "postgres");
    if (programs && engine == "postgres") {
      auto family = programs->version.substr(0, programs->version.find('.'));
      versions.push_back(
          Json::object({{"Engine", "postgres"},
                        {"EngineVersion", programs->version},
                        {"DBParameterGroupFamily", "postgres" + family},
                        {"DBEngineDescription", "PostgreSQL"},
                        {"DBEngineVersionDescription", "PostgreSQL " + programs->version},
                        {"ValidUpgradeTarget", Json::array({})},
                        {"ExportableLogTypes", Json::array({})},
                        {"SupportsLogExportsToCloudwatchLogs", false},
                        {"SupportsReadReplica", false},
                        {"Status", "available"}}));
    }
    return Json::object({{"DBEngineVersions", named_list("DBEngineVersion", std::move(versions))}});
  }

  static Json subnet_group_json(const Scope& where, const Json& group) {
    std::vector<Json> subnets;
    for (const auto& id : group.get_array("subnets")) {
      subnets.push_back(
          Json::object({{"SubnetIdentifier", id},
                        {"SubnetAvailabilityZone", Json::object({{"Name", where.region + "a"}})},
                        {"SubnetOutpost", Json::object({})},
                        {"SubnetStatus", "Active"}}));
    }
    return Json::object({{"DBSubnetGroupName", group.at("name")},
                         {"DBSubnetGroupDescription", group.at("description")},
                         {"VpcId", group.at("vpc")},
                         {"SubnetGroupStatus", "Complete"},
                         {"Subnets", named_list("Subnet", std::move(subnets))},
                         {"DBSubnetGroupArn", arn("rds", where.region, where.account,
                                                  "subgrp:" + group.get_string("name"))}});
  }
  Json create_subnet_group(const Call& call) {
    Input in(call.input, kBad);
    auto name = to_lower(in.text("DBSubnetGroupName"));
    Json group =
        Json::object({{"name", name},
                      {"description", in.text("DBSubnetGroupDescription")},
                      {"subnets", Json(items_named(call.input, "SubnetIds", "SubnetIdentifier"))},
                      {"tags", Json(items_named(call.input, "Tags", "Tag"))}});
    return state_.write([&](Tables& tables) {
      std::string vpc;
      for (const auto& id : group.get_array("subnets")) {
        auto subnet = tables.get("ec2.subnet", scope(call), id.as_string());
        if (!subnet)
          throw Refusal("InvalidSubnet", fmt::format("Subnet {} does not exist", id.as_string()),
                        400);
        vpc = subnet->get_string("vpcId");
      }
      group["vpc"] = vpc;
      if (tables.get(kSubnetGroup, scope(call), name))
        throw Refusal("DBSubnetGroupAlreadyExists",
                      fmt::format("The DB subnet group '{}' already exists.", name), 400);
      tables.put(kSubnetGroup, scope(call), name, group);
      return Json::object({{"DBSubnetGroup", subnet_group_json(scope(call), group)}});
    });
  }
  Json describe_subnet_groups(const Call& call) {
    auto name = Input(call.input, kBad).optional_text("DBSubnetGroupName");
    std::vector<Json> shown;
    for (const auto& stored :
         state_.read([&](Tables& tables) { return tables.list(kSubnetGroup, scope(call)); })) {
      if (!name || stored.id == to_lower(*name))
        shown.push_back(subnet_group_json(scope(call), stored.body));
    }
    if (name && shown.empty())
      throw Refusal("DBSubnetGroupNotFoundFault",
                    fmt::format("DB subnet group '{}' does not exist.", *name), 404);
    return Json::object({{"DBSubnetGroups", named_list("DBSubnetGroup", std::move(shown))}});
  }
  Json delete_subnet_group(const Call& call) {
    auto name = to_lower(Input(call.input, kBad).text("DBSubnetGroupName"));
    if (!state_.write(
            [&](Tables& tables) { return tables.erase(kSubnetGroup, scope(call), name); })) {
      throw Refusal("DBSubnetGroupNotFoundFault",
                    fmt::format("DB subnet group '{}' does not exist.", name), 404);
    }
    return {};
  }

  // Tags, of instances and subnet groups, by ARN.
  template <typename Change>
  Json change_tags(const Call& call, Change&& how) {
    auto name = Input(call.input, kBad).text("ResourceName");
    auto parsed = parse_arn(name);
    bool is_group = parsed && parsed->resource.starts_with("subgrp:");
    if (!parsed || (!is_group && !parsed->resource.starts_with("db:")))
      throw Refusal(std::string(kBad), fmt::format("Invalid resource name: {}", name));
    auto id = parsed->resource.substr(parsed->resource.find(':') + 1);
    auto kind = is_group ? kSubnetGroup : kKind;
    return state_.write([&](Tables& tables) {
      auto resource = tables.get(kind, scope(call), id);
      if (!resource) throw no_instance(id);
      Json answer = how(*resource);
      tables.put(kind, scope(call), id, *resource);
      return answer;
    });
  }
  Json list_tags(const Call& call) {
    return change_tags(call, [](Json& resource) {
      return Json::object({{"TagList", named_list("Tag", resource.get_array("tags"))}});
    });
  }
  Json add_tags(const Call& call) {
    return change_tags(call, [&](Json& resource) {
      for (const auto& tag : items_named(call.input, "Tags", "Tag")) {
        std::erase_if(resource["tags"].as_array(), [&](const Json& each) {
          return each.get_string("Key") == tag.get_string("Key");
        });
        resource["tags"].push_back(tag);
      }
      return Json();
    });
  }
  Json remove_tags(const Call& call) {
    return change_tags(call, [&](Json& resource) {
      for (const auto& key : Input(call.input, kBad).texts("TagKeys"))
        std::erase_if(resource["tags"].as_array(),
                      [&](const Json& each) { return each.get_string("Key") == key; });
      return Json();
    });
  }

  // The supervisor, on its own thread.
  struct Key {
    Scope where;
    std::string id;
    [[nodiscard]] std::string str() const { return where.account + "/" + where.region + "/" + id; }
  };
  Postgres& server_of(const Key& key, const Json& instance);
  void tend(const Key& key, Json instance, const std::stop_token& stop);
  void set_status(const Key& key, std::string_view status, bool forget_password = false);
  void bring_up(const Key& key, Postgres& server, const std::stop_token& stop);

  const Surroundings& around_;
  State& state_;
  Log& log_;
  std::mutex creating_;  // held from choosing a port until the instance is stored
  Guarded<int> work_;    // counts the reasons to look again
  std::map<std::string, std::unique_ptr<Postgres>> servers_;  // the supervisor's own
};

Postgres& Rds::server_of(const Key& key, const Json& instance) {
  auto& server = servers_[key.str()];
  if (!server) {
    server = std::make_unique<Postgres>(
        PostgresConfig{.directory = directory(key.where, key.id),
                       .master_user = instance.get_string("user"),
                       .database = instance.get_string("database"),
                       .port = static_cast<std::uint16_t>(instance.get_int("port")),
                       .addresses = addresses()});
  }
  return *server;
}

void Rds::set_status(const Key& key, std::string_view status, bool forget_password) {
  state_.write([&](Tables& tables) {
    auto instance = tables.get(kKind, key.where, key.id);
    if (!instance) return;
    (*instance)["status"] = status;
    if (forget_password) instance->erase("password");
    tables.put(kKind, key.where, key.id, *instance);
  });
}

void Rds::bring_up(const Key& key, Postgres& server, const std::stop_token& stop) {
  auto programs = find_postgres(stop);
  if (!programs) fail(Fault::unavailable, "PostgreSQL is not installed on this machine");
  server.start(*programs, stop, Deadline::in(std::chrono::seconds(60)));
  log_.info("database {} takes connections on port {}", key.id, server.config().port);
}

// Takes an instance one step towards what its status says it is on the way to.
void Rds::tend(const Key& key, Json instance, const std::stop_token& stop) {
  auto status = instance.get_string("status");
  auto& server = server_of(key, instance);
  constexpr auto kGrace = std::chrono::seconds(15);
  if (status == "creating") {
    auto programs = find_postgres(stop);
    if (!programs) fail(Fault::unavailable, "PostgreSQL is not installed on this machine");
    if (!server.is_initialised())
      server.initialise(*programs, instance.get_string("password"), stop);
    bring_up(key, server, stop);
    set_status(key, "available", true);
  } else if (status == "available") {
    if (!server.is_running()) bring_up(key, server, stop);
  } else if (status == "starting" || status == "rebooting") {
    if (status == "rebooting") server.stop(kGrace);
    bring_up(key, server, stop);
    set_status(key, "available");
  } else if (status == "stopping") {
    server.stop(kGrace);
    set_status(key, "stopped");
  } else if (status == "resetting-master-credentials") {
    server.stop(kGrace);
    auto programs = find_postgres(stop);
    if (programs) server.set_password(*programs, instance.get_string("password"), stop);
    bring_up(key, server, stop);
    set_status(key, "available", true);
  } else if (status == "deleting") {
    server.stop(kGrace);
    servers_.erase(key.str());
    os::remove_tree(directory(key.where, key.id));
    state_.write([&](Tables& tables) { tables.erase(kKind, key.where, key.id); });
    log_.info("database {} is deleted", key.id);
  }
}

void Rds::run(std::stop_token stop) {
  int seen = -1;
  while (!stop.stop_requested()) {
    for (auto& [where, stored] :
         state_.read([](Tables& tables) { return tables.list_everywhere(kKind); })) {
      Key key{where, stored.id};
      try {
        tend(key, stored.body, stop);
      } catch (const Cancelled&) {
        break;
      } catch (const Error& error) {
        log_.error("database {}: {}", key.id, error.what());
        if (stored.body.get_string("status") != "available") set_status(key, "failed");
      }
    }
    work_.wait(
        stop, Deadline::in(std::chrono::seconds(1)), [&](int rounds) { return rounds != seen; },
        [&](int rounds) { seen = rounds; });
  }
  for (auto& [name, server] : servers_) server->stop(std::chrono::seconds(10));
  servers_.clear();
}

const Operations<Rds>& Rds::operations() {
  static const Operations<Rds> table = {
      {"AddTagsToResource", &Rds::add_tags},
      {"CreateDBInstance", &Rds::create},
      {"CreateDBSubnetGroup", &Rds::create_subnet_group},
      {"DeleteDBInstance", &Rds::remove},
      {"DeleteDBSubnetGroup", &Rds::delete_subnet_group},
      {"DescribeDBEngineVersions", &Rds::describe_engine_versions},
      {"DescribeDBInstances", &Rds::describe},
      {"DescribeDBSubnetGroups", &Rds::describe_subnet_groups},
      {"ListTagsForResource", &Rds::list_tags},
      {"ModifyDBInstance", &Rds::modify},
      {"RebootDBInstance", &Rds::reboot},
      {"RemoveTagsFromResource", &Rds::remove_tags},
      {"StartDBInstance", &Rds::start},
      {"StopDBInstance", &Rds::halt},
  };
  return table;
}

}  // namespace

std::unique_ptr<Service> make_rds(const Surroundings& around) {
  return std::make_unique<Rds>(around);
}

}  // namespace slipway::cloud::rds
