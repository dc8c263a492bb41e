// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <map>
#include <string>

#include "deploy/calls.hpp"
#include "formats/json.hpp"

namespace slipway::deploy {

/// What templates in a task definition's texts may ask, by name: each takes its arguments and returns a text.
///   {{ env "NAME" "default" }}, {{ must_env "NAME" }}, {{ secretsmanager_arn "name" }}, {{ ssm "/path" }}, {{ tfstate "aws_vpc.main.id" }}
///   source  the functions of ecspresso, whose templates work here unchanged as far as they are these
using TemplateFunctions =
    std::map<std::string, std::function<std::string(const std::vector<std::string>&)>>;

/// The functions above.
///   environment  of `env` and `must_env`
///   tfstate      the text of a Terraform state file (version 4); empty: none was given
///   calls        for secretsmanager_arn and ssm; borrowed by what is returned; null: those two are refused
TemplateFunctions template_functions(const std::map<std::string, std::string>& environment,
                                     const std::string& tfstate, Calls* calls,
                                     const std::stop_token& stop);

/// Every text of the document with its templates filled in.
///   throws  Error{bad_input} naming the place ("containerDefinitions[0].image") and what is wrong
formats::Json expand_templates(const formats::Json& document, const TemplateFunctions& functions,
                               const std::string& file);
/// True when a text of the document has one.
bool has_templates(const formats::Json& document);

}  // namespace slipway::deploy
