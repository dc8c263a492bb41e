// SPDX-License-Identifier: Apache-2.0
// Composite actions. One use of a composite has one scope, in which its steps see each other: they run there in the main stage, and before
// and after it the `pre` and `post` of the actions that they use.
//   source  actions/runner CompositeActionHandler.cs
#include "workflow/action_inputs.hpp"
#include "workflow/step_runner.hpp"

namespace slipway::workflow {

std::shared_ptr<Scope> StepRunner::enter_composite(StepCall& call,
                                                   const std::shared_ptr<PreparedAction>& action) {
  auto inputs = inputs_of(call, action->file);
  if (call.is_main) show_action_header(call, inputs);
  auto& inside = inside_[use_of(call)];
  if (!inside) inside = std::make_shared<Scope>();
  auto inner = inside;  // `inside` may move when a step of it is a composite, too
  inner->is_composite = true;
  inner->depth = call.scope.depth + 1;
  inner->inputs = to_value(inputs);
  inner->env = call.scope.env;
  for (const auto& [name, value] : call.env) inner->env[name] = value;
  inner->action_path = action->directory;
  inner->action_repository = action->repository;
  inner->action_ref = action->ref;
  inner->late = call.late;
  return inner;
}

void StepRunner::remember_composite_post(StepCall& call,
                                         const std::shared_ptr<PreparedAction>& action,
                                         Scope& inner) {
  if (inner.posts) return;
  auto posts = std::make_shared<std::vector<PostStep>>();  // shared as PostStep::inner says
  inner.posts = posts.get();
  add_post(call.scope, {.title = post_title(call),
                        .id = call.id,
                        .step = call.step,
                        .condition = {},
                        .scope = call.owner,
                        // The action's steps outlive the main stage in here.
                        .body =
                            [this, action, posts](StepCall& post) {
                              post.output.say("Post job cleanup.");
                              enter_composite(post, action);
                              return run_posts_of(*posts, &post.output);
                            },
                        .inner = posts});
}

Conclusion StepRunner::run_composite_pre(StepCall& call,
                                         const std::shared_ptr<PreparedAction>& action) {
  auto inner = enter_composite(call, action);
  remember_composite_post(call, action, *inner);
  auto worst = Conclusion::success;
  for (const auto& step : action->file.steps) {
    if (auto nested = action_with_pre(step, action.get()))
      run_pre_of(step, nested, inner, &call.output, worst);
  }
  return worst;
}

Conclusion StepRunner::run_composite(StepCall& call,
                                     const std::shared_ptr<PreparedAction>& action) {
  auto inner = enter_composite(call, action);
  remember_composite_post(call, action, *inner);
  for (const auto& step : action->file.steps) {
    if (!run_step(step, inner, &call.output)) break;
  }
  auto contexts = contexts_of(job_, *inner, {}, call.id);
  contexts.host = call.contexts.host;
  for (const auto& output : action->file.outputs) {
    call.output.effects().outputs.emplace_back(output.name, evaluate_text(output.value, contexts));
  }
  return inner->status;
}

}  // namespace slipway::workflow
