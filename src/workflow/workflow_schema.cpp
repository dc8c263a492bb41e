// SPDX-License-Identifier: Apache-2.0
#include "workflow/schema.hpp"

namespace slipway::workflow {
namespace {

// source  docs.github.com, "Workflow syntax for GitHub Actions", "Events that trigger workflows", "Contexts reference"
constexpr std::string_view kTextKind = R"(
&workflow  = github inputs vars
&needs     = github inputs vars needs
&job       = github inputs vars needs strategy matrix
&secret    = github inputs vars needs strategy matrix secrets
&runner    = github inputs vars needs strategy matrix secrets steps job runner env
&public    = github inputs vars needs strategy matrix steps job runner env
&step      = github inputs vars needs strategy matrix secrets steps job runner env hashFiles(1,255)
&job-status  = always(0,0) failure(0,MAX) cancelled(0,0) success(0,MAX)
&step-status = always(0,0) failure(0,0) cancelled(0,0) success(0,0)

workflow = {on!: on, name: string, description: string, run-name: run-name, defaults: defaults, env: workflow-env, permissions: permissions, concurrency: workflow-concurrency, jobs!: jobs}
run-name @workflow = string
defaults = {run: defaults-run}
defaults-run = {shell: string!, working-directory: string!}
workflow-env @workflow secrets = {*: string}
workflow-concurrency @workflow = string | concurrency-mapping
concurrency-mapping = {group!: string!, cancel-in-progress: boolean, queue: <single max>}

# Triggers
on = event-name | [event-name] | events
event-name = <branch_protection_rule check_run check_suite create delete deployment deployment_status discussion discussion_comment fork gollum image_version issue_comment issues label merge_group milestone page_build project project_card project_column public pull_request pull_request_comment pull_request_review pull_request_review_comment pull_request_target push registry_package release repository_dispatch schedule status watch workflow_call workflow_dispatch workflow_run>
patterns = string! | [string!]
cud = <created edited deleted>
cud-event = null | cud-mapping
cud-mapping = {types: cud | [cud]}
issues-type = <opened edited deleted transferred pinned unpinned closed reopened assigned unassigned labeled unlabeled locked unlocked milestoned demilestoned field_added field_removed typed untyped>
discussion-type = <created edited deleted transferred pinned unpinned labeled unlabeled locked unlocked category_changed answered unanswered>
pull-request-type = <assigned unassigned labeled unlabeled opened edited closed reopened synchronize converted_to_draft locked unlocked enqueued dequeued milestoned demilestoned ready_for_review review_requested review_request_removed auto_merge_enabled auto_merge_disabled stacked>
pull-request-mapping = {types: pull-request-type | [pull-request-type], branches: patterns, branches-ignore: patterns, paths: patterns, paths-ignore: patterns}
pull-request = null | pull-request-mapping
push = null | push-mapping
push-mapping = {branches: patterns, branches-ignore: patterns, tags: patterns, tags-ignore: patterns, paths: patterns, paths-ignore: patterns}
check-run-type = <completed created rerequested requested_action>
check-suite-type = <completed>
merge-group-type = <checks_requested>
milestone-type = <created closed opened edited deleted>
project-type = <created closed reopened edited deleted>
project-card-type = <created moved converted edited deleted>
project-column-type = <created updated moved deleted>
review-type = <submitted edited dismissed>
package-type = <published updated>
release-type = <published unpublished created edited deleted prereleased released>
watch-type = <started>
image-version-type = <created ready deleted>
workflow-run-type = <requested completed in_progress>
check-run = null | {types: check-run-type | [check-run-type]}
check-suite = null | {types: check-suite-type | [check-suite-type]}
discussion = null | {types: discussion-type | [discussion-type]}
image-version = null | {types: image-version-type | [image-version-type], names: patterns, versions: patterns}
issues = null | {types: issues-type | [issues-type]}
merge-group = null | {types: merge-group-type | [merge-group-type], branches: patterns, branches-ignore: patterns}
milestone = null | {types: milestone-type | [milestone-type]}
project = null | {types: project-type | [project-type]}
project-card = null | {types: project-card-type | [project-card-type]}
project-column = null | {types: project-column-type | [project-column-type]}
review = null | {types: review-type | [review-type]}
registry-package = null | {types: package-type | [package-type]}
release = null | {types: release-type | [release-type]}
repository-dispatch = null | {types: [string!]}
schedule = [cron]
cron = {cron!: string!, timezone: string!}
watch = null | {types: watch-type | [watch-type]}
workflow-run = null | {types: workflow-run-type | [workflow-run-type], workflows: patterns, branches: patterns, branches-ignore: patterns}
events = {branch_protection_rule: cud-event, check_run: check-run, check_suite: check-suite, create: null, delete: null, deployment: null, deployment_status: null, discussion: discussion, discussion_comment: cud-event, fork: null, gollum: null, image_version: image-version, issue_comment: cud-event, issues: issues, label: cud-event, merge_group: merge-group, milestone: milestone, page_build: null, project: project, project_card: project-card, project_column: project-column, public: null, pull_request: pull-request, pull_request_comment: cud-event, pull_request_review: review, pull_request_review_comment: cud-event, pull_request_target: pull-request, push: push, registry_package: registry-package, release: release, repository_dispatch: repository-dispatch, schedule: schedule, status: null, watch: watch, workflow_call: workflow-call, workflow_dispatch: workflow-dispatch, workflow_run: workflow-run}

workflow-call = null | {inputs: call-inputs, secrets: call-secrets, outputs: call-outputs}
call-inputs = {*: call-input}
call-input = {description: string, type!: <string boolean number>, required: boolean, default: call-input-default}
call-input-default @workflow = string | boolean | number
call-secrets = {*: call-secret}
call-secret = null | {description: string, required: boolean}
call-outputs = {*: call-output}
call-output = {description: string, value!: call-output-value}
call-output-value @workflow jobs = string
workflow-dispatch = null | {inputs: null | dispatch-inputs}
dispatch-inputs = {*: dispatch-input}
dispatch-input = null | {description: string, type: <string boolean number environment choice>, required: boolean, default: string | boolean | number, options: [string]}

# Permissions
permissions = permissions-mapping | <read-all write-all>
level = <read write none>
read-level = <read none>
write-level = <write none>
permissions-mapping = {actions: level, artifact-metadata: level, attestations: level, checks: level, code-quality: level, contents: level, copilot-requests: write-level, deployments: level, discussions: level, drives: level, id-token: write-level, issues: level, models: read-level, packages: level, pages: level, pull-requests: level, repository-projects: level, security-events: level, statuses: level, vulnerability-alerts: read-level}

# Jobs
jobs = {*: job}
job = job-steps | job-call
job-steps = {needs: needs, if: job-if, strategy: strategy, name: job-string, runs-on!: runs-on, timeout-minutes: job-number, cancel-timeout-minutes: job-number, continue-on-error: job-boolean, container: container, services: services, env: job-env, environment: environment, permissions: permissions, concurrency: job-concurrency, outputs: outputs, defaults: job-defaults, steps: steps, snapshot: snapshot}
job-call = {name: job-string, uses!: string!, with: call-with, secrets: call-with-secrets, needs: needs, if: job-if, permissions: permissions, concurrency: job-concurrency, strategy: strategy}
call-with = {*: call-value}
call-value @job = string | boolean | number
call-with-secrets = call-secret-map | <inherit>
call-secret-map = {*: call-secret-value}
call-secret-value @secret = string | boolean | number
needs = [string!] | string!
job-if @needs @job-status = string
job-string @job = string
job-number @job = number
job-boolean @job = boolean
strategy @needs = {fail-fast: boolean, max-parallel: number, matrix: matrix}
matrix = {include: matrix-filter, exclude: matrix-filter, *: [any]}
matrix-filter = [matrix-item]
matrix-item = {*: any}
runs-on @job = string! | [string!] | runs-on-mapping
runs-on-mapping = {group: string!, labels: runs-on-labels}
runs-on-labels = string! | [string!]
job-env @secret = {*: string}
job-concurrency @job = string! | concurrency-mapping
environment @job = string | environment-mapping
environment-mapping = {name!: environment-name, url: environment-url, deployment: boolean}
environment-name @job = string
environment-url @public = string
job-defaults = {run: job-defaults-run}
job-defaults-run @job env = {shell: string!, working-directory: string!}
outputs = {*: runner-string}
runner-string @runner = string
snapshot = string! | snapshot-mapping
snapshot-mapping = {image-name!: string!, if: snapshot-if, version: string!}
snapshot-if @job = string
container @job = string | container-mapping
container-mapping = {image: string!, options: string, env: container-env, ports: [string!], volumes: [string!], credentials: credentials}
container-env = {*: runner-string}
credentials @workflow secrets env = {username: string!, password: string!}
services @job = {*: service}
service @job = string! | service-mapping
service-mapping = {image: string!, options: string, env: container-env, ports: [string!], volumes: [string!], credentials: credentials, entrypoint: string, command: string}

# Steps
steps = [step]
step = run-step | uses-step | wait-step | wait-all-step | cancel-step | parallel-step
run-step = {name: step-string, id: string!, if: step-if, timeout-minutes: step-number, run!: step-string, continue-on-error: step-boolean, env: step-map, working-directory: step-string, shell: string!, background: boolean}
uses-step = {name: step-string, id: string!, if: step-if, continue-on-error: step-boolean, timeout-minutes: step-number, uses!: string!, with: step-map, env: step-map, background: boolean}
wait-step = {name: step-string, id: string!, continue-on-error: step-boolean, wait!: string! | [string!]}
wait-all-step = {name: step-string, id: string!, continue-on-error: step-boolean, wait-all!: null | boolean}
cancel-step = {name: step-string, id: string!, continue-on-error: step-boolean, cancel!: string!}
parallel-step = {parallel!: steps}
step-if @public @step-status hashFiles(1,255) = string
step-string @step = string
step-number @step = number
step-boolean @step = boolean
step-map @step = {*: string}
)";

}  // namespace

const Schema& workflow_schema() {
  static const Schema schema(kTextKind);
  return schema;
}

}  // namespace slipway::workflow
