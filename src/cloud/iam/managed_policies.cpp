// SPDX-License-Identifier: Apache-2.0
#include "cloud/iam/managed_policies.hpp"

#include <array>

namespace slipway::cloud::iam {
namespace {

constexpr std::array kPolicies =
    {
        ManagedPolicy{
            "/", "AdministratorAccess", "Provides full access to AWS services and resources.",
            R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]})"},
        ManagedPolicy{
            "/", "PowerUserAccess", "Full access except the management of users and groups.",
            R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":["iam:*","organizations:*","account:*"],"Resource":"*"},{"Effect":"Allow","Action":["iam:CreateServiceLinkedRole","iam:DeleteServiceLinkedRole","iam:ListRoles"],"Resource":"*"}]})"},
        ManagedPolicy{
            "/", "ReadOnlyAccess", "Read-only access to AWS services and resources.",
            R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecs:Describe*","ecs:List*","ecr:BatchCheck*","ecr:BatchGet*","ecr:Describe*","ecr:Get*","ecr:List*","ec2:Describe*","ec2:Get*","elasticloadbalancing:Describe*","iam:Get*","iam:List*","logs:Describe*","logs:FilterLogEvents","logs:Get*","logs:List*","rds:Describe*","rds:List*","secretsmanager:Describe*","secretsmanager:List*","ssm:Describe*","ssm:Get*","ssm:List*","sts:GetCallerIdentity","sts:GetSessionToken"],"Resource":"*"}]})"},
        ManagedPolicy{
            "/service-role/", "AmazonECSTaskExecutionRolePolicy",
            "Lets Fargate tasks pull images from ECR and write logs.",
            R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:BatchCheckLayerAvailability","ecr:GetDownloadUrlForLayer","ecr:BatchGetImage","logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}]})"},
        ManagedPolicy{
            "/", "AmazonECS_FullAccess", "Administrative access to Amazon ECS and what it needs.",
            R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecs:*","ec2:Describe*","elasticloadbalancing:*","logs:CreateLogGroup","logs:DescribeLogGroups","logs:FilterLogEvents","application-autoscaling:*","cloudwatch:*","servicediscovery:*","iam:ListRoles","codedeploy:*"],"Resource":"*"},{"Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{"StringLike":{"iam:PassedToService":"ecs-tasks.amazonaws.com"}}}]})"},
        ManagedPolicy{
            "/", "AmazonEC2ContainerRegistryFullAccess", "Administrative access to Amazon ECR.",
            R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:*","cloudtrail:LookupEvents"],"Resource":"*"}]})"},
        ManagedPolicy{
            "/", "AmazonEC2ContainerRegistryPowerUser",
            "Reads and writes Amazon ECR repositories, without deleting them or changing policies.", R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:BatchCheckLayerAvailability","ecr:GetDownloadUrlForLayer","ecr:GetRepositoryPolicy","ecr:DescribeRepositories","ecr:ListImages","ecr:DescribeImages","ecr:BatchGetImage","ecr:GetLifecyclePolicy","ecr:GetLifecyclePolicyPreview","ecr:ListTagsForResource","ecr:DescribeImageScanFindings","ecr:InitiateLayerUpload","ecr:UploadLayerPart","ecr:CompleteLayerUpload","ecr:PutImage"],"Resource":"*"}]})"},
        ManagedPolicy{
            "/", "AmazonEC2ContainerRegistryReadOnly",
            "Read-only access to Amazon ECR repositories.",
            R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:BatchCheckLayerAvailability","ecr:GetDownloadUrlForLayer","ecr:GetRepositoryPolicy","ecr:DescribeRepositories","ecr:ListImages","ecr:DescribeImages","ecr:BatchGetImage","ecr:GetLifecyclePolicy","ecr:GetLifecyclePolicyPreview","ecr:ListTagsForResource","ecr:DescribeImageScanFindings"],"Resource":"*"}]})"},
        ManagedPolicy{
            "/", "SecretsManagerReadWrite", "Read and write access to AWS Secrets Manager.",
            R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["secretsmanager:*","kms:DescribeKey","kms:ListAliases","kms:ListKeys","rds:DescribeDBInstances"],"Resource":"*"}]})"},
        ManagedPolicy{
            "/", "AmazonSSMReadOnlyAccess", "Read-only access to Amazon SSM.",
            R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ssm:Describe*","ssm:Get*","ssm:List*"],"Resource":"*"}]})"},
        ManagedPolicy{
            "/", "AmazonSSMFullAccess", "Full access to Amazon SSM.",
            R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ssm:*"],"Resource":"*"}]})"},
        ManagedPolicy{
            "/", "CloudWatchLogsFullAccess", "Full access to CloudWatch Logs.",
            R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:*","cloudwatch:GenerateQuery"],"Resource":"*"}]})"},
        ManagedPolicy{
            "/", "AmazonRDSFullAccess", "Full access to Amazon RDS.",
            R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["rds:*","ec2:Describe*","logs:DescribeLogStreams","logs:GetLogEvents"],"Resource":"*"}]})"},
        ManagedPolicy{
            "/service-role/", "AmazonECSInfrastructureRolePolicyForVolumes",
            "Lets ECS manage the volumes of tasks.",
            R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:CreateVolume","ec2:CreateTags","ec2:DescribeVolumes","ec2:DescribeAvailabilityZones","ec2:DescribeInstances","ec2:AttachVolume","ec2:DetachVolume","ec2:DeleteVolume"],"Resource":"*"}]})"},
        ManagedPolicy{
            "/", "AWSCodeDeployRoleForECS", "Lets CodeDeploy replace ECS services.",
            R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecs:DescribeServices","ecs:CreateTaskSet","ecs:UpdateServicePrimaryTaskSet","ecs:DeleteTaskSet","elasticloadbalancing:DescribeTargetGroups","elasticloadbalancing:DescribeListeners","elasticloadbalancing:ModifyListener","elasticloadbalancing:DescribeRules","elasticloadbalancing:ModifyRule","lambda:InvokeFunction","cloudwatch:DescribeAlarms","sns:Publish","s3:GetObject","s3:GetObjectVersion"],"Resource":"*"},{"Effect":"Allow","Action":["iam:PassRole"],"Resource":"*","Condition":{"StringLike":{"iam:PassedToService":["ecs-tasks.amazonaws.com"]}}}]})"},
        ManagedPolicy{
            "/", "AWSCodeDeployFullAccess", "Full access to CodeDeploy.",
            R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["codedeploy:*"],"Resource":"*"}]})"},
        ManagedPolicy{
            "/", "IAMFullAccess", "Full access to IAM.",
            R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:*"],"Resource":"*"}]})"},
};

constexpr std::string_view kPrefix = "arn:aws:iam::aws:policy";

}  // namespace

std::span<const ManagedPolicy> managed_policies() { return kPolicies; }

const ManagedPolicy* find_managed_policy(std::string_view arn) {
  if (!arn.starts_with(kPrefix)) return nullptr;
  auto rest = arn.substr(kPrefix.size());
  for (const auto& policy : kPolicies) {
    if (rest.size() == policy.path.size() + policy.name.size() && rest.starts_with(policy.path) &&
        rest.ends_with(policy.name))
      return &policy;
  }
  return nullptr;
}

}  // namespace slipway::cloud::iam
