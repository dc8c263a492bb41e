// SPDX-License-Identifier: Apache-2.0
#include "workflow/known_actions.hpp"

#include <algorithm>
#include <map>

#include "base/edit_distance.hpp"
#include "base/text.hpp"

namespace slipway::workflow {
namespace {

// A line: name [>=oldest] : inputs (! is required) | outputs (* is any).
// source  the action.yml of each
constexpr std::string_view kKnownText = R"(
actions/checkout : repository ref token ssh-key ssh-known-hosts ssh-strict ssh-user persist-credentials path clean filter sparse-checkout sparse-checkout-cone-mode fetch-depth fetch-tags show-progress lfs submodules set-safe-directory github-server-url reference | ref commit
actions/setup-node : always-auth node-version node-version-file architecture check-latest registry-url scope token cache package-manager-cache cache-dependency-path mirror mirror-token version | cache-hit node-version
actions/setup-python : python-version python-version-file cache architecture check-latest token cache-dependency-path update-environment allow-prereleases freethreaded pip-version pip-install ignore-platform-version | python-version cache-hit python-path
actions/setup-go : go-version go-version-file check-latest token cache cache-dependency-path architecture go-download-base-url | go-version cache-hit
actions/setup-java : java-version java-version-file distribution java-package architecture jdk-file jdkFile check-latest force-download set-default verify-signature verify-signature-public-key server-id server-username server-username-env-var server-password server-password-env-var settings-path overwrite-settings gpg-private-key gpg-passphrase gpg-passphrase-env-var cache cache-jdk cache-dependency-path cache-path cache-read-only job-status token mvn-toolchain-id mvn-toolchain-vendor show-download-progress problem-matcher | distribution version path cache-hit cache-primary-key
actions/cache >=3 : path! key! restore-keys upload-chunk-size enableCrossOsArchive fail-on-cache-miss lookup-only save-always | cache-hit
actions/cache/restore >=3 : path! key! restore-keys enableCrossOsArchive fail-on-cache-miss lookup-only | cache-hit cache-primary-key cache-matched-key
actions/cache/save >=3 : path! key! upload-chunk-size enableCrossOsArchive |
actions/upload-artifact >=4 : name path! if-no-files-found retention-days compression-level overwrite include-hidden-files archive | artifact-id artifact-url artifact-digest
actions/upload-artifact/merge >=4 : name pattern separate-directories retention-days compression-level delete-merged include-hidden-files | artifact-id artifact-url artifact-digest
actions/download-artifact >=4 : name artifact-ids path pattern merge-multiple github-token repository run-id digest-mismatch skip-decompress | download-path
actions/github-script : script! github-token debug user-agent previews result-encoding retries retry-exempt-status-codes base-url | result
actions/upload-pages-artifact : name path retention-days | artifact_id
actions/deploy-pages : token timeout error_count reporting_interval artifact_name preview | page_url
aws-actions/configure-aws-credentials : aws-region aws-profile role-to-assume aws-access-key-id aws-secret-access-key aws-session-token web-identity-token-file role-chaining audience http-proxy no-proxy mask-aws-account-id role-duration-seconds role-external-id role-session-name role-skip-session-tagging transitive-tag-keys custom-tags inline-session-policy managed-session-policies output-credentials output-env-credentials unset-current-credentials disable-retry retry-max-attempts special-characters-workaround use-existing-credentials allowed-account-ids expected-account-id action-timeout-s force-skip-oidc sts-endpoint overwrite-aws-profile | aws-account-id aws-access-key-id aws-secret-access-key aws-session-token aws-expiration authenticated-arn
aws-actions/amazon-ecr-login : http-proxy mask-password registries registry-type skip-logout | *
aws-actions/amazon-ecs-render-task-definition : task-definition task-definition-arn task-definition-family task-definition-revision container-name! image! environment-variables log-configuration-log-driver log-configuration-options docker-labels command task-role-arn execution-role-arn env-files secrets | task-definition
aws-actions/amazon-ecs-deploy-task-definition : task-definition! desired-count service cluster wait-for-service-stability wait-for-minutes codedeploy-appspec codedeploy-application codedeploy-deployment-group codedeploy-deployment-description codedeploy-deployment-config force-new-deployment service-managed-ebs-volume-name service-managed-ebs-volume run-task run-task-container-overrides run-task-security-groups run-task-subnets run-task-assign-public-IP run-task-capacity-provider-strategy run-task-launch-type run-task-started-by run-task-tags run-task-managed-ebs-volume-name run-task-managed-ebs-volume wait-for-task-stopped enable-ecs-managed-tags propagate-tags keep-null-value-keys max-retries | task-definition-arn codedeploy-deployment-id run-task-arn
docker/setup-qemu-action : image platforms cache-image reset | platforms status
docker/setup-buildx-action : version driver driver-opts buildkitd-flags buildkitd-config buildkitd-config-inline install use endpoint platforms append cache-binary cleanup keep-state name config config-inline | name driver platforms nodes endpoint status flags
docker/login-action : registry username password scope ecr logout registry-auth |
docker/metadata-action : context images tags flavor labels annotations sep-tags sep-labels sep-annotations bake-target github-token | version tags labels annotations json bake-file bake-file-tags bake-file-labels bake-file-annotations tag-names
docker/build-push-action : add-hosts allow annotations attests build-args build-contexts builder cache-from cache-to call cgroup-parent context file labels load network no-cache no-cache-filters outputs platforms provenance pull push sbom secrets secret-envs secret-files shm-size ssh tags target ulimit github-token | imageid digest metadata
slackapi/slack-github-action : api errors method payload payload-delimiter payload-file-path payload-file-path-parsed payload-templated proxy retries token webhook webhook-type channel-id slack-message update-ts command | *
)";

std::vector<std::string> words_in(std::string_view text) {
  auto words = split(trim(text), ' ');
  std::erase(words, "");
  return words;
}

std::map<std::string, KnownAction, std::less<>> read_table() {
  std::map<std::string, KnownAction, std::less<>> table;
  for (auto line : lines_of(kKnownText)) {
    auto colon = line.find(" : ");
    if (colon == std::string_view::npos) continue;
    auto bar = line.find('|');
    KnownAction action;
    auto head = words_in(line.substr(0, colon));
    action.name = head[0];
    if (head.size() > 1)
      action.oldest = static_cast<int>(to_integer(head[1].substr(2)).value_or(0));
    for (auto& input : words_in(line.substr(colon + 3, bar - colon - 3))) {
      if (input.ends_with('!')) {
        input.pop_back();
        action.required.push_back(input);
      }
      action.inputs.push_back(input);
    }
    action.outputs = words_in(line.substr(bar + 1));
    action.any_output = std::erase(action.outputs, "*") > 0;
    table.emplace(action.name, std::move(action));
  }
  return table;
}

}  // namespace

namespace {

const std::map<std::string, KnownAction, std::less<>>& known_table() {
  static const auto table = read_table();
  return table;
}

}  // namespace

std::string nearest_known_action(std::string_view repository) {
  for (const auto& [name, action] : known_table()) {
    if (std::count(name.begin(), name.end(), '/') == 1 && edit_distance(name, repository) == 1)
      return name;
  }
  return "";
}

const KnownAction* known_action(std::string_view uses) {
  const auto& table = known_table();
  auto found = table.find(to_lower(std::string(uses.substr(0, uses.find('@')))));
  return found == table.end() ? nullptr : &found->second;
}

}  // namespace slipway::workflow
