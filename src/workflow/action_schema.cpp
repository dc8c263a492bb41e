// SPDX-License-Identifier: Apache-2.0
#include "workflow/schema.hpp"

namespace slipway::workflow {
namespace {

// source  docs.github.com, "Metadata syntax for GitHub Actions"
constexpr std::string_view kText = R"(
&composite = github inputs strategy matrix steps job runner env
&steps = github inputs strategy matrix steps job runner env hashFiles(1,255)
&status = always(0,0) failure(0,0) cancelled(0,0) success(0,0)

# The runner asks for runs only; name and description are the marketplace's wish.
action = {name: string, description: string, author: string, inputs: inputs, outputs: outputs, runs!: runs, branding: branding, *: any}
branding = {icon: string, color: <white yellow blue green orange red purple gray-dark>}
inputs = {*: input}
input = {description: string, required: boolean, default: input-default, deprecationMessage: string, *: any}
input-default github strategy matrix job runner hashFiles(1,255) = string
outputs = {*: output}
output = {description: string, value: output-value}
output-value @composite = string
runs-if @status runner github job strategy matrix env inputs hashFiles(1,255) = string
using = <docker node12 node16 node20 node24 composite>
runs = docker-runs | node-runs | composite-runs
docker-runs = {using!: using, image!: string!, entrypoint: string!, args: docker-args, env: docker-env, pre-entrypoint: string!, pre-if: runs-if, post-entrypoint: string!, post-if: runs-if}
docker-args = [docker-text]
docker-text inputs = string
docker-env inputs = {*: string}
node-runs = {using!: using, main!: string!, pre: string!, pre-if: runs-if, post: string!, post-if: runs-if}
composite-runs = {using!: using, steps!: composite-steps}
composite-steps = [composite-step]
composite-step = run-step | uses-step
run-step = {name: text, id: string!, if: step-if, run!: text, shell!: text, env: map, continue-on-error: flag, working-directory: text}
uses-step = {name: text, id: string!, if: step-if, uses!: string!, with: map, env: map, continue-on-error: flag}
text @steps = string
flag @steps = boolean
map @steps = {*: string}
step-if @steps @status = string
)";

}  // namespace

const Schema& action_schema() {
  static const Schema schema(kText);
  return schema;
}

}  // namespace slipway::workflow
