// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <filesystem>
#include <stop_token>
#include <string>

#include "cloud/ecs/engine.hpp"

// How tasks find each other by name: service discovery (Cloud Map and the DNS of the tasks' network) and Service Connect.
namespace slipway::cloud::ecs {

/// Checks what a service says of its names against its task definition, makes the Cloud Map services that Service Connect needs, and notes in
/// settings["connect"] what add_deployment() takes over: {enabled, namespace: ARN, services: [{portName, discoveryName, port, service: id,
/// clientAliases: [{dnsName, port}]}], given}.
///   default_namespace  the cluster's, for a configuration without one; may be empty
///   throws  Refusal InvalidParameterException, NamespaceNotFoundException
///   source  ECS API, ServiceConnectConfiguration, ServiceConnectService, ServiceRegistry
void settle_names(const Surroundings& around, ServiceRecord& service, const Json& definition,
                  const std::string& default_namespace);
/// throws Refusal InvalidParameterException when another service of the namespace has one of the service's aliases
void check_aliases_are_free(const World& world, const ServiceRecord& service);
/// The ARN of a Cloud Map namespace given by name or ARN, made when it is a name that there is none of; empty for an empty one.
std::string settled_namespace(const Surroundings& around, const Scope& scope,
                              const std::string& name_or_arn);

/// What a task that begins now is given by Service Connect: [{name, address, port, service}], an address of its own loopback for each name.
/// As on AWS a task knows the endpoints that there were when it started.
Json aliases_for(const World& world, const Task& task);
/// The lines of /etc/hosts for them.
std::string alias_lines(const Json& aliases);
/// Leads the aliases' addresses to the instances that there are, once before it returns.
void lead_aliases(Engine& engine, const Task& task, const std::filesystem::path& netns);
/// And again at each change, until `stop`.
void follow_aliases(Engine& engine, const Task& task, const std::filesystem::path& netns,
                    const std::stop_token& stop);

/// Makes a running task an instance of its service's Cloud Map services; its record says of which.
void register_names(Engine& engine, const std::string& key);
/// Tells them how its health checks find it.
void tell_names_health(Engine& engine, const std::string& key);
void deregister_names(Engine& engine, const std::string& key);

}  // namespace slipway::cloud::ecs
